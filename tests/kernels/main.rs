//! Each kernel, on the GPU, against what its paper says, computed in f64.
//!
//! Kernels compute in f32, whose rounding is 6e-8 of a value. [`F32`] is the squared error that sums of thousands of
//! such values stay far below, and that a single wrong weight of a matrix exceeds.

mod attention;
mod attention_decode;
mod attention_reduce;
mod copy;
mod embed;
mod faults;
mod gate_up;
mod head;
mod keep_last_row;
mod matmul;
mod penalize_logits;
mod quantize;
mod query_key_value;
mod residual_matvec;
mod rms_norm;
mod rope_append;
mod sample;
mod silu_mul;
mod weigh;

#[path = "../reference/mod.rs"]
mod reference;
#[path = "../support/mod.rs"]
mod support;

use qwisp::backend::KvCacheFormat;
use qwisp::backend::gpu::Step;
use qwisp::backend::gpu::operations::Weighed;
use qwisp::generate::Random;

use self::support::closeness::assert_close;
use self::support::gpu::Gpu;
use self::support::noise::normal;

/// The squared error of a kernel in f32, as part of the whole: (1e-5)².
const F32: f64 = 1e-10;

/// The squared error of products with tiles in f16 and sums in f32: (1e-3)², a unit in the last place of f16.
const F16: f64 = 1e-6;
/// The squared error of products of bytes, as part of the whole. Rounding x to a 127th of the largest of 16 normally
/// distributed numbers makes one of 2e-5.
const PACKED: f64 = 1e-4;

/// The squared error of what is appended to a KV cache, as part of the whole, against the reference rounded in the same way.
/// Where a number lies between two that the format has, an error in its last bit can round it the other way: in f16 2⁻¹⁰ of
/// it, in Q8 a 127th of the largest of its group, which is about 1e-5 of 64 numbers for one of them.
fn kept_tolerance(format: KvCacheFormat) -> f64 {
    match format {
        KvCacheFormat::F16 => 1e-6,
        KvCacheFormat::Q8 => 1e-5,
    }
}

/// A pass over `rows` tokens from `position` on.
fn pass(rows: usize, position: usize) -> Step {
    Step { rows: rows as u32, first_row: 0, position: position as u32, padding: 0 }
}

/// A row of the residual stream, of which a few values are thousands of times as large as the others, as in a Qwen.
fn residual_with_outliers(random: &mut Random, columns: usize) -> Vec<f32> {
    let mut residual = normal(random, columns, 1.0);
    residual[3] = 1e4;
    residual[columns - 1] = -3e3;
    residual
}

/// Buffers of a [`Weighed`] row.
struct WeighedRow {
    row: wgpu::Buffer,
    squares: wgpu::Buffer,
}

impl WeighedRow {
    /// As a kernel finds it.
    fn of(gpu: &mut Gpu, residual: &[f32], norm: &[f32]) -> Self {
        let row: Vec<f32> = residual.iter().zip(norm).map(|(x, weight)| x * weight).collect();
        let squares: Vec<f32> = residual.chunks(8).map(|octet| octet.iter().map(|x| x * x).sum()).collect();
        Self { row: gpu.buffer(&row), squares: gpu.buffer(&squares) }
    }

    /// For a kernel to write, for a row of `columns`.
    fn empty(gpu: &mut Gpu, columns: usize) -> Self {
        Self { row: gpu.buffer(&vec![f32::NAN; columns]), squares: gpu.buffer(&vec![f32::NAN; columns / 8]) }
    }

    fn buffers(&self) -> Weighed<'_> {
        Weighed { row: &self.row, squares: &self.squares }
    }

    /// Compares what a kernel wrote with what it should be of a residual.
    fn check(&self, gpu: &mut Gpu, case: &str, residual: &[f64], norm: &[f32]) {
        let row: Vec<f64> = residual.iter().zip(norm).map(|(x, &weight)| x * f64::from(weight)).collect();
        let squares: Vec<f64> = residual.chunks(8).map(|octet| octet.iter().map(|x| x * x).sum()).collect();
        assert_close(&format!("{case}, weighed"), &gpu.read(&self.row), &row, F32);
        assert_close(&format!("{case}, squares"), &gpu.read(&self.squares), &squares, F32);
    }
}
