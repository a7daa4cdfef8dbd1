//! Letting a browser do what else it has to between two passes: an abort is a message, which waits for its turn.

/// Comes back when the event loop has had a turn. A message to oneself isn't held back as a timer's end is.
#[cfg(target_arch = "wasm32")]
pub(super) async fn turn() {
    use wasm_bindgen::JsCast as _;
    use wasm_bindgen::JsValue;
    use wasm_bindgen::closure::Closure;

    let Ok(channel) = web_sys::MessageChannel::new() else { return };
    let (sender, received) = futures_channel::oneshot::channel::<()>();
    let on_message = Closure::once_into_js(move || {
        let _ = sender.send(()); // the receiver is gone only when nobody waits any longer
    });
    channel.port1().set_onmessage(Some(on_message.unchecked_ref()));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        let _ = received.await;
    }
    channel.port1().close();
}

/// There is no event loop natively.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn turn() {}
