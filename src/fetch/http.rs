//! A file on a server, or a blob of this page, through the worker's HTTP client.

use std::ops::Range;
use std::time::Duration;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::answer::Head;
use super::{Answer, Body, Failure, Retry, Source, WHOLE, hexadecimal};
use crate::error::{Error, ErrorKind};

#[wasm_bindgen]
extern "C" {
    /// `HttpClient` of `www/engine/http_client.js`. Its promises reject with what the browser threw.
    pub type HttpClient;

    #[wasm_bindgen(method, getter, js_name = isAborted)]
    fn is_aborted(this: &HttpClient) -> bool;
    /// Asks; what has been asked for goes on until it is cancelled.
    #[wasm_bindgen(method)]
    fn open(this: &HttpClient, url: &str, range: Option<String>, validator: Option<&str>) -> HttpAnswer;
    /// Resolves to whether the pause was cut short.
    #[wasm_bindgen(method)]
    fn pause(this: &HttpClient, duration_ms: f64) -> Promise;
    /// Resolves to a text, or to null.
    #[wasm_bindgen(method)]
    fn sha256(this: &HttpClient, bytes: &[u8]) -> Promise;
    /// Resolves to a text, or to null.
    #[wasm_bindgen(method, js_name = publishedSha256)]
    fn published_sha256(this: &HttpClient, url: &str) -> Promise;

    type HttpAnswer;

    /// Resolves when status and headers have come.
    #[wasm_bindgen(method)]
    fn head(this: &HttpAnswer) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn status(this: &HttpAnswer) -> u16;
    #[wasm_bindgen(method, getter, js_name = statusText)]
    fn status_text(this: &HttpAnswer) -> String;
    #[wasm_bindgen(method, getter, js_name = retryAfterMs)]
    fn retry_after_ms(this: &HttpAnswer) -> Option<f64>;
    #[wasm_bindgen(method)]
    fn header(this: &HttpAnswer, name: &str) -> Option<String>;
    /// Resolves to a `Uint8Array`, or to null at the end.
    #[wasm_bindgen(method)]
    fn read(this: &HttpAnswer) -> Promise;
    #[wasm_bindgen(method)]
    fn cancel(this: &HttpAnswer);
}

/// A [`Source`] that asks for URLs.
pub struct HttpSource {
    client: HttpClient,
    urls: Vec<String>,
}

impl HttpSource {
    /// The file at these URLs.
    pub fn new(client: HttpClient, urls: Vec<String>) -> Self {
        Self { client, urls }
    }

    /// What the browser threw: an abort when the caller aborted, a network failure otherwise.
    fn failure(&self, url: &str, what: &str, error: &JsValue) -> Failure {
        failure(self.client.is_aborted(), url, what, error)
    }
}

impl Source for HttpSource {
    type Body = HttpBody;

    fn addresses(&self) -> &[String] {
        &self.urls
    }

    async fn open(&self, url: &str, range: Range<u64>, validator: Option<&str>) -> Result<Answer<HttpBody>, Failure> {
        let header = (range != WHOLE).then(|| format!("bytes={}-{}", range.start, range.end - 1));
        let failed = |error: JsValue| self.failure(url, "the file can't be fetched", &error);
        // Made before anything has come, so that a request for which nobody waits any more is cancelled even then.
        let body = HttpBody {
            client: self.client.clone().unchecked_into(),
            url: url.to_string(),
            answer: self.client.open(url, header, validator),
            pending: Uint8Array::new_with_length(0),
        };
        JsFuture::from(body.answer.head()).await.map_err(failed)?;
        let (status, status_text) = (body.answer.status(), body.answer.status_text());
        let retry_after = body.answer.retry_after_ms().map(|ms| Duration::from_secs_f64((ms / 1000.0).clamp(0.0, 1e6)));
        let Answer { first, total_bytes, validator, sha256, .. } = {
            let header = |name: &str| body.answer.header(name);
            Head { url, status, status_text: &status_text, header: &header, retry_after }.read(&range, ())?
        };
        Ok(Answer { first, total_bytes, validator, sha256, body })
    }

    async fn pause(&self, duration: Duration) -> bool {
        let pause = JsFuture::from(self.client.pause(duration.as_secs_f64() * 1000.0)).await;
        pause.is_ok_and(|was_cut_short| was_cut_short.is_truthy())
    }

    fn random(&self) -> f64 {
        js_sys::Math::random()
    }

    async fn sha256(&self, bytes: &[u8]) -> String {
        use sha2::{Digest as _, Sha256};

        let native = JsFuture::from(self.client.sha256(bytes)).await.ok().and_then(|hash| hash.as_string());
        native.unwrap_or_else(|| hexadecimal(&Sha256::digest(bytes)))
    }

    async fn published_sha256(&self, url: &str) -> Option<String> {
        JsFuture::from(self.client.published_sha256(url)).await.ok()?.as_string()
    }
}

/// The body of a response.
pub struct HttpBody {
    client: HttpClient,
    url: String,
    answer: HttpAnswer,
    /// Bytes that came and weren't asked for yet.
    pending: Uint8Array,
}

impl Body for HttpBody {
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        while self.pending.length() == 0 {
            let chunk = JsFuture::from(self.answer.read())
                .await
                .map_err(|error| failure(self.client.is_aborted(), &self.url, "the download broke off", &error))?;
            if chunk.is_null() {
                return Ok(());
            }
            self.pending = chunk.unchecked_into();
        }
        let start = buffer.len();
        let length = (self.pending.length() as usize).min(limit);
        buffer.resize(start + length, 0);
        self.pending.subarray(0, length as u32).copy_to(&mut buffer[start..]);
        self.pending = self.pending.subarray(length as u32, self.pending.length());
        Ok(())
    }
}

impl Drop for HttpBody {
    fn drop(&mut self) {
        self.answer.cancel();
    }
}

fn failure(is_aborted: bool, url: &str, what: &str, error: &JsValue) -> Failure {
    if is_aborted {
        let error = Error::new(ErrorKind::Aborted, "the caller aborted").at(url);
        return Failure { error, retry: Retry::Never };
    }
    let reason = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    let reason = reason.unwrap_or_else(|| format!("{error:?}"));
    Failure { error: Error::new(ErrorKind::Network, what).at(url).got(reason), retry: Retry::Later }
}
