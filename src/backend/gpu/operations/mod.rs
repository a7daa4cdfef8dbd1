//! The kernels, one file each: what a kernel takes, which variant it needs, and how it is launched.
//!
//! Each operation is a struct of its inputs and outputs with a `record` that appends it to a
//! [`Recorder`](super::recorder::Recorder). Shapes stand beside the fields.

mod attention;
mod attention_decode;
mod attention_reduce;
mod copy;
mod embed;
mod gate_up;
mod head;
mod keep_last_row;
mod lanes;
mod matmul;
mod penalize_logits;
mod quantize;
mod query_key_value;
mod register_tile;
mod repack;
mod residual_matvec;
mod rms_norm;
mod rope_append;
mod sample;
mod silu_mul;
mod subgroup_order;
mod weigh;

pub use attention::Attention;
pub use attention_decode::AttentionDecode;
pub use attention_reduce::AttentionReduce;
pub use copy::Copy;
pub use embed::Embed;
pub use gate_up::GateUp;
pub use head::Head;
pub use keep_last_row::KeepLastRow;
pub use matmul::{Arithmetic, MatMul};
pub use penalize_logits::PenalizeLogits;
pub use quantize::{Quantize, QuantizedRows};
pub use query_key_value::QueryKeyValue;
pub use repack::{Piece, Repack};
pub use residual_matvec::ResidualMatvec;
pub use rms_norm::RmsNorm;
pub use rope_append::{RopeAppend, rotations};
pub use sample::{LOGIT_BLOCK, MAX_TOP_K, OCCURRED, Sample, Sampled, SamplingSettings, occurrences};
pub use silu_mul::SiluMul;
pub use subgroup_order::SubgroupOrder;
pub use weigh::{Weigh, Weighed};
