//! Every tensor type is decoded on the GPU to the same bits as by candle.

use qwisp::backend::gpu::operations::{Embed, Weighed};
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use self::support::gpu::Gpu;
use self::support::quantized_matrix::{QuantizedMatrix, Scales};

mod support;

/// Not a multiple of the 32 rows that shards are cut at.
const ROWS: usize = 133;

/// How a tensor is split: the parts of 32 rows that a binding has room for, the shards that come of it, and the pairs of
/// blocks in which it is uploaded. Odd numbers don't end where shards do.
const SPLITS: [(u64, usize, usize); 3] = [(5, 1, 1 << 12), (2, 3, 97), (1, 5, 5)];

/// Decodes all rows of a matrix on the GPU, in an order of its own.
fn decode(gpu: &mut Gpu, matrix: &QuantizedMatrix, max_binding_bytes: u64, piece_pairs: usize) -> (usize, Vec<f32>) {
    let table = matrix.upload(&mut gpu.recorder, max_binding_bytes, piece_pairs);
    let tokens: Vec<u32> = (0..matrix.rows as u32).rev().collect();
    let residual = gpu.buffer(&vec![f32::NAN; matrix.rows * matrix.columns]);
    let token_buffer = gpu.buffer(&tokens);
    let norm = gpu.buffer(&vec![0.0f32; matrix.columns]);
    let weighed = gpu.buffer(&vec![0.0f32; matrix.columns]);
    let squares = gpu.buffer(&vec![0.0f32; matrix.columns]);
    Embed {
        table: &table,
        tokens: &token_buffer,
        token_count: tokens.len(),
        residual: &residual,
        norm: &norm,
        weighed: Weighed { row: &weighed, squares: &squares },
    }
    .record(&mut gpu.recorder);
    let rows = gpu.read(&residual);
    (table.shards.len(), rows.chunks(matrix.columns).rev().flatten().copied().collect())
}

#[test]
fn every_type_decodes_to_the_bits_that_candle_gives() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for tensor_type in TensorType::ALL {
        for (blocks, scales) in
            [(1, Scales::Extreme), (3, Scales::Extreme), (3, Scales::Moderate), (40, Scales::Extreme)]
        {
            let columns = blocks * tensor_type.block_weights().max(32);
            let matrix = QuantizedMatrix::random(&mut random, tensor_type, [ROWS, columns], scales);
            let expected = matrix.dequantized();
            for (parts, shards, piece_pairs) in SPLITS {
                let max_binding_bytes = parts * Tensor::bytes(tensor_type, 32, columns);
                let (got_shards, got) = decode(&mut gpu, &matrix, max_binding_bytes, piece_pairs);
                let case = format!("{tensor_type:?}, {blocks} blocks a row, {scales:?} scales, {shards} shards");
                assert_eq!(got_shards, shards, "{case}");
                for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    let (row, column) = (index / columns, index % columns);
                    assert_eq!(
                        got.to_bits(),
                        expected.to_bits(),
                        "{case}, row {row}, column {column}: got {got}, expected {expected}"
                    );
                }
            }
        }
    }
}
