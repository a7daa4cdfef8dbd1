//! The SHA-256 of bytes that come in pieces, which browsers don't offer: for files that are imported.

use sha2::{Digest as _, Sha256};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fetch::hexadecimal;

/// A SHA-256 on its way.
#[wasm_bindgen]
#[derive(Default)]
pub struct WasmSha256(Sha256);

#[wasm_bindgen]
impl WasmSha256 {
    /// Of no bytes yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes so far, in hexadecimal; begins anew.
    pub fn finish(&mut self) -> String {
        hexadecimal(&self.0.finalize_reset())
    }
}
