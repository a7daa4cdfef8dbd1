//! Qwen2 as in "Qwen2 Technical Report" (2024), section 2.2, and Qwen3 as in "Qwen3 Technical Report" (2025), section 2, over
//! the weights of a file as candle decodes them.

use std::collections::HashMap;

use candle_core::Device;
use qwisp::backend::KvCacheFormat;

use super::attention::attention;
use super::kv_cache::{kept, kept_key, key_reach};
use super::matmul::matvec;
use super::rms_norm::rms_norm;
use super::rope_append::rotate;
use super::silu_mul::silu_mul;
use crate::support::closeness::widen;
use crate::support::tiny_model::{RMS_EPSILON, ROPE_BASE, TinyModel};

/// A model whose every step is plain.
pub(crate) struct Qwen {
    model: TinyModel,
    weights: HashMap<String, Vec<f32>>,
    kv_cache: KvCacheFormat,
}

impl Qwen {
    /// The reference for a tiny model.
    pub(crate) fn new(model: &TinyModel) -> Self {
        Self::with_kv_cache(model, KvCacheFormat::F16)
    }

    /// The same, with a KV cache of this format.
    pub(crate) fn with_kv_cache(model: &TinyModel, kv_cache: KvCacheFormat) -> Self {
        let weights = model.file().tensors.into_iter().map(|(name, tensor)| {
            let weights = tensor.dequantize(&Device::Cpu).and_then(|tensor| tensor.flatten_all()?.to_vec1());
            (name, weights.expect("candle decodes every supported type"))
        });
        Self { model: model.clone(), weights: weights.collect(), kv_cache }
    }

    /// The logits after each of `tokens`.
    pub(crate) fn logits(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let hidden = self.model.hidden;
        let embedding = self.weight("token_embd.weight");
        let mut residual: Vec<Vec<f64>> =
            tokens.iter().map(|&token| widen(&embedding[token as usize * hidden..][..hidden])).collect();
        for layer in 0..self.model.layers {
            self.add_attention(layer, &mut residual);
            for x in &mut residual {
                self.add_feed_forward(layer, x);
            }
        }
        let head = self.weights.get("output.weight").map_or(embedding, Vec::as_slice);
        residual.iter().map(|x| matvec(head, &self.norm("output_norm.weight", x))).collect()
    }

    /// Adds to each token what it attends to.
    fn add_attention(&self, layer: usize, residual: &mut [Vec<f64>]) {
        let TinyModel { heads, kv_heads, head_dim, .. } = self.model;
        let name = |part: &str| format!("blk.{layer}.{part}");
        // [head][position]
        let mut keys = vec![Vec::new(); kv_heads];
        let mut values = vec![Vec::new(); kv_heads];
        for (position, x) in residual.iter_mut().enumerate() {
            let normalized = self.norm(&name("attn_norm.weight"), x);
            let project = |part: &str| self.project(&name(part), &normalized);
            // Qwen3 normalises each head before it turns.
            let rotated = |head: &[f64], norm: &str| match self.model.is_qwen3() {
                true => rotate(&self.norm(&name(norm), head), position, ROPE_BASE.into()),
                false => rotate(head, position, ROPE_BASE.into()),
            };
            let key_bias = |head: usize| match self.weights.get(&name("attn_k.bias")) {
                Some(bias) => widen(&bias[head * head_dim..][..head_dim]),
                None => vec![0.0; head_dim],
            };
            for (head, key) in project("attn_k").chunks(head_dim).enumerate() {
                let bias = key_bias(head);
                let key = rotated(key, "attn_k_norm.weight");
                keys[head].push(kept_key(self.kv_cache, &key, &bias, ROPE_BASE.into(), self.model.context));
            }
            for (head, value) in project("attn_v").chunks(head_dim).enumerate() {
                values[head].push(kept(self.kv_cache, value));
            }
            let mut attended = Vec::with_capacity(heads * head_dim);
            for (head, query) in project("attn_q").chunks(head_dim).enumerate() {
                let kv_head = head / (heads / kv_heads);
                let keys: Vec<_> = keys[kv_head].iter().map(Vec::as_slice).collect();
                let values: Vec<_> = values[kv_head].iter().map(Vec::as_slice).collect();
                let reach = key_reach(self.kv_cache, &key_bias(kv_head), ROPE_BASE.into(), self.model.context);
                let query = rotated(query, "attn_q_norm.weight");
                let query: Vec<_> = query.iter().zip(reach).map(|(x, reach)| x * reach).collect();
                attended.extend(attention(&query, &keys, &values));
            }
            add(x, &matvec(self.weight(&name("attn_output.weight")), &attended));
        }
    }

    fn add_feed_forward(&self, layer: usize, x: &mut [f64]) {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let normalized = self.norm(&name("ffn_norm.weight"), x);
        let gate = matvec(self.weight(&name("ffn_gate.weight")), &normalized);
        let up = matvec(self.weight(&name("ffn_up.weight")), &normalized);
        let gated: Vec<f64> = gate.iter().zip(&up).map(|(&gate, &up)| silu_mul(gate, up)).collect();
        add(x, &matvec(self.weight(&name("ffn_down.weight")), &gated));
    }

    fn project(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mut product = matvec(self.weight(&format!("{name}.weight")), x);
        if let Some(bias) = self.weights.get(&format!("{name}.bias")) {
            add(&mut product, &widen(bias));
        }
        product
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        rms_norm(x, &widen(self.weight(name)), RMS_EPSILON.into())
    }

    fn weight(&self, name: &str) -> &[f32] {
        &self.weights[name]
    }
}

fn add(x: &mut [f64], more: &[f64]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}
