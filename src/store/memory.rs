//! A store that lasts as long as the program.

use std::cell::RefCell;
use std::collections::HashMap;

use super::{Manifest, Store};
use crate::error::Result;

/// A [`Store`] in memory, for tests and for programs that load a model more than once.
#[derive(Debug, Default)]
pub struct MemoryStore {
    manifests: RefCell<HashMap<String, Manifest>>,
    records: RefCell<HashMap<(String, u32), Vec<u8>>>,
}

impl Store for MemoryStore {
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>> {
        Ok(self.manifests.borrow().get(key).cloned())
    }

    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<bool> {
        buffer.clear();
        let records = self.records.borrow();
        let record = records.get(&(key.to_string(), index));
        buffer.extend_from_slice(record.map_or(&[], Vec::as_slice));
        Ok(record.is_some())
    }

    async fn write_record(&self, key: &str, index: u32, bytes: &[u8]) -> Result<()> {
        self.records.borrow_mut().insert((key.to_string(), index), bytes.to_vec());
        Ok(())
    }

    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<()> {
        self.manifests.borrow_mut().insert(key.to_string(), manifest.clone());
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        self.manifests.borrow_mut().remove(key);
        self.records.borrow_mut().retain(|(file, _), _| file != key);
        Ok(())
    }
}
