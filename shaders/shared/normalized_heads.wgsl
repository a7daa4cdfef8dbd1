// Queries and keys, each head divided by its root mean square and weighted: "Qwen3 Technical Report" (2025), section 2;
// Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019). The kernel binds `qkv`.
//
// Constants: EPSILON.
#import head_part

@group(0) @binding(8) var<uniform> query_norm: array<vec4<f32>, HEAD_DIM / 4u>; // [HEAD_DIM / 4]
@group(0) @binding(9) var<uniform> key_norm: array<vec4<f32>, HEAD_DIM / 4u>;   // [HEAD_DIM / 4]

// What a head is multiplied by. Every thread adds up its whole head: threads of a head read the same numbers at the same
// time, which is one load for all of them, and costs less than a barrier.
fn norm_factor(head: u32) -> f32 {
    var squares = 0.0;
    for (var quad = 0u; quad < HEAD_DIM / 4u; quad++) {
        squares += dot(qkv[head + quad], qkv[head + quad]);
    }
    return 1.0 / sqrt(squares / f32(HEAD_DIM) + EPSILON);
}

// Dimensions 4 quad to 4 quad + 3, and their partners, of the query that starts at `head` of `qkv`.
fn load_query(head: u32, quad: u32) -> HeadPart {
    let part = load_head_part(head, quad);
    let factor = norm_factor(head);
    return HeadPart(part.low * factor * query_norm[quad], part.high * factor * query_norm[quad + HEAD_DIM / 8u]);
}

// What the key that starts at `head` is to be multiplied by.
fn key_factor(head: u32) -> f32 {
    return norm_factor(head);
}

// The same of a key, with its factor.
fn load_key(head: u32, quad: u32, factor: f32) -> HeadPart {
    let part = load_head_part(head, quad);
    return HeadPart(part.low * factor * key_norm[quad], part.high * factor * key_norm[quad + HEAD_DIM / 8u]);
}
