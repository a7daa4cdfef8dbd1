//! Where models are kept between visits.

#[cfg(target_arch = "wasm32")]
mod indexed_db;
mod memory;

#[cfg(target_arch = "wasm32")]
pub use indexed_db::{IndexedDb, ModelStore};
pub use memory::MemoryStore;

use serde::{Deserialize, Serialize};

/// The bytes of one record. A file is kept in records of this size, the last one shorter; they are also the unit in
/// which it goes from its source to the device, so that no more of it is in memory at once.
pub const RECORD_BYTES: usize = 4 << 20;

/// What is kept of a file besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// How long the file is.
    pub total_bytes: u64,
    /// The size of its records but the last.
    pub record_bytes: u32,
    /// The address that the bytes came from, of several with the same file.
    pub url: String,
    /// What named this version of the file there.
    pub validator: Option<String>,
    /// The SHA-256 of the whole file in hexadecimal: computed when it is complete, promised before, or unknown.
    pub sha256: Option<String>,
    /// The SHA-256 of each record in hexadecimal; none of one that isn't there.
    pub record_hashes: Vec<Option<String>>,
    /// Whether all records are there and the whole file was verified.
    pub is_complete: bool,
}

/// Why a store didn't do what it was asked to. A model loads without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFailure {
    /// There is no room.
    Full,
    /// Anything else, in the store's words.
    Refused(String),
}

/// A place that keeps files in records, under a key: the address that names them.
#[allow(async_fn_in_trait, reason = "used through generics on one thread only, so no Send bound is wanted")]
pub trait Store {
    /// The manifest of a file of which anything is stored, complete or not.
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>, StoreFailure>;

    /// Reads a record of a file into `buffer`, which it clears. Returns the SHA-256, in hexadecimal, of what it read; none if
    /// it doesn't have the record.
    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<Option<String>, StoreFailure>;

    /// Keeps a record together with the manifest that has its hash: both or neither.
    async fn write_record(&self, key: &str, index: u32, bytes: &[u8], manifest: &Manifest) -> Result<(), StoreFailure>;

    /// Keeps a manifest. The file counts as used now.
    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<(), StoreFailure>;

    /// Removes a file, complete or not.
    async fn remove(&self, key: &str) -> Result<(), StoreFailure>;

    /// For how many bytes there is still room, if anybody knows.
    async fn free_bytes(&self) -> Option<u64> {
        None
    }
}
