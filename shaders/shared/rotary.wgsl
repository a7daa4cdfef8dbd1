// Rotary position embedding: Su et al., "RoFormer" (2021), in the half-split order of GPT-NeoX, where dimension i turns
// with i + HEAD_DIM / 2. The kernel binds `qkv` and `rotations`.

// Four dimensions of a head, and those that they turn with.
struct Rotated {
    low: vec4<f32>,
    high: vec4<f32>,
}

// Dimensions 4 quad to 4 quad + 3, of the first half of the head that starts at `head` of `qkv`, and their partners.
fn rotate(head: u32, quad: u32, position: u32) -> Rotated {
    let low = qkv[head + quad];
    let high = qkv[head + quad + HEAD_DIM / 8u];
    let first = rotations[position * (HEAD_DIM / 4u) + 2u * quad];
    let second = rotations[position * (HEAD_DIM / 4u) + 2u * quad + 1u];
    let cosine = vec4<f32>(first.xz, second.xz);
    let sine = vec4<f32>(first.yw, second.yw);
    return Rotated(low * cosine - high * sine, high * cosine + low * sine);
}
