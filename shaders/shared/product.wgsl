// The product of a group of weights with a group of input: sum of (scale * (quant - ZERO) - minimum) * x, in which zero point
// and minimum only need the sum of x. Written out, so that every part is a constant.
#import format

fn dot_group(group: u32, x: InputGroup) -> f32 {
    let w = load_group(group);
    let low = dot(quants4(w, 0u), x.x0) + dot(quants4(w, 1u), x.x1) + dot(quants4(w, 2u), x.x2) + dot(quants4(w, 3u), x.x3);
    let high = dot(quants4(w, 4u), x.x4) + dot(quants4(w, 5u), x.x5) + dot(quants4(w, 6u), x.x6) + dot(quants4(w, 7u), x.x7);
    return dot(w.scales, vec2<f32>(low, high) - ZERO * x.sums) - w.minimum * (x.sums.x + x.sums.y);
}
