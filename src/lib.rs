//! Qwisp runs a small Qwen language model on the user's own device: in a browser on WebGPU or the processor, natively on Vulkan,
//! Metal or DirectX 12. It reads GGUF files, keeps them in IndexedDB, and does nothing else: no training, no other
//! model families, no server.
//!
//! From the outside in: [`load`] joins a [`fetch`] source, a [`store`] and the [`gguf`] format into an
//! [`engine::Engine`], which turns messages into tokens ([`text`]), drives the [`model`] on a [`backend`], and
//! chooses the next token ([`generate`], by the settings of [`sampling`]). Before that, [`probe`] finds out whether a device
//! computes rightly, and how fast. `web` shows the same engine to JavaScript.

pub mod backend;
pub mod engine;
pub mod error;
pub mod fetch;
pub mod generate;
pub mod gguf;
pub mod load;
pub mod model;
pub mod probe;
pub mod sampling;
pub mod store;
pub mod text;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use error::{Error, ErrorKind, Result};
