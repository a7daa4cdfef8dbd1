// Random words as `src/generate/random.rs` makes them, to the bit: pcg4d of Jarzynski and Olano, "Hash Functions for GPU
// Rendering" (Journal of Computer Graphics Techniques 9, 2020), of a counter and a seed.

// The word number `counter` of a seed, whose low half is `seed.x`.
fn random_word(seed: vec2<u32>, counter: u32) -> u32 {
    let congruential = vec4<u32>(counter, seed, 0u) * 1664525u + 1013904223u;
    let mixed = random_mix(congruential);
    return random_mix(mixed ^ (mixed >> vec4<u32>(16u))).w;
}

// The word as a number in [0, 1), in steps of 2⁻²⁴: each is exact in f32.
fn random_unit(word: u32) -> f32 {
    return f32(word >> 8u) / 16777216.0;
}

// Adds to each word the product of two others; later words take in what the earlier ones became.
fn random_mix(words: vec4<u32>) -> vec4<u32> {
    var v = words;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}
