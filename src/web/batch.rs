//! A batch of conversations, as JavaScript sees it.

use js_sys::{Array, Function};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use super::WasmEngine;
use super::any_engine::with_engine;
use super::convert::{from_js, to_js, to_js_error};
use crate::engine::{BatchItem, Reply};
use crate::error::{Error, Result};
use crate::text::{Message, Piece};

/// How a conversation of a batch ended: `{ result }` or `{ error: { kind, message } }`.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Reply),
    Error(ErrorInfo),
}

#[derive(Serialize)]
struct ErrorInfo {
    kind: &'static str,
    message: String,
}

impl From<Result<Reply>> for Outcome {
    fn from(reply: Result<Reply>) -> Self {
        let info = |error: Error| ErrorInfo { kind: error.kind().as_str(), message: error.to_string() };
        reply.map_or_else(|error| Self::Error(info(error)), Self::Result)
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Answers several conversations at once, each by the `options` in its place; `on_text` gets the answers piece by piece,
    /// with the index of each.
    pub async fn batch(
        &mut self,
        conversations: JsValue,
        options: Array,
        on_text: Function,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        self.batch_inner(conversations, options, on_text, signal).await.map_err(to_js_error)
    }
}

impl WasmEngine {
    async fn batch_inner(
        &mut self,
        conversations: JsValue,
        options: Array,
        on_text: Function,
        signal: AbortSignal,
    ) -> Result<JsValue> {
        let conversations: Vec<Vec<Message>> = from_js("conversations", conversations)?;
        let item = |(messages, options): (Vec<Message>, JsValue)| {
            let chat_options = from_js("options", options.clone())?;
            let sampling = self.sampling_from(&options, &chat_options)?;
            Ok(BatchItem { messages, options: chat_options, sampling })
        };
        let items: Vec<BatchItem> = conversations.into_iter().zip(options.iter()).map(item).collect::<Result<_>>()?;
        let on_piece = |index: usize, Piece { text, .. }: &Piece| {
            if !text.is_empty() {
                // What a listener throws is its own affair.
                let _ = on_text.call2(&JsValue::NULL, &index.into(), &text.into());
            }
        };
        let aborted = || signal.aborted();
        let replies = with_engine!(&mut self.engine, engine => engine.batch(&items, on_piece, aborted).await)?;
        to_js(&replies.into_iter().map(Outcome::from).collect::<Vec<_>>())
    }
}
