//! Where models are kept between visits.

#[cfg(target_arch = "wasm32")]
mod indexed_db;
mod memory;

#[cfg(target_arch = "wasm32")]
pub use indexed_db::IndexedDb;
pub use memory::MemoryStore;

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The bytes of one record. A file is kept in records of this size, the last one shorter; they are also the unit in
/// which it goes from its source to the device, so that no more of it is in memory at once.
pub const RECORD_BYTES: usize = 4 << 20;

/// What is kept of a file besides its bytes. It is written last: a file without one isn't complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// How long the file is.
    pub total_bytes: u64,
    /// The size of its records but the last.
    pub record_bytes: u32,
    /// The SHA-256 of the whole file, in hexadecimal.
    pub sha256: String,
}

/// A place that keeps files in records, under a key: the URL they came from.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Store {
    /// The manifest of a complete file, if the store has it.
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>>;

    /// Reads a record of a file into `buffer`, which it clears; returns whether the store has it.
    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<bool>;

    /// Keeps a record.
    ///
    /// # Errors
    /// `quota` when there is no room for it, or the browser refuses.
    async fn write_record(&self, key: &str, index: u32, bytes: &[u8]) -> Result<()>;

    /// Makes a file complete: from now on [`manifest`](Self::manifest) finds it.
    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<()>;

    /// Removes a file, complete or not.
    async fn remove(&self, key: &str) -> Result<()>;
}
