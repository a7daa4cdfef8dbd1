// Rotary position embedding: Su et al., "RoFormer" (2021), in the half-split order of GPT-NeoX, where dimension i turns
// with i + HEAD_DIM / 2. The kernel binds `rotations`.
#import head_part

// Dimensions 4 quad to 4 quad + 3 and their partners, turned by their position.
fn rotate(part: HeadPart, quad: u32, position: u32) -> HeadPart {
    let first = rotations[position * (HEAD_DIM / 4u) + 2u * quad];
    let second = rotations[position * (HEAD_DIM / 4u) + 2u * quad + 1u];
    let cosine = vec4<f32>(first.xz, second.xz);
    let sine = vec4<f32>(first.yw, second.yw);
    return HeadPart(part.low * cosine - part.high * sine, part.high * cosine + part.low * sine);
}
