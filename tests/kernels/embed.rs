//! `shaders/embed.wgsl`: which rows it looks up. That it decodes them to the bit is `block_decoding.rs`.

use qwisp::backend::gpu::device::MAX_BINDING_BYTES;
use qwisp::backend::gpu::operations::Embed;
use qwisp::generate::Random;
use qwisp::gguf::TensorType;

use super::WeighedRow;
use super::support::closeness::widen;
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::support::quantized_matrix::{QuantizedMatrix, Scales};

#[test]
fn embed_looks_up_the_row_of_each_token() {
    let cases: [(&str, TensorType, [usize; 2], &[u32]); 4] = [
        ("a single row", TensorType::Q8_0, [1, 32], &[0]),
        ("one token", TensorType::Q5_0, [101, 896], &[100]),
        ("tokens again, out of order", TensorType::Q6K, [101, 1536], &[7, 0, 100, 7, 7, 99]),
        ("a whole vocabulary in two shards", TensorType::Q8_0, [151_936, 896], &[0, 151_935, 140_000, 141_000, 1]),
    ];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for (name, tensor_type, [rows, columns], tokens) in cases {
        let matrix = QuantizedMatrix::random(&mut random, tensor_type, [rows, columns], Scales::Moderate);
        let table = matrix.upload(&mut gpu.recorder, MAX_BINDING_BYTES, 1 << 16);
        let residual = gpu.buffer(&vec![f32::NAN; tokens.len() * columns]);
        let token_buffer = gpu.buffer(tokens);
        let norm = normal(&mut random, columns, 1.0);
        let weighed = WeighedRow::empty(&mut gpu, columns);
        Embed {
            table: &table,
            tokens: &token_buffer,
            token_count: tokens.len(),
            residual: &residual,
            norm: &gpu.buffer(&norm),
            weighed: weighed.buffers(),
        }
        .record(&mut gpu.recorder);
        let got = gpu.read(&residual);

        let weights = matrix.dequantized();
        for (&token, got) in tokens.iter().zip(got.chunks(columns)) {
            let expected = &weights[token as usize * columns..][..columns];
            assert!(got == expected, "{name}: token {token}");
        }
        weighed.check(&mut gpu, name, &widen(&weights[tokens[0] as usize * columns..][..columns]), &norm);
    }
}
