// How kernels read repacked weights. A matrix lies in `weights` as planes, one after the other, each starting at a whole
// vec4: what belongs to neighbouring groups of 32 weights is neighbouring in each plane. The file of a format says which
// planes it has; `repack.wgsl` writes them.
//
// Constants: ROWS, COLUMNS of the matrix.
#import halves

// Groups of 32 weights in the matrix, row after row.
const GROUPS: u32 = ROWS * COLUMNS / 32u;

// A word of the plane that starts at vec4 `start`.
fn plane_word(start: u32, index: u32) -> u32 {
    return weights[start + (index >> 2u)][index & 3u];
}

// Sixteen bits of the plane that starts at vec4 `start`, in the low half of a word; the high half is undefined.
fn plane_half_word(start: u32, index: u32) -> u32 {
    return plane_word(start, index >> 1u) >> ((index & 1u) * 16u);
}

fn plane_half(start: u32, index: u32) -> f32 {
    return half_to_float(plane_half_word(start, index));
}

// The four bytes of a word as floats, lowest first.
fn bytes_to_floats(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu));
}

// Four nibbles as bytes: weights 4 * part to 4 * part + 3 of a group. The low nibbles of its sixteen bytes are weights 0
// to 15, the high ones 16 to 31.
fn nibbles4(nibbles: vec4<u32>, part: u32) -> u32 {
    return (nibbles[part & 3u] >> ((part >> 2u) * 4u)) & 0x0f0f0f0fu;
}
