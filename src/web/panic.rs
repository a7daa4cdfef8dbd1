//! Telling JavaScript of a panic, because promises that wait for Rust never settle after one.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::JsValue;

thread_local! {
    static HANDLER: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Has `callback` called with the message of a panic.
pub(super) fn set_handler(callback: Function) {
    HANDLER.with_borrow_mut(|handler| *handler = Some(callback));
    std::panic::set_hook(Box::new(|info| {
        let message = info.to_string();
        // Cloned, so that the callback runs without the borrow.
        let handler = HANDLER.try_with(|handler| handler.try_borrow().ok().and_then(|handler| handler.clone()));
        if let Ok(Some(handler)) = handler {
            let _ = handler.call1(&JsValue::NULL, &message.into());
        }
    }));
}
