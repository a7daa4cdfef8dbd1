//! Short questions to a tiny model.

use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{ChatOptions, Engine};
use qwisp::text::{Message, Role};

use super::loading::load_engine;
use super::tiny_model::TinyModel;

/// An engine of the usual tiny model.
pub(crate) fn engine() -> Engine<GpuBackend> {
    load_engine(&TinyModel::default().bytes(), None)
}

/// A conversation of one message.
pub(crate) fn question(text: &str) -> Vec<Message> {
    vec![Message::new(Role::User, text)]
}

/// Options of an answer of so many tokens.
pub(crate) fn at_most(max_tokens: usize) -> ChatOptions {
    ChatOptions { max_tokens: Some(max_tokens), ..ChatOptions::default() }
}
