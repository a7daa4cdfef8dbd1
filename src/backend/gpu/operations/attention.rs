//! Attention over the KV cache: `shaders/attention.wgsl`.

use super::rope_append::scale_bindings;
use crate::backend::Dimensions;
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;

/// output = softmax(queries · keysᵀ) values, each token over the positions up to its own.
pub struct Attention<'a> {
    /// The pass: where its first token stands.
    pub step: &'a wgpu::Buffer,
    /// f32 `[tokens, (heads + 2 kv_heads) * head_dim]`, queries rotated and scaled.
    pub qkv: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim]`, as the format of the KV cache keeps them.
    pub keys: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim]`, as the format of the KV cache keeps them.
    pub values: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim / 64]` of keys and values, two bf16 each, where that format has scales.
    pub scales: Option<[&'a wgpu::Buffer; 2]>,
    /// f32 `[tokens, heads * head_dim]`, written.
    pub output: &'a wgpu::Buffer,
    /// How many tokens.
    pub tokens: usize,
    /// Position of the first token.
    pub position: usize,
    /// The shape.
    pub dimensions: &'a Dimensions,
}

impl Attention<'_> {
    /// Appends one dispatch.
    pub fn record(&self, recorder: &mut Recorder) {
        let pairs = (self.position + self.tokens) as u64 * self.tokens as u64;
        let mut buffers = vec![(0, self.step), (1, self.qkv), (2, self.keys), (3, self.values), (4, self.output)];
        buffers.extend(scale_bindings(self.scales));
        recorder.dispatch(
            &Self::variant(self.dimensions),
            &buffers,
            [self.tokens.div_ceil(Self::workgroup_tokens(self.dimensions)), self.dimensions.kv_heads, 1],
            2 * pairs * (self.dimensions.heads * self.dimensions.head_dim) as u64,
        );
    }

    /// The most query heads that can share a KV head: in fours, eight of which share the threads of a softmax.
    pub const MAX_GROUP: usize = 32;

    /// The tokens of a workgroup: as many as give 16 rows with all their heads. More would share more loads, but leave
    /// fewer workgroups to keep a GPU busy, and were no faster on software adapters.
    fn workgroup_tokens(dimensions: &Dimensions) -> usize {
        const ROWS: usize = 16;
        (ROWS * dimensions.kv_heads / dimensions.heads).max(1)
    }

    /// The kernel for a model's shape.
    pub fn variant(dimensions: &Dimensions) -> Variant {
        let constants = vec![
            ("HEADS", dimensions.heads.into()),
            ("KV_HEADS", dimensions.kv_heads.into()),
            ("HEAD_DIM", dimensions.head_dim.into()),
            ("TOKENS", Self::workgroup_tokens(dimensions).into()),
        ];
        Variant { kv_cache: dimensions.kv_cache, ..Variant::new("attention", constants) }
    }
}
