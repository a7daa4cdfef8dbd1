//! Models in the browser's IndexedDB. What is where in it only `www/engine/model_store.js` knows; this is its Rust side.

use std::cell::RefCell;
use std::collections::VecDeque;

use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::{Manifest, Store, StoreFailure, Write, sha256_of};

/// How many records are read ahead of the one that is asked for: while one is handed to the device, the browser fetches and
/// hashes those after it.
const READ_AHEAD: u32 = 6;

#[wasm_bindgen]
extern "C" {
    /// `ModelStore` of `www/engine/model_store.js`, which says what its methods do.
    pub type ModelStore;

    #[wasm_bindgen(method)]
    fn manifest(this: &ModelStore, address: &str) -> Promise;
    #[wasm_bindgen(method, js_name = hashedRecord)]
    fn hashed_record(this: &ModelStore, address: &str, index: u32) -> Promise;
    #[wasm_bindgen(method)]
    fn release(this: &ModelStore, bytes: &Uint8Array);
    #[wasm_bindgen(method, js_name = writeRecord)]
    fn write_record(
        this: &ModelStore,
        address: &str,
        index: u32,
        bytes: &[u8],
        fields: JsValue,
        write: &str,
    ) -> Promise;
    #[wasm_bindgen(method, js_name = writeManifest)]
    fn write_manifest(this: &ModelStore, address: &str, fields: JsValue) -> Promise;
    #[wasm_bindgen(method)]
    fn remove(this: &ModelStore, address: &str) -> Promise;
    #[wasm_bindgen(method, js_name = freeBytes)]
    fn free_bytes(this: &ModelStore) -> Promise;

    type HashedRecord;

    #[wasm_bindgen(method, getter)]
    fn bytes(this: &HashedRecord) -> Uint8Array;
    #[wasm_bindgen(method, getter)]
    fn sha256(this: &HashedRecord) -> Option<String>;
}

/// A [`Store`] in the IndexedDB of this page's origin.
pub struct IndexedDb {
    store: ModelStore,
    /// Records on their way, with the file and the number that they are of.
    ahead: RefCell<VecDeque<(String, u32, Promise)>>,
}

impl IndexedDb {
    /// The Rust side of an open store.
    pub fn new(store: ModelStore) -> Self {
        Self { store, ahead: RefCell::default() }
    }

    /// The record, which is on its way; so are those after it from now on.
    fn start_reading(&self, key: &str, index: u32) -> Promise {
        let mut ahead = self.ahead.borrow_mut();
        // Nobody will ask for what was passed over.
        while ahead.front().is_some_and(|(file, number, _)| file != key || *number != index) {
            if let Some((_, _, unwanted)) = ahead.pop_front() {
                ignore(unwanted);
            }
        }
        let last = ahead.back().map_or(index, |(_, number, _)| number + 1);
        for number in last..=index + READ_AHEAD {
            ahead.push_back((key.to_string(), number, self.store.hashed_record(key, number)));
        }
        match ahead.pop_front() {
            Some((_, _, record)) => record,
            None => self.store.hashed_record(key, index),
        }
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        for (_, _, unwanted) in self.ahead.take() {
            ignore(unwanted);
        }
    }
}

impl Store for IndexedDb {
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>, StoreFailure> {
        let value = settled(self.store.manifest(key)).await?;
        // What another version of Qwisp wrote and this one doesn't understand counts as absent.
        Ok(serde_wasm_bindgen::from_value(value).ok())
    }

    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<Option<String>, StoreFailure> {
        let value = settled(self.start_reading(key, index)).await?;
        if value.is_null() {
            buffer.clear();
            return Ok(None);
        }
        let record: HashedRecord = value.unchecked_into();
        let bytes = record.bytes();
        // What is in it is written over: only a buffer that has to grow needs zeros.
        buffer.resize(bytes.length() as usize, 0);
        bytes.copy_to(buffer);
        self.store.release(&bytes);
        Ok(Some(record.sha256().unwrap_or_else(|| sha256_of(buffer))))
    }

    async fn write_record(
        &self,
        key: &str,
        index: u32,
        bytes: &[u8],
        manifest: &Manifest,
        write: Write,
    ) -> Result<(), StoreFailure> {
        let write = match write {
            Write::Create => "create",
            Write::Add => "add",
            Write::Replace => "replace",
        };
        settled(self.store.write_record(key, index, bytes, fields(manifest)?, write)).await.map(drop)
    }

    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<(), StoreFailure> {
        settled(self.store.write_manifest(key, fields(manifest)?)).await.map(drop)
    }

    async fn remove(&self, key: &str) -> Result<(), StoreFailure> {
        settled(self.store.remove(key)).await.map(drop)
    }

    async fn free_bytes(&self) -> Option<u64> {
        settled(self.store.free_bytes()).await.ok()?.as_f64().map(|bytes| bytes as u64)
    }
}

async fn settled(promise: Promise) -> Result<JsValue, StoreFailure> {
    JsFuture::from(promise).await.map_err(|error| {
        let field = |name: &str| Reflect::get(&error, &name.into()).ok().and_then(|value| value.as_string());
        match field("name") {
            Some(name) if name == "QuotaExceededError" => StoreFailure::Full,
            Some(name) if name == "ReplacedError" => StoreFailure::Replaced,
            name => {
                StoreFailure::Refused(format!("{}: {}", name.unwrap_or_default(), field("message").unwrap_or_default()))
            }
        }
    })
}

/// Lets a promise be, whose rejection the browser would otherwise report as one that nobody handles.
fn ignore(promise: Promise) {
    wasm_bindgen_futures::spawn_local(async move {
        let _ = JsFuture::from(promise).await;
    });
}

fn fields(manifest: &Manifest) -> Result<JsValue, StoreFailure> {
    use serde::Serialize as _;

    // What is missing is null: undefined would leave the old value in place.
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    manifest.serialize(&serializer).map_err(|error| StoreFailure::Refused(error.to_string()))
}
