// Four dimensions of a head, and those that they turn with: dimension i and i + HEAD_DIM / 2. The kernel binds `qkv`.
struct HeadPart {
    low: vec4<f32>,
    high: vec4<f32>,
}

// Dimensions 4 quad to 4 quad + 3, and their partners, of the head that starts at `head` of `qkv`.
fn load_head_part(head: u32, quad: u32) -> HeadPart {
    return HeadPart(qkv[head + quad], qkv[head + quad + HEAD_DIM / 8u]);
}
