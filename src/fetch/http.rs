//! A file on a server, or a blob of this page, through the browser's `fetch`.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, ReadableStreamDefaultReader, Request, RequestInit, Response, WorkerGlobalScope};

use super::Source;
use crate::error::{Error, ErrorKind, Result};

/// How much of a file is asked for at first: a Qwen's head fits, so a model that isn't supported costs no more.
const HEAD_BYTES: u64 = 8 << 20;

/// A [`Source`] that streams a URL: first a range that holds the head of the file, then the rest. A server without
/// support for ranges sends the whole file to the first request.
pub struct HttpSource {
    url: String,
    signal: AbortSignal,
    total_bytes: u64,
    /// What names this version of the file: the rest must be of the same.
    validator: Option<String>,
    reader: ReadableStreamDefaultReader,
    /// Bytes that came and weren't asked for yet.
    pending: Uint8Array,
    /// How far the file has been read from the network.
    position: u64,
}

impl HttpSource {
    /// Asks for the head of the file at `url`.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] when the server can't be reached, refuses, or doesn't say how long the file is;
    /// [`ErrorKind::Aborted`] when `signal` is.
    pub async fn open(url: &str, signal: AbortSignal) -> Result<Self> {
        let mut response = request(url, Some(format!("bytes=0-{}", HEAD_BYTES - 1)), None, &signal).await?;
        let mut total_bytes = match response.status() {
            206 => content_range(&response).map(|(_, total_bytes)| total_bytes),
            _ => None,
        };
        if response.status() == 206 && total_bytes.is_none() {
            // Another origin may hide Content-Range. A plain answer always shows its length.
            cancel(&body(url, &response)?);
            response = request(url, None, None, &signal).await?;
        }
        if response.status() == 200 && header(&response, "content-encoding").is_none() {
            total_bytes = header(&response, "content-length").and_then(|length| length.parse().ok());
        }
        if response.status() == 416 {
            return Err(Error::new(ErrorKind::BadFile, "the file is empty").at(url).got("0 bytes"));
        }
        if header(&response, "content-type").is_some_and(|content_type| content_type.starts_with("text/html")) {
            return Err(Error::new(ErrorKind::BadFile, "this is not a GGUF file")
                .at(url)
                .got("an HTML page")
                .expected("a GGUF file"));
        }
        let total_bytes = total_bytes.ok_or_else(|| {
            Error::new(ErrorKind::Network, "the server doesn't say how long the file is")
                .at(url)
                .expected("a Content-Length without Content-Encoding, or a Content-Range")
        })?;
        // A weak validator can't promise that the bytes are the same.
        let validator = header(&response, "etag")
            .filter(|etag| !etag.starts_with("W/"))
            .or_else(|| header(&response, "last-modified"));
        let reader = body(url, &response)?;
        Ok(Self {
            url: url.to_string(),
            signal,
            total_bytes,
            validator,
            reader,
            pending: Uint8Array::new_with_length(0),
            position: 0,
        })
    }

    /// The next bytes from the network; `None` at the end of the response.
    async fn next_chunk(&mut self) -> Result<Option<Uint8Array>> {
        let result = JsFuture::from(self.reader.read())
            .await
            .map_err(|error| failure(&self.url, &self.signal, "the download broke off", &error))?;
        let done = js_sys::Reflect::get(&result, &"done".into()).is_ok_and(|done| done.is_truthy());
        if done {
            return Ok(None);
        }
        let value = js_sys::Reflect::get(&result, &"value".into()).unwrap_or_default();
        let chunk = value.dyn_into::<Uint8Array>().map_err(|value| {
            Error::new(ErrorKind::Network, "the response is not made of bytes").at(&self.url).got(format!("{value:?}"))
        })?;
        Ok(Some(chunk))
    }

    /// Asks for the file from `position` on.
    async fn request_rest(&mut self) -> Result<()> {
        let range = format!("bytes={}-", self.position);
        let response = request(&self.url, Some(range), self.validator.as_deref(), &self.signal).await?;
        // Another origin may hide Content-Range; then the status has to do.
        let expected = (self.position, self.total_bytes);
        if response.status() != 206 || content_range(&response).is_some_and(|range| range != expected) {
            return Err(Error::new(ErrorKind::Network, "the file changed on the server while it was being fetched")
                .at(&self.url)
                .got(format!("status {}, {:?}", response.status(), header(&response, "content-range")))
                .expected(format!("status 206 for the bytes from {} of {}", self.position, self.total_bytes)));
        }
        self.reader = body(&self.url, &response)?;
        Ok(())
    }
}

impl Drop for HttpSource {
    fn drop(&mut self) {
        cancel(&self.reader);
    }
}

impl Source for HttpSource {
    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        // Whether the response that is being read has brought anything: one that doesn't would be asked for for ever.
        let mut brought_bytes = true;
        while buffer.len() < buffer.capacity() {
            if self.pending.length() == 0 {
                if self.position == self.total_bytes {
                    break;
                }
                match self.next_chunk().await? {
                    Some(chunk) => {
                        self.position += chunk.length() as u64;
                        if self.position > self.total_bytes {
                            return Err(Error::new(ErrorKind::Network, "the server sends more than it said")
                                .at(&self.url)
                                .got(format!("{} bytes", self.position))
                                .expected(format!("{} bytes", self.total_bytes)));
                        }
                        brought_bytes |= chunk.length() > 0;
                        self.pending = chunk;
                    }
                    None if brought_bytes => {
                        self.request_rest().await?;
                        brought_bytes = false;
                    }
                    None => {
                        return Err(Error::new(ErrorKind::Network, "the download broke off")
                            .at(&self.url)
                            .got(format!("{} bytes", self.position))
                            .expected(format!("{} bytes", self.total_bytes)));
                    }
                }
                continue;
            }
            let start = buffer.len();
            let length = (self.pending.length() as usize).min(buffer.capacity() - start);
            buffer.resize(start + length, 0);
            self.pending.subarray(0, length as u32).copy_to(&mut buffer[start..]);
            self.pending = self.pending.subarray(length as u32, self.pending.length());
        }
        Ok(())
    }
}

/// Sends a GET request, with a range and a validator that the range holds for; fails for a status that tells nothing of
/// the file. 416 does: there is nothing in that range.
async fn request(url: &str, range: Option<String>, validator: Option<&str>, signal: &AbortSignal) -> Result<Response> {
    let failed = |error: JsValue| failure(url, signal, "the file can't be fetched", &error);
    let headers = Headers::new().map_err(failed)?;
    if let Some(range) = &range {
        headers.set("range", range).map_err(failed)?;
    }
    if let Some(validator) = validator
        && same_origin(url)
    {
        // To another origin this header would need a permission that few servers give.
        headers.set("if-range", validator).map_err(failed)?;
    }
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_signal(Some(signal));
    let request = Request::new_with_str_and_init(url, &init).map_err(failed)?;
    let worker: WorkerGlobalScope = js_sys::global().dyn_into().map_err(|_| {
        Error::new(ErrorKind::Internal, "the engine runs outside a worker").expected("a dedicated worker")
    })?;
    let response = JsFuture::from(worker.fetch_with_request(&request)).await.map_err(failed)?;
    let response: Response = response.dyn_into().map_err(failed)?;
    match response.status() {
        200 | 206 | 416 => Ok(response),
        status => Err(Error::new(ErrorKind::Network, "the server refuses the file")
            .at(url)
            .got(format!("status {status} {}", response.status_text()).trim_end())
            .expected("status 200 or 206")),
    }
}

fn same_origin(url: &str) -> bool {
    let global = js_sys::global().dyn_into::<WorkerGlobalScope>();
    global.is_ok_and(|global| url.starts_with(&format!("{}/", global.location().origin())))
}

fn body(url: &str, response: &Response) -> Result<ReadableStreamDefaultReader> {
    let stream =
        response.body().ok_or_else(|| Error::new(ErrorKind::Network, "the server's answer is empty").at(url))?;
    Ok(stream.get_reader().unchecked_into())
}

/// Whatever still comes is not wanted.
fn cancel(reader: &ReadableStreamDefaultReader) {
    // A stream that broke off can't be cancelled, and the browser would report that as an unhandled rejection if nobody
    // looked at it.
    let cancelled = JsFuture::from(reader.cancel());
    wasm_bindgen_futures::spawn_local(async move {
        let _ = cancelled.await;
    });
}

/// The first byte and the length of the file from `Content-Range: bytes first-last/length`.
fn content_range(response: &Response) -> Option<(u64, u64)> {
    let range = header(response, "content-range")?;
    let (bytes, total_bytes) = range.strip_prefix("bytes ")?.split_once('/')?;
    Some((bytes.split('-').next()?.parse().ok()?, total_bytes.parse().ok()?))
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}

/// What the browser threw, as an error: an abort when the caller aborted, a network failure otherwise.
fn failure(url: &str, signal: &AbortSignal, what: &str, error: &JsValue) -> Error {
    if signal.aborted() {
        return Error::new(ErrorKind::Aborted, "the caller aborted").at(url);
    }
    let reason = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    Error::new(ErrorKind::Network, what).at(url).got(reason.unwrap_or_else(|| format!("{error:?}")))
}
