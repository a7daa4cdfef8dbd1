// Quants are used where they stand: byte j of a word, masked and not shifted down, is 256^j times its value. What they are
// multiplied by makes up for it, once for many of them: powers of two, so nothing is rounded.
const PLACES = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);
