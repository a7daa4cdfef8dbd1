// Numbers of the KV cache: f16, four in two words.
const LARGEST_HALF: f32 = 65504.0;

// Numbers beyond the largest f16 become it.
fn pack(numbers: vec4<f32>) -> vec2<u32> {
    let clamped = clamp(numbers, vec4<f32>(-LARGEST_HALF), vec4<f32>(LARGEST_HALF));
    return vec2<u32>(pack2x16float(clamped.xy), pack2x16float(clamped.zw));
}

fn unpack(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
