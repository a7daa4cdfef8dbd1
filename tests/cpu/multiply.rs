//! Products of every tensor type.

use qwisp::backend::cpu::matrix::Matrix;
use qwisp::backend::cpu::operations::{Input, Output, Scratch, multiply};
use qwisp::backend::cpu::quantized::Quantized;
use qwisp::generate::Random;
use qwisp::gguf::{TensorInfo, TensorType};

use crate::reference::matmul::matvec;
use crate::support::closeness::{assert_close, widen};
use crate::support::noise::normal;
use crate::support::quantized_matrix::{QuantizedMatrix, Scales};

/// The squared error of products with activations of 14 bits, as part of the whole.
const PRODUCT: f64 = 1e-6;

fn upload(matrix: &QuantizedMatrix, as_table: bool, piece_blocks: usize) -> Matrix {
    let info = TensorInfo {
        name: "test.weight".to_string(),
        tensor_type: matrix.tensor_type,
        rows: matrix.rows,
        columns: matrix.columns,
        bytes: 0..matrix.bytes.len() as u64,
    };
    let allocate = if as_table { Matrix::allocate_table } else { Matrix::allocate };
    let mut uploaded = allocate(&info).expect("there is memory for it");
    let piece_bytes = piece_blocks * matrix.tensor_type.block_bytes();
    for (index, piece) in matrix.bytes.chunks(piece_bytes).enumerate() {
        uploaded.upload((index * piece_bytes) as u64, piece);
    }
    uploaded
}

#[test]
fn every_type_decodes_to_the_bits_that_candle_gives() {
    let mut random = Random::new(1);
    for tensor_type in TensorType::ALL {
        for (blocks, scales) in [(1, Scales::Extreme), (3, Scales::Extreme), (3, Scales::Moderate)] {
            let columns = blocks * tensor_type.block_weights().max(32);
            let matrix = QuantizedMatrix::random(&mut random, tensor_type, [37, columns], scales);
            let expected = matrix.dequantized();
            for (as_table, piece_blocks) in [(false, 1 << 12), (false, 6), (true, 6)] {
                let case = format!("{tensor_type:?}, {blocks} blocks a row, {scales:?} scales, a table: {as_table}");
                let uploaded = upload(&matrix, as_table, piece_blocks);
                for (row, expected) in expected.chunks(columns).enumerate() {
                    let mut got = vec![f32::NAN; columns];
                    uploaded.decode_row(row, &mut got);
                    for (column, (got, expected)) in got.iter().zip(expected).enumerate() {
                        // A negative zero is no other weight than a positive one.
                        assert_eq!(got + 0.0, expected + 0.0, "{case}, row {row}, column {column}");
                    }
                }
            }
        }
    }
}

#[test]
fn products_are_those_of_the_reference() {
    let mut random = Random::new(2);
    for tensor_type in TensorType::ALL {
        let width = tensor_type.block_weights().max(32);
        for (rows, columns, input_rows) in [(1, width, 1), (7, 3 * width, 1), (7, 3 * width, 2), (6, 4 * width, 5)] {
            let matrix = QuantizedMatrix::random(&mut random, tensor_type, [rows, columns], Scales::Moderate);
            let weights = matrix.dequantized();
            let x = normal(&mut random, input_rows * columns, 1.0);
            let mut quantized = Quantized::default();
            quantized.fill(&x, columns);
            for as_table in [false, true] {
                let uploaded = upload(&matrix, as_table, 1 << 12);
                let mut got = vec![f32::NAN; input_rows * rows];
                let input = Input { floats: &x, quantized: &quantized };
                multiply(&uploaded, input, input_rows, &mut Output::all(&mut got, rows), &mut Scratch::default());
                let expected: Vec<f64> = x.chunks(columns).flat_map(|x| matvec(&weights, &widen(x))).collect();
                let case = format!("{tensor_type:?} [{rows}, {columns}], {input_rows} rows, a table: {as_table}");
                assert_close(&case, &got, &expected, PRODUCT);
            }
        }
    }
}

#[test]
fn products_go_where_they_belong_with_what_is_added_to_them() {
    let mut random = Random::new(3);
    let (rows, columns, input_rows) = (5, 64, 3);
    let matrix = QuantizedMatrix::random(&mut random, TensorType::Q8_0, [rows, columns], Scales::Moderate);
    let (weights, uploaded) = (matrix.dequantized(), upload(&matrix, false, 1 << 12));
    let x = normal(&mut random, input_rows * columns, 1.0);
    let bias = normal(&mut random, rows, 1.0);
    let mut quantized = Quantized::default();
    quantized.fill(&x, columns);
    let before = normal(&mut random, input_rows * 9, 1.0);
    for adds in [false, true] {
        let mut got = before.clone();
        let mut output = Output { values: &mut got, columns: 9, offset: 2, bias: Some(&bias), adds };
        multiply(
            &uploaded,
            Input { floats: &x, quantized: &quantized },
            input_rows,
            &mut output,
            &mut Scratch::default(),
        );
        let mut expected = widen(&before);
        for (row, x) in x.chunks(columns).enumerate() {
            for (at, product) in matvec(&weights, &widen(x)).into_iter().enumerate() {
                let value = &mut expected[row * 9 + 2 + at];
                *value = if adds { *value } else { 0.0 } + product + f64::from(bias[at]);
            }
        }
        assert_close(&format!("adds: {adds}"), &got, &expected, PRODUCT);
        assert_eq!(got[..2], before[..2]);
        assert_eq!(got[7..11], before[7..11]);
    }
}

#[test]
fn the_largest_quants_do_not_overflow() {
    for tensor_type in TensorType::ALL.into_iter().filter(|tensor_type| !tensor_type.is_float()) {
        let columns = 512;
        let mut matrix = QuantizedMatrix::random(&mut Random::new(4), tensor_type, [2, columns], Scales::Moderate);
        // Every quant and every inner scale is as far from zero as it can be.
        for block in matrix.bytes.chunks_exact_mut(tensor_type.block_bytes()) {
            match tensor_type {
                TensorType::Q6K => {
                    block[..192].fill(0);
                    block[192..208].fill(0x80);
                }
                TensorType::Q4K | TensorType::Q5K => block[4..].fill(0xff),
                TensorType::Q4_1 => block[4..].fill(0xff),
                TensorType::Q5_1 => block[4..].fill(0xff),
                TensorType::Q8_0 => block[2..].fill(0x80),
                _ => block[2..].fill(0),
            }
        }
        for input_rows in [1, 2] {
            let x = vec![-1.0; input_rows * columns];
            let mut quantized = Quantized::default();
            quantized.fill(&x, columns);
            let mut got = vec![0.0; input_rows * 2];
            let input = Input { floats: &x, quantized: &quantized };
            let uploaded = upload(&matrix, false, 1 << 12);
            multiply(&uploaded, input, input_rows, &mut Output::all(&mut got, 2), &mut Scratch::default());
            let expected = matvec(&matrix.dequantized(), &widen(&x[..columns])).repeat(input_rows);
            assert_close(&format!("{tensor_type:?}, {input_rows} rows"), &got, &expected, 1e-10);
        }
    }
}
