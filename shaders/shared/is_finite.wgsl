const INFINITY: u32 = 0x7f800000u;

// By its bits, because a compiler may take for granted that every float is finite.
fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & INFINITY) != INFINITY;
}
