//! The records of a file, from the store or from a source.

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::fetch::Source;
use crate::store::{Manifest, RECORD_BYTES, Store};

/// The records of a file, in order.
pub(super) trait Records {
    /// How long the file is.
    fn total_bytes(&self) -> u64;

    /// Whether they come from the store.
    fn are_stored(&self) -> bool;

    /// Puts the next record into `buffer`.
    async fn next(&mut self, buffer: &mut Vec<u8>) -> Result<()>;

    /// Stores the next record: called for each in order, as soon as the head of the file was found to be good.
    async fn keep(&mut self, record: &[u8]);

    /// All records were read and kept: checks the whole. Returns whether the file is in the store now.
    async fn finish(&mut self) -> Result<bool>;

    /// Loading failed: leaves nothing behind that isn't whole.
    async fn discard(&mut self);
}

/// Records from the store.
pub(super) struct StoredRecords<'a, T: Store> {
    store: &'a T,
    key: &'a str,
    manifest: Manifest,
    next: u32,
}

impl<'a, T: Store> StoredRecords<'a, T> {
    /// The records of a file, if it is complete in the store and has the hash that is wanted. A store that fails counts
    /// as one that has nothing.
    pub(super) async fn find(store: &'a T, key: &'a str, sha256: Option<&str>) -> Option<Self> {
        let manifest = store.manifest(key).await.ok().flatten()?;
        let wanted = sha256.is_none_or(|sha256| sha256.eq_ignore_ascii_case(&manifest.sha256));
        (wanted && manifest.record_bytes as usize == RECORD_BYTES).then_some(Self { store, key, manifest, next: 0 })
    }
}

impl<T: Store> Records for StoredRecords<'_, T> {
    fn total_bytes(&self) -> u64 {
        self.manifest.total_bytes
    }

    fn are_stored(&self) -> bool {
        true
    }

    async fn next(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        let found = self.store.read_record(self.key, self.next, buffer).await?;
        let start = u64::from(self.next) * RECORD_BYTES as u64;
        let expected = (self.manifest.total_bytes - start).min(RECORD_BYTES as u64);
        if !found || buffer.len() as u64 != expected {
            return Err(Error::new(ErrorKind::Quota, "the store lost a part of the file")
                .at(format!("record {} of {}", self.next, self.key))
                .got(if found { format!("{} bytes", buffer.len()) } else { "nothing".to_string() })
                .expected(format!("{expected} bytes")));
        }
        self.next += 1;
        Ok(())
    }

    async fn keep(&mut self, _: &[u8]) {}

    async fn finish(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Keeps the file: what failed may have been the device, or the caller's patience.
    async fn discard(&mut self) {}
}

/// Records from a source, which go through the hash and into the store on their way.
pub(super) struct FetchedRecords<'a, S: Source, T: Store> {
    source: S,
    /// `None` once it has failed, for the model can do without, and once the file in it is whole.
    store: Option<&'a T>,
    key: &'a str,
    expected_sha256: Option<&'a str>,
    hasher: Sha256,
    kept: u32,
}

impl<'a, S: Source, T: Store> FetchedRecords<'a, S, T> {
    /// The records of `source`, to be stored under `key`.
    pub(super) fn new(source: S, store: Option<&'a T>, key: &'a str, expected_sha256: Option<&'a str>) -> Self {
        Self { source, store, key, expected_sha256, hasher: Sha256::new(), kept: 0 }
    }
}

impl<S: Source, T: Store> Records for FetchedRecords<'_, S, T> {
    fn total_bytes(&self) -> u64 {
        self.source.total_bytes()
    }

    fn are_stored(&self) -> bool {
        false
    }

    async fn next(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.clear();
        self.source.read(buffer).await?;
        if buffer.is_empty() {
            return Err(Error::new(ErrorKind::BadFile, "the file ends early").at(self.key));
        }
        self.hasher.update(&buffer[..]);
        Ok(())
    }

    async fn keep(&mut self, record: &[u8]) {
        let Some(store) = self.store else { return };
        // Another version of the file may be stored under this key. Its manifest must not vouch for these records.
        let cleared = self.kept > 0 || store.remove(self.key).await.is_ok();
        if !cleared || store.write_record(self.key, self.kept, record).await.is_err() {
            self.discard().await;
        }
        self.kept += 1;
    }

    async fn finish(&mut self) -> Result<bool> {
        let sha256 = hexadecimal(&std::mem::take(&mut self.hasher).finalize());
        if let Some(expected) = self.expected_sha256
            && !expected.eq_ignore_ascii_case(&sha256)
        {
            return Err(Error::new(ErrorKind::Integrity, "the file is not the one that was promised")
                .at(format!("SHA-256 of {}", self.key))
                .got(sha256)
                .expected(expected));
        }
        let Some(store) = self.store else { return Ok(false) };
        let manifest = Manifest { total_bytes: self.source.total_bytes(), record_bytes: RECORD_BYTES as u32, sha256 };
        if store.write_manifest(self.key, &manifest).await.is_err() {
            self.discard().await;
            return Ok(false);
        }
        self.store = None;
        Ok(true)
    }

    async fn discard(&mut self) {
        if let Some(store) = self.store.take()
            && self.kept > 0
        {
            // A failure leaves behind what has no manifest, and is cleared by the next download.
            let _ = store.remove(self.key).await;
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
