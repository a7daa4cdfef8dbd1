//! Values and errors across the border to JavaScript.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use crate::error::{Error, ErrorKind, Result};

/// A JavaScript value as a Rust one; `what` names the argument in the error.
pub(super) fn from_js<T: DeserializeOwned>(what: &str, value: JsValue) -> Result<T> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| Error::new(ErrorKind::InvalidArgument, "an argument is wrong").at(what).got(error))
}

/// A Rust value as plain JavaScript objects, arrays and numbers.
pub(super) fn to_js<T: Serialize>(value: &T) -> Result<JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| Error::new(ErrorKind::Internal, "a result can't be handed to JavaScript").got(error))
}

/// A JavaScript `Error` with the message and, as `kind`, the kind.
pub(super) fn to_js_error(error: Error) -> JsValue {
    let js_error = js_sys::Error::new(&error.to_string());
    // Setting a property of a fresh, extensible object can't fail.
    let _ = js_sys::Reflect::set(&js_error, &"kind".into(), &error.kind().as_str().into());
    js_error.into()
}
