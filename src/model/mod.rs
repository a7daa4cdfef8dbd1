//! The Qwen models: what their files hold, and the forward pass.

mod batch;
mod config;
mod kv_cache;
mod qwen;
mod weights;

pub use batch::NextToken;
pub use config::Config;
pub use kv_cache::KvCache;
pub use qwen::{Model, Wanted};
pub use weights::{Weights, WeightsLoader};
