//! Where models are kept between visits.

#[cfg(target_arch = "wasm32")]
mod indexed_db;
mod memory;

#[cfg(target_arch = "wasm32")]
pub use indexed_db::{IndexedDb, ModelStore};
pub use memory::MemoryStore;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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

impl Manifest {
    /// Whether all records are there and the whole file was verified. One that says so and lacks a record is not.
    pub fn has_all(&self) -> bool {
        self.is_complete && self.record_hashes.iter().all(Option::is_some)
    }

    /// What is to be stored after the record `index` was, where `stored` is there now. Other tabs may have written, replaced
    /// or removed the file meanwhile: only what is in the store says which records it has.
    ///
    /// # Errors
    /// [`StoreFailure::Replaced`] when `stored` isn't what `write` says that it is.
    pub fn merged_into(&self, stored: Option<&Self>, index: usize, write: Write) -> Result<Self, StoreFailure> {
        let stored = match (write, stored) {
            (Write::Replace, _) | (Write::Create, None) => None,
            (Write::Add, None) => return Err(StoreFailure::Replaced),
            (_, Some(stored)) if self.is_of_other_version(stored) => return Err(StoreFailure::Replaced),
            (_, stored) => stored,
        };
        let mut merged = self.clone();
        merged.record_hashes =
            stored.map_or(vec![None; self.record_hashes.len()], |stored| stored.record_hashes.clone());
        merged.record_hashes[index].clone_from(&self.record_hashes[index]);
        merged.sha256 = merged.sha256.or_else(|| stored?.sha256.clone());
        merged.is_complete = stored.is_some_and(|stored| stored.is_complete);
        merged.is_complete = merged.has_all();
        Ok(merged)
    }

    fn is_of_other_version(&self, other: &Self) -> bool {
        let differ = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some() && one != other;
        self.total_bytes != other.total_bytes
            || self.record_bytes != other.record_bytes
            || self.record_hashes.len() != other.record_hashes.len()
            || differ(&self.sha256, &other.sha256)
            || (self.url == other.url && differ(&self.validator, &other.validator))
            || self.record_hashes.iter().zip(&other.record_hashes).any(|(one, other)| differ(one, other))
    }
}

/// What a record is written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Nothing of the file was stored.
    Create,
    /// Records of the same version are there.
    Add,
    /// Whatever is there is of another version, and goes.
    Replace,
}

/// Why a store didn't do what it was asked to. A model loads without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFailure {
    /// There is no room.
    Full,
    /// What was stored of the file was removed or replaced meanwhile.
    Replaced,
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

    /// Keeps a record together with the manifest that has its hash, [`Manifest::merged_into`] what is stored: both or
    /// neither.
    async fn write_record(
        &self,
        key: &str,
        index: u32,
        bytes: &[u8],
        manifest: &Manifest,
        write: Write,
    ) -> Result<(), StoreFailure>;

    /// Keeps a manifest that has the hashes of just those records that are stored; otherwise it fails with
    /// [`StoreFailure::Replaced`]. The file counts as used now.
    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<(), StoreFailure>;

    /// Removes a file, complete or not.
    async fn remove(&self, key: &str) -> Result<(), StoreFailure>;

    /// For how many bytes there is still room, if anybody knows.
    async fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
