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
