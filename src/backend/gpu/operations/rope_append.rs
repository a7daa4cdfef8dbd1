//! Rotary position embedding, and appending to the KV cache: `shaders/rope_append.wgsl`.

use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::{Dimensions, HeadNorms, KvCacheFormat};

/// Normalises queries and keys where the model does, rotates them, scales queries in place, and appends keys and values to
/// the cache.
pub struct RopeAppend<'a> {
    /// The pass: where its first token stands.
    pub step: &'a wgpu::Buffer,
    /// f32 `[tokens, (heads + 2 kv_heads) * head_dim]`; the queries are rewritten.
    pub qkv: &'a wgpu::Buffer,
    /// f32 `[context, head_dim / 2, 2]`, from [`rotations`].
    pub rotations: &'a wgpu::Buffer,
    /// f32 `[head_dim]` each, where the model normalises queries and keys.
    pub norms: Option<HeadNorms<&'a wgpu::Buffer>>,
    /// `[positions, kv_heads, head_dim]`, as the format of the KV cache keeps them, written at the tokens' positions.
    pub keys: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim]`, as the format of the KV cache keeps them, written at the tokens' positions.
    pub values: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim / 64]` of keys and values, two bf16 each, where that format has scales, written at the tokens' positions.
    pub scales: Option<[&'a wgpu::Buffer; 2]>,
    /// f32 `[kv_heads, head_dim]`: the bias of the keys' projection, or zeros. Read where there are scales.
    pub key_bias: &'a wgpu::Buffer,
    /// How many tokens.
    pub tokens: usize,
    /// The shape.
    pub dimensions: &'a Dimensions,
}

impl RopeAppend<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        let Dimensions { heads, kv_heads, head_dim, .. } = *self.dimensions;
        let mut buffers = vec![(0, self.step), (1, self.qkv), (2, self.rotations), (3, self.keys), (4, self.values)];
        buffers.extend(norm_bindings(self.norms));
        buffers.extend(scale_bindings(self.scales));
        buffers.extend(self.scales.map(|_| (12, self.key_bias)));
        let heads_per_workgroup = 64 / (head_dim / 8);
        recorder.dispatch(
            &Self::variant(self.dimensions, self.norms.is_some()),
            &buffers,
            [(heads + 2 * kv_heads).div_ceil(heads_per_workgroup), self.tokens, 1],
            0,
        );
    }

    /// The kernel for a model's shape, and whether it normalises queries and keys.
    pub fn variant(dimensions: &Dimensions, normalizes_heads: bool) -> Variant {
        let query_scale = 1.0 / (dimensions.head_dim as f32).sqrt();
        let mut constants = vec![
            ("HEADS", dimensions.heads.into()),
            ("KV_HEADS", dimensions.kv_heads.into()),
            ("HEAD_DIM", dimensions.head_dim.into()),
            ("QUERY_SCALE", query_scale.into()),
        ];
        if normalizes_heads {
            constants.push(("EPSILON", dimensions.rms_epsilon.into()));
        }
        if dimensions.kv_cache == KvCacheFormat::Q8 {
            constants.push(("FIRST_STEADY_PAIR", dimensions.first_steady_pair().into()));
        }
        Variant { normalizes_heads, kv_cache: dimensions.kv_cache, ..Variant::new("rope_append", constants) }
    }
}

/// The bindings of `shaders/shared/normalized_heads.wgsl`, where there are norms.
pub(super) fn norm_bindings(norms: Option<HeadNorms<&wgpu::Buffer>>) -> impl Iterator<Item = (u32, &wgpu::Buffer)> {
    norms.into_iter().flat_map(|HeadNorms { query, key }| [(8, query), (9, key)])
}

/// The bindings of `shaders/shared/read_kv_q8.wgsl` and `append_kv_q8.wgsl`, where there are scales.
pub(super) fn scale_bindings(scales: Option<[&wgpu::Buffer; 2]>) -> impl Iterator<Item = (u32, &wgpu::Buffer)> {
    scales.into_iter().flat_map(|[keys, values]| [(10, keys), (11, values)])
}

/// The cosine and sine of every position and pair of dimensions, `[context, head_dim / 2, 2]`: the angle is
/// `position * base^(-2 i / head_dim)` (Su et al., "RoFormer", 2021). Computed here in f64, because a GPU's own sine is
/// only accurate near zero.
pub fn rotations(dimensions: &Dimensions) -> Vec<f32> {
    let pairs = dimensions.head_dim / 2;
    let frequencies: Vec<f64> =
        (0..pairs).map(|pair| dimensions.rope_base.powf(-(pair as f64) / pairs as f64)).collect();
    (0..dimensions.context)
        .flat_map(|position| frequencies.iter().map(move |frequency| position as f64 * frequency))
        .flat_map(|angle| [angle.cos() as f32, angle.sin() as f32])
        .collect()
}
