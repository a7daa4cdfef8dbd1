// A product goes into the output as it is.
fn store(token: u32, row: u32, value: f32) {
    output[token * OUTPUT_COLUMNS + OUTPUT_OFFSET + row] = value;
}
