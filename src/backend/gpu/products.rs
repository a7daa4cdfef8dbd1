//! What the operations of a layer are made of: norms, products, and adding to the residual stream.

use super::GpuBackend;
use super::activations::Activations;
use super::operations::{MatMul, Quantize, ResidualMatvec, RmsNorm, Weigh};
use super::shaders::Epilogue;
use super::tensor::Tensor;

/// One of several products with the same input.
pub(super) struct Product<'a> {
    pub(super) weights: &'a Tensor,
    pub(super) output: fn(&Activations) -> &wgpu::Buffer,
    pub(super) output_columns: usize,
    pub(super) output_offset: usize,
    pub(super) epilogue: Epilogue,
    pub(super) bias: Option<&'a wgpu::Buffer>,
}

impl<'a> Product<'a> {
    /// A product that is all of its output.
    pub(super) fn new(weights: &'a Tensor, output: fn(&Activations) -> &wgpu::Buffer) -> Self {
        let output_columns = weights.rows;
        Self { weights, output, output_columns, output_offset: 0, epilogue: Epilogue::Store, bias: None }
    }
}

impl GpuBackend {
    /// Whether the products with these matrices have a kernel that does more than one of them at once: for a single token,
    /// as long as none of them is so large that it is in shards.
    pub(super) fn is_fused<const N: usize>(&self, matrices: [&Tensor; N]) -> bool {
        self.step.rows == 1 && matrices.iter().all(|matrix| matrix.shards.len() == 1)
    }

    /// normalized = rms_norm(residual), for the rows of the pass.
    pub(super) fn normalize(&mut self, norm: &Tensor) {
        RmsNorm {
            step: &self.activations.step,
            input: &self.activations.residual,
            weight: norm.buffer(),
            output: &self.activations.normalized,
            rows: self.step.rows as usize,
            columns: self.dimensions.hidden,
            epsilon: self.dimensions.rms_epsilon,
        }
        .record(&mut self.recorder);
    }

    /// The products of an activation, one of the buffers of [`Activations`], with some matrices of the same width, for the
    /// rows of the pass. Where quants are multiplied, it is quantised once for all of them.
    pub(super) fn multiply<const N: usize>(
        &mut self,
        input: fn(&Activations) -> &wgpu::Buffer,
        products: [Product<'_>; N],
    ) {
        let Self { recorder, activations, step, .. } = self;
        let input = input(activations);
        let tokens = step.rows as usize;
        let columns = products[0].weights.columns;
        let reads_quantized = |product: &Product<'_>| MatMul::reads_quantized(product.weights.tensor_type, tokens);
        let quantized_input = activations.quantized.as_ref().filter(|_| products.iter().any(reads_quantized));
        if let Some(output) = quantized_input {
            Quantize { step: &activations.step, input, output, tokens, columns }.record(recorder);
        }
        for Product { weights, output, output_columns, output_offset, epilogue, bias } in products {
            MatMul {
                step: &activations.step,
                weights,
                input,
                quantized_input,
                output: output(activations),
                output_columns,
                output_offset,
                tokens,
                epilogue,
                bias,
            }
            .record(recorder);
        }
    }

    /// Makes what the products of a single token want of the pass's last row under a norm.
    pub(super) fn weigh(&mut self, norm: &Tensor) {
        Weigh {
            step: &self.activations.step,
            residual: &self.activations.residual,
            norm: norm.buffer(),
            weighed: self.activations.weighed(),
            columns: self.dimensions.hidden,
        }
        .record(&mut self.recorder);
    }

    /// residual += weight · input, for the rows of the pass.
    pub(super) fn add_to_residual(
        &mut self,
        weights: &Tensor,
        input: fn(&Activations) -> &wgpu::Buffer,
        next_norm: &Tensor,
    ) {
        if self.is_fused([weights]) {
            ResidualMatvec {
                weights,
                input: input(&self.activations),
                residual: &self.activations.residual,
                norm: next_norm.buffer(),
                weighed: self.activations.weighed(),
            }
            .record(&mut self.recorder);
            return;
        }
        let output: fn(&Activations) -> &wgpu::Buffer = |activations| &activations.residual;
        let epilogue = Epilogue::AddToResidual;
        self.multiply(input, [Product { epilogue, ..Product::new(weights, output) }]);
        if self.step.rows == 1 {
            self.weigh(next_norm);
        }
    }
}
