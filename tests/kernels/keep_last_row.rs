//! `shaders/keep_last_row.wgsl`.

use qwisp::backend::gpu::operations::KeepLastRow;
use qwisp::generate::Random;

use super::pass;
use super::support::gpu::Gpu;
use super::support::noise::normal;

#[test]
fn the_last_row_becomes_the_first_and_only_one() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for (rows, residual_columns, attention_columns) in [(2, 32, 64), (64, 896, 896), (9, 1024, 2048), (1, 1536, 1536)] {
        let case = format!("{rows} rows of {residual_columns} and {attention_columns}");
        let residual = normal(&mut random, rows * residual_columns, 1.0);
        let attention = normal(&mut random, rows * attention_columns, 1.0);
        let step = gpu.buffer(&[pass(rows, 70)]);
        let buffers = [gpu.buffer(&residual), gpu.buffer(&attention)];
        KeepLastRow { step: &step, residual: &buffers[0], attention: &buffers[1], residual_columns, attention_columns }
            .record(&mut gpu.recorder);
        assert_eq!(gpu.read_words(&step), [1, 0, 70 + rows as u32 - 1, 0], "{case}: the step");
        for (buffer, (values, columns)) in
            buffers.iter().zip([(&residual, residual_columns), (&attention, attention_columns)])
        {
            let got = gpu.read(buffer);
            let (first, others) = got.split_at(columns);
            assert_eq!(first, &values[(rows - 1) * columns..], "{case}");
            assert_eq!(others, &values[columns..], "{case}: the other rows");
        }
    }
}
