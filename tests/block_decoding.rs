//! Every tensor type is decoded on the GPU to the same bits as by candle.

use qwisp::backend::gpu::operations::Embed;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use self::support::gpu::Gpu;
use self::support::quantized_matrix::{QuantizedMatrix, Scales};

mod support;

/// Not a multiple of the four rows that shards are cut at.
const ROWS: usize = 37;

/// Decodes all rows of a matrix on the GPU, in an order of its own.
fn decode(gpu: &mut Gpu, matrix: &QuantizedMatrix, max_binding_bytes: u64, piece_bytes: usize) -> (usize, Vec<f32>) {
    let table = matrix.upload(gpu.device(), max_binding_bytes, piece_bytes);
    let tokens: Vec<u32> = (0..matrix.rows as u32).rev().collect();
    let residual = gpu.buffer(&vec![f32::NAN; matrix.rows * matrix.columns]);
    let token_buffer = gpu.buffer(&tokens);
    Embed { table: &table, tokens: &token_buffer, token_count: tokens.len(), residual: &residual }
        .record(&mut gpu.recorder);
    let rows = gpu.read(&residual);
    (table.shards.len(), rows.chunks(matrix.columns).rev().flatten().copied().collect())
}

#[test]
fn every_type_decodes_to_the_bits_that_candle_gives() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for tensor_type in TensorType::ALL {
        for (blocks, scales) in [(1, Scales::Extreme), (3, Scales::Extreme), (3, Scales::Moderate), (40, Scales::Extreme)] {
            let columns = blocks * tensor_type.block_weights().max(32);
            let matrix = QuantizedMatrix::random(&mut random, tensor_type, [ROWS, columns], scales);
            let row_bytes = tensor_type.row_bytes(columns);
            // One shard, several, and the smallest there are: four rows. Pieces that end within words of blocks.
            for (shard_rows, piece_bytes, shards) in [(ROWS, 1 << 20, 1), (13, 4 * 97, 4), (4, 4 * 5, 10)] {
                let max_binding_bytes = (shard_rows as u64).next_multiple_of(4) * row_bytes + 8;
                let max_binding_bytes = if shard_rows == 13 { 13 * row_bytes + 8 } else { max_binding_bytes };
                let (got_shards, got) = decode(&mut gpu, &matrix, max_binding_bytes, piece_bytes);
                let case = format!("{tensor_type:?}, {blocks} blocks, {scales:?} scales, shards of {shard_rows} rows");
                assert_eq!(got_shards, shards, "{case}: shards");
                for (index, (got, expected)) in got.iter().zip(matrix.dequantized()).enumerate() {
                    assert_eq!(
                        got.to_bits(),
                        expected.to_bits(),
                        "{case}, row {}, column {}: got {got}, expected {expected}",
                        index / columns,
                        index % columns
                    );
                }
            }
        }
    }
}
