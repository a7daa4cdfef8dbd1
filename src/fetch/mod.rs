//! Where a model's bytes come from: a server, or a file.

mod answer;
#[cfg(not(target_arch = "wasm32"))]
mod file;
#[cfg(target_arch = "wasm32")]
mod http;

#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSource;
#[cfg(target_arch = "wasm32")]
pub use http::{HttpClient, HttpSource};

use std::ops::Range;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use web_time::Instant;

use crate::error::Error;

/// A file that is somewhere else, of which any bytes can be asked for, again and again.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Source {
    /// Bytes on their way.
    type Body: Body;

    /// Where the file is: addresses of the same file, in the order in which to try them.
    fn addresses(&self) -> &[String];

    /// Asks `address` for the bytes of `range`, or for the whole file if that is [`WHOLE`]. The answer may begin at the
    /// file's first byte regardless. `validator` is what named the version of the file that is wanted.
    ///
    /// # Errors
    /// A failure says whether it makes sense to ask again.
    async fn open(
        &self,
        address: &str,
        range: Range<u64>,
        validator: Option<&str>,
    ) -> Result<Answer<Self::Body>, Failure>;

    /// Waits. Returns whether it was cut short because something changed: the network is back, or the caller aborted.
    async fn pause(&self, duration: Duration) -> bool;

    /// The time, by which speeds are measured.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// A random number from 0 to 1, so that many clients that failed together don't come back together.
    fn random(&self) -> f64 {
        0.5
    }

    /// The SHA-256 of some bytes, in hexadecimal.
    async fn sha256(&self, bytes: &[u8]) -> String {
        hexadecimal(&Sha256::digest(bytes))
    }

    /// The SHA-256, in hexadecimal, that whoever keeps the file states of it in another place than the file's headers.
    async fn published_sha256(&self, _address: &str) -> Option<String> {
        None
    }
}

/// The range that asks for all of a file.
pub const WHOLE: Range<u64> = 0..u64::MAX;

/// What a server answers before the bytes.
#[derive(Debug)]
pub struct Answer<B> {
    /// The place in the file of the first byte that comes: 0 from a server that doesn't do ranges.
    pub first: u64,
    /// How long the whole file is, if the answer tells.
    pub total_bytes: Option<u64>,
    /// What names this version of the file.
    pub validator: Option<String>,
    /// The SHA-256 of the whole file in hexadecimal, if the answer states it.
    pub sha256: Option<String>,
    /// The bytes.
    pub body: B,
}

/// Bytes on their way.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Body {
    /// Appends bytes that have come to `buffer`, at least one and at most `limit`; none at the end.
    ///
    /// # Errors
    /// A failure says whether it makes sense to ask for the rest.
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure>;
}

/// Bytes that didn't come.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// Whether to ask again.
    pub retry: Retry,
}

/// Whether to ask again for what failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The answer would be the same.
    Never,
    /// After a while.
    Later,
    /// After as long as the server said.
    After(Duration),
}

/// Bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is a SHA-256 in hexadecimal.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
