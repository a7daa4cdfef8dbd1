// The part of a product that a thread computes, in registers: 8 rows of the weights for 8 tokens. They are written out, not
// looped over, so that every compiler keeps the sums in registers. Neighbouring threads take neighbouring rows; a thread
// takes every `row_threads`-th row and every `token_threads`-th token of its workgroup's tile.

// The sums of each of a thread's tokens: `low` of its rows 0 to 3, `high` of its rows 4 to 7.
var<private> low0: vec4<f32>;
var<private> high0: vec4<f32>;
var<private> low1: vec4<f32>;
var<private> high1: vec4<f32>;
var<private> low2: vec4<f32>;
var<private> high2: vec4<f32>;
var<private> low3: vec4<f32>;
var<private> high3: vec4<f32>;
var<private> low4: vec4<f32>;
var<private> high4: vec4<f32>;
var<private> low5: vec4<f32>;
var<private> high5: vec4<f32>;
var<private> low6: vec4<f32>;
var<private> high6: vec4<f32>;
var<private> low7: vec4<f32>;
var<private> high7: vec4<f32>;

// Hands over the sums of the thread whose first row and first token these are.
fn store_sums(row: u32, token: u32, row_threads: u32, token_threads: u32) {
    store_rows(row, token, row_threads, low0, high0);
    store_rows(row, token + token_threads, row_threads, low1, high1);
    store_rows(row, token + 2u * token_threads, row_threads, low2, high2);
    store_rows(row, token + 3u * token_threads, row_threads, low3, high3);
    store_rows(row, token + 4u * token_threads, row_threads, low4, high4);
    store_rows(row, token + 5u * token_threads, row_threads, low5, high5);
    store_rows(row, token + 6u * token_threads, row_threads, low6, high6);
    store_rows(row, token + 7u * token_threads, row_threads, low7, high7);
}

fn store_rows(first_row: u32, token: u32, row_threads: u32, low: vec4<f32>, high: vec4<f32>) {
    if (token < step.rows) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_row + i * row_threads;
            if (row < ROWS) {
                store(token, row, low[i]);
            }
            if (row + 4u * row_threads < ROWS) {
                store(token, row + 4u * row_threads, high[i]);
            }
        }
    }
}
