//! What a forward pass is made of.

mod attention;
mod layer_cache;
mod level_keys;
mod multiply;
mod multiply_floats;
mod rms_norm;
mod rotate;
mod silu_mul;

pub use attention::Attention;
pub use layer_cache::LayerCache;
pub use level_keys::level_keys;
pub use multiply::{Input, Output, Scratch, multiply};
pub use rms_norm::rms_norm;
pub use rotate::{Rotations, rotate};
pub use silu_mul::silu_mul;
