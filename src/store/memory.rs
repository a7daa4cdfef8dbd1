//! A store that lasts as long as the program.

use std::cell::RefCell;
use std::collections::HashMap;

use super::{Manifest, Store, StoreFailure, Write, sha256_of};

/// A [`Store`] in memory, for tests and for programs that load a model more than once.
#[derive(Debug, Default)]
pub struct MemoryStore {
    manifests: RefCell<HashMap<String, Manifest>>,
    records: RefCell<HashMap<(String, u32), Vec<u8>>>,
}

impl MemoryStore {
    /// Replaces the bytes of a record, or takes them away, and leaves the manifest: as a bad disk would.
    pub fn damage_record(&self, key: &str, index: u32, bytes: Option<Vec<u8>>) {
        let mut records = self.records.borrow_mut();
        match bytes {
            Some(bytes) => records.insert((key.to_string(), index), bytes),
            None => records.remove(&(key.to_string(), index)),
        };
    }

    /// The numbers of the records of a file that it has, in order.
    pub fn record_indexes(&self, key: &str) -> Vec<u32> {
        let mut indexes: Vec<u32> =
            self.records.borrow().keys().filter(|(file, _)| file == key).map(|&(_, index)| index).collect();
        indexes.sort_unstable();
        indexes
    }
}

impl Store for MemoryStore {
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>, StoreFailure> {
        Ok(self.manifests.borrow().get(key).cloned())
    }

    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<Option<String>, StoreFailure> {
        buffer.clear();
        let records = self.records.borrow();
        let Some(record) = records.get(&(key.to_string(), index)) else { return Ok(None) };
        buffer.extend_from_slice(record);
        Ok(Some(sha256_of(record)))
    }

    async fn write_record(
        &self,
        key: &str,
        index: u32,
        bytes: &[u8],
        manifest: &Manifest,
        write: Write,
    ) -> Result<(), StoreFailure> {
        let merged = manifest.merged_into(self.manifests.borrow().get(key), index as usize, write)?;
        if write == Write::Replace {
            self.remove(key).await?;
        }
        self.records.borrow_mut().insert((key.to_string(), index), bytes.to_vec());
        self.manifests.borrow_mut().insert(key.to_string(), merged);
        Ok(())
    }

    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<(), StoreFailure> {
        match self.manifests.borrow_mut().get_mut(key) {
            Some(stored) if stored.record_hashes == manifest.record_hashes => stored.clone_from(manifest),
            _ => return Err(StoreFailure::Replaced),
        }
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), StoreFailure> {
        self.manifests.borrow_mut().remove(key);
        self.records.borrow_mut().retain(|(file, _), _| file != key);
        Ok(())
    }
}
