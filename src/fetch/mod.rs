//! Where a model's bytes come from: a server, or a file.

#[cfg(not(target_arch = "wasm32"))]
mod file;
#[cfg(target_arch = "wasm32")]
mod http;

#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSource;
#[cfg(target_arch = "wasm32")]
pub use http::HttpSource;

use crate::error::Result;

/// The bytes of one file, read in order from the first on.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Source {
    /// How long the file is.
    fn total_bytes(&self) -> u64;

    /// Fills `buffer` with the next bytes, as many as it has capacity for; fewer only at the end of the file.
    ///
    /// # Errors
    /// `network` when the bytes stop coming, `aborted` when the caller no longer wants them.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<()>;
}
