// The largest logit of a block, by which `sample.wgsl` finds the best without looking at all of them. The kernel declares `block`,
// an array of logits in workgroup memory, and puts MASKED where there is none to choose.
#import is_finite

const MASKED: f32 = -3.4e38;              // not -inf, whose difference with itself is not a number

// Of `length` logits from `first` on, as bits, because WGSL has no infinity: that stands for one that isn't finite.
fn block_maximum(first: u32, length: u32) -> u32 {
    var largest = MASKED;
    var all_finite = true;
    for (var i = first; i < first + length; i++) {
        largest = max(largest, block[i]);
        all_finite &= is_finite(block[i]);
    }
    return select(INFINITY, bitcast<u32>(largest), all_finite);
}
