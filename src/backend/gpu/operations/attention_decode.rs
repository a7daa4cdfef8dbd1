//! Everything that one token needs of attention: `shaders/attention_decode.wgsl`.

use super::attention_reduce::AttentionReduce;
use super::rope_append::{norm_bindings, scale_bindings};
use crate::backend::gpu::recorder::Recorder;
use crate::backend::gpu::shaders::Variant;
use crate::backend::{Dimensions, HeadNorms, KvCacheFormat};

/// Positions that one workgroup takes. More of them share the work on the queries and make fewer partial results; fewer
/// keep more of a GPU busy.
pub(super) const SPLIT_POSITIONS: usize = 256;

/// Workgroup memory that core WebGPU guarantees, in bytes.
const WORKGROUP_BYTES: usize = 16_384;

/// For one token: normalises its queries and key where the model does, rotates them, appends its key and value to the cache, and computes
/// output = softmax(queries · keysᵀ) values over the positions up to its own.
pub struct AttentionDecode<'a> {
    /// The pass: where its token stands.
    pub step: &'a wgpu::Buffer,
    /// f32 `[heads + 2 kv_heads, head_dim]`, neither rotated nor scaled.
    pub qkv: &'a wgpu::Buffer,
    /// f32 `[context, head_dim / 2, 2]`, from [`rotations`](super::rotations).
    pub rotations: &'a wgpu::Buffer,
    /// f32 `[head_dim]` each, where the model normalises queries and keys.
    pub norms: Option<HeadNorms<&'a wgpu::Buffer>>,
    /// `[positions, kv_heads, head_dim]`, as the format of the KV cache keeps them, written at the token's position.
    pub keys: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim]`, as the format of the KV cache keeps them, written at the token's position.
    pub values: &'a wgpu::Buffer,
    /// `[positions, kv_heads, head_dim / 64]` of keys and values, two bf16 each, where that format has scales, written at the token's position.
    pub scales: Option<[&'a wgpu::Buffer; 2]>,
    /// f32 `[kv_heads, head_dim]`: the bias of the keys' projection, or zeros. Read where there are scales.
    pub key_bias: &'a wgpu::Buffer,
    /// f32 `[heads, head_dim]`, written.
    pub output: &'a wgpu::Buffer,
    /// f32 of [`partial_floats`](Self::partial_floats) numbers, overwritten where there are several splits.
    pub partials: &'a wgpu::Buffer,
    /// From [`splits`](Self::splits), for the token's position + 1.
    pub splits: usize,
    /// The shape.
    pub dimensions: &'a Dimensions,
}

impl AttentionDecode<'_> {
    /// Workgroups that share the work of a KV head over so many positions, the token's own among them.
    pub fn splits(positions: usize) -> usize {
        positions.div_ceil(SPLIT_POSITIONS)
    }

    /// The numbers of the partial results of so many splits, `[splits, heads, head_dim + 2]`.
    pub fn partial_floats(dimensions: &Dimensions, splits: usize) -> usize {
        splits * dimensions.heads * (dimensions.head_dim + 2)
    }

    /// Appends one dispatch, and one that merges the splits where there are several.
    pub fn record(&self, recorder: &mut Recorder) {
        let Dimensions { heads, kv_heads, head_dim, .. } = *self.dimensions;
        let mut buffers = vec![
            (0, self.step),
            (1, self.qkv),
            (2, self.rotations),
            (3, self.keys),
            (4, self.values),
            (5, self.output),
            (6, self.partials),
        ];
        buffers.extend(norm_bindings(self.norms));
        buffers.extend(scale_bindings(self.scales));
        buffers.extend(self.scales.map(|_| (12, self.key_bias)));
        recorder.dispatch(
            &Self::variant(self.dimensions, self.norms.is_some()),
            &buffers,
            [kv_heads, self.splits, 1],
            (2 * self.splits * SPLIT_POSITIONS * heads * head_dim) as u64,
        );
        if self.splits > 1 {
            AttentionReduce {
                step: self.step,
                partials: self.partials,
                output: self.output,
                dimensions: self.dimensions,
            }
            .record(recorder);
        }
    }

    /// The most query heads that can share a KV head: in fours, their queries, scores, maxima and corrections have to
    /// fit into the workgroup memory that core WebGPU guarantees. 0 for heads of more dimensions than a split has
    /// positions, because their sums take the place of the scores.
    pub fn max_group(head_dim: usize) -> usize {
        const LANES: usize = 16;
        const ROW_QUAD: usize = 4 * size_of::<f32>();
        if head_dim > SPLIT_POSITIONS {
            return 0;
        }
        4 * (WORKGROUP_BYTES / (ROW_QUAD * (head_dim + SPLIT_POSITIONS + LANES + 1)))
    }

    /// The kernel for a model's shape, and whether it normalises queries and keys.
    pub fn variant(dimensions: &Dimensions, normalizes_heads: bool) -> Variant {
        let query_scale = 1.0 / (dimensions.head_dim as f32).sqrt();
        let mut constants = vec![
            ("HEADS", dimensions.heads.into()),
            ("KV_HEADS", dimensions.kv_heads.into()),
            ("HEAD_DIM", dimensions.head_dim.into()),
            ("QUERY_SCALE", query_scale.into()),
            ("SPLIT_POSITIONS", SPLIT_POSITIONS.into()),
        ];
        if normalizes_heads {
            constants.push(("EPSILON", dimensions.rms_epsilon.into()));
        }
        if dimensions.kv_cache == KvCacheFormat::Q8 {
            constants.push(("FIRST_STEADY_PAIR", dimensions.first_steady_pair().into()));
        }
        Variant { normalizes_heads, kv_cache: dimensions.kv_cache, ..Variant::new("attention_decode", constants) }
    }
}
