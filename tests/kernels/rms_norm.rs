//! `shaders/rms_norm.wgsl`.

use qwisp::backend::gpu::Step;
use qwisp::backend::gpu::operations::RmsNorm;
use qwisp::generate::Random;

use super::F32;
use super::reference::rms_norm::rms_norm;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;

struct Case {
    name: &'static str,
    columns: usize,
    rows: usize,
    first_row: usize,
    deviation: f32,
    epsilon: f32,
}

#[test]
fn rms_norm_is_as_in_its_paper() {
    let cases = [
        Case { name: "one row of four", columns: 4, rows: 1, first_row: 0, deviation: 1.0, epsilon: 1e-6 },
        Case { name: "one block", columns: 32, rows: 1, first_row: 0, deviation: 1.0, epsilon: 1e-6 },
        Case { name: "fewer columns than threads", columns: 100, rows: 3, first_row: 0, deviation: 1.0, epsilon: 1e-5 },
        Case { name: "0.5B", columns: 896, rows: 64, first_row: 0, deviation: 1.0, epsilon: 1e-6 },
        Case { name: "0.5B, the last of a pass", columns: 896, rows: 1, first_row: 63, deviation: 1.0, epsilon: 1e-6 },
        Case { name: "some in the middle", columns: 896, rows: 8, first_row: 33, deviation: 1.0, epsilon: 1e-6 },
        Case { name: "1.5B", columns: 1536, rows: 2, first_row: 0, deviation: 1.0, epsilon: 1e-6 },
        Case { name: "values in the thousands", columns: 896, rows: 3, first_row: 0, deviation: 1e4, epsilon: 1e-6 },
        Case { name: "epsilon matters", columns: 896, rows: 3, first_row: 0, deviation: 1e-3, epsilon: 1e-6 },
        Case { name: "epsilon is all", columns: 896, rows: 3, first_row: 0, deviation: 1e-12, epsilon: 1e-6 },
    ];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for Case { name, columns, rows, first_row, deviation, epsilon } in cases {
        let input = normal(&mut random, (first_row + rows) * columns, deviation);
        let weight = normal(&mut random, columns, 1.0);
        let output = gpu.buffer(&vec![f32::NAN; rows * columns]);
        RmsNorm {
            step: &gpu.step(Step { rows: rows as u32, first_row: first_row as u32, position: 7, padding: 0 }),
            input: &gpu.buffer(&input),
            weight: &gpu.buffer(&weight),
            output: &output,
            rows,
            columns,
            epsilon,
        }
        .record(&mut gpu.recorder);
        let got = gpu.read(&output);

        let wanted_rows = input[first_row * columns..].chunks(columns);
        let expected: Vec<f64> =
            wanted_rows.flat_map(|row| rms_norm(&widen(row), &widen(&weight), f64::from(epsilon))).collect();
        assert_close(name, &got, &expected, F32);
    }
}

/// Numbers whose squares are out of range may not pass for zeros.
#[test]
fn what_is_out_of_range_gives_no_numbers() {
    let (mut gpu, columns) = (Gpu::open(), 896);
    let mut input = vec![1.0_f32; 2 * columns];
    input[columns + 5] = 1e30;
    let output = gpu.buffer(&vec![0.0_f32; 2 * columns]);
    RmsNorm {
        step: &gpu.step(Step { rows: 2, first_row: 0, position: 0, padding: 0 }),
        input: &gpu.buffer(&input),
        weight: &gpu.buffer(&vec![1.0_f32; columns]),
        output: &output,
        rows: 2,
        columns,
        epsilon: 1e-6,
    }
    .record(&mut gpu.recorder);
    let got = gpu.read(&output);
    assert!(got[..columns].iter().all(|x| x.is_finite()));
    assert!(!got[columns..].iter().any(|x| x.is_finite()));
}
