//! `shaders/weigh.wgsl`.

use qwisp::backend::gpu::operations::Weigh;
use qwisp::generate::Random;

use super::support::closeness::widen;
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::{WeighedRow, pass, residual_with_outliers};

#[test]
fn the_last_row_of_a_pass_is_weighed() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for (rows, columns) in [(1, 64), (2, 896), (64, 1536), (9, 3584)] {
        let (row, norm) = (residual_with_outliers(&mut random, columns), normal(&mut random, columns, 1.0));
        // No other row has anything to do with it.
        let mut residual = vec![f32::NAN; rows * columns];
        residual[(rows - 1) * columns..].copy_from_slice(&row);
        let weighed = WeighedRow::empty(&mut gpu, columns);
        Weigh {
            step: &gpu.step(pass(rows, 0)),
            residual: &gpu.buffer(&residual),
            norm: &gpu.buffer(&norm),
            weighed: weighed.buffers(),
            columns,
        }
        .record(&mut gpu.recorder);
        weighed.check(&mut gpu, &format!("{rows} rows of {columns}"), &widen(&row), &norm);
    }
}
