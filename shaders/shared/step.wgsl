// What changes from one forward pass to the next. Everything else a kernel needs is a constant of its variant.
struct Step {
    rows: u32,      // rows of activations to compute: the tokens of this pass
    first_row: u32, // first row to read where only some rows are wanted
    position: u32,  // position of the first token in the conversation
    padding: u32,
}
