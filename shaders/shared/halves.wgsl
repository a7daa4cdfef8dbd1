// The f16 in the low half of a word. By integers, because WGSL lets `unpack2x16float` turn subnormal numbers into zero,
// and the scales of K-quants often are subnormal.
fn half_to_float(word: u32) -> f32 {
    let exponent = (word >> 10u) & 31u;
    let mantissa = word & 0x3ffu;
    let subnormal = f32(mantissa) * 5.9604644775390625e-8; // 2⁻²⁴
    let float_exponent = select(exponent + 112u, 255u, exponent == 31u);
    let magnitude = select(bitcast<f32>((float_exponent << 23u) | (mantissa << 13u)), subnormal, exponent == 0u);
    return select(magnitude, -magnitude, (word & 0x8000u) != 0u);
}
