// A product is added to what the output, the residual stream, already holds.
fn store(token: u32, row: u32, value: f32) {
    let index = token * OUTPUT_COLUMNS + OUTPUT_OFFSET + row;
    output[index] = output[index] + value;
}
