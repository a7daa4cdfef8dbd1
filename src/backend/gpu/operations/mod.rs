//! The kernels, one file each: what a kernel takes, which variant it needs, and how it is launched.
//!
//! Each operation is a struct of its inputs and outputs with a `record` that appends it to a
//! [`Recorder`](super::recorder::Recorder). Shapes stand beside the fields.

mod attention;
mod copy;
mod embed;
mod matmul;
mod repack;
mod rms_norm;
mod rope_append;
mod silu_mul;

pub use attention::Attention;
pub use copy::Copy;
pub use embed::Embed;
pub use matmul::MatMul;
pub use repack::{Piece, Repack};
pub use rms_norm::RmsNorm;
pub use rope_append::{RopeAppend, rotations};
pub use silu_mul::SiluMul;
