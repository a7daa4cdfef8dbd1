// A product goes into the output with a bias added.
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [ROWS]

fn store(token: u32, row: u32, value: f32) {
    output[token * OUTPUT_COLUMNS + OUTPUT_OFFSET + row] = value + bias[row];
}
