//! Models in the browser's IndexedDB.

use idb::{
    Database, DatabaseEvent as _, Factory, KeyRange, ObjectStore, ObjectStoreParams, Query, Transaction,
    TransactionMode, TransactionResult,
};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::{Manifest, Store};
use crate::error::{Error, ErrorKind, Result};

const DATABASE: &str = "qwisp";
const VERSION: u32 = 1;
/// Object store of [`Manifest`]s by file.
const MANIFESTS: &str = "manifests";
/// Object store of bytes by file and number.
const RECORDS: &str = "records";

/// A [`Store`] in the IndexedDB of this page's origin.
#[derive(Debug)]
pub struct IndexedDb {
    database: Database,
}

impl IndexedDb {
    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Quota`] when the browser has none or refuses, as some do in private windows.
    pub async fn open() -> Result<Self> {
        let factory = Factory::new().map_err(failure)?;
        let mut request = factory.open(DATABASE, Some(VERSION)).map_err(failure)?;
        request.on_upgrade_needed(|event| {
            // A failure here aborts the upgrade, and the request then fails with it.
            if let Ok(database) = event.database() {
                for name in [MANIFESTS, RECORDS] {
                    let _ = database.create_object_store(name, ObjectStoreParams::new());
                }
            }
        });
        let mut database = request.await.map_err(failure)?;
        // Another tab may want to delete or upgrade the database: it must not wait for this one.
        database.on_version_change(|event| {
            if let Ok(database) = event.database() {
                database.close();
            }
        });
        Ok(Self { database })
    }

    fn begin(&self, name: &str, mode: TransactionMode) -> Result<(Transaction, ObjectStore)> {
        let transaction = self.database.transaction(&[name], mode).map_err(failure)?;
        let store = transaction.object_store(name).map_err(failure)?;
        Ok((transaction, store))
    }

    async fn get(&self, name: &str, key: JsValue) -> Result<Option<JsValue>> {
        let (transaction, store) = self.begin(name, TransactionMode::ReadOnly)?;
        let value = store.get(Query::Key(key)).map_err(failure)?.await.map_err(failure)?;
        transaction.await.map_err(failure)?;
        Ok(value)
    }

    async fn put(&self, name: &str, key: JsValue, value: &JsValue) -> Result<()> {
        let (transaction, store) = self.begin(name, TransactionMode::ReadWrite)?;
        store.put(value, Some(&key)).map_err(failure)?.await.map_err(failure)?;
        committed(transaction).await
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        self.database.close();
    }
}

impl Store for IndexedDb {
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>> {
        let Some(value) = self.get(MANIFESTS, key.into()).await? else { return Ok(None) };
        // What another version of Qwisp wrote and this one doesn't understand counts as absent.
        Ok(serde_wasm_bindgen::from_value(value).ok())
    }

    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<bool> {
        buffer.clear();
        let value = self.get(RECORDS, record_key(key, index)).await?;
        let Some(bytes) = value.and_then(|value| value.dyn_into::<Uint8Array>().ok()) else { return Ok(false) };
        buffer.resize(bytes.length() as usize, 0);
        bytes.copy_to(buffer);
        Ok(true)
    }

    async fn write_record(&self, key: &str, index: u32, bytes: &[u8]) -> Result<()> {
        self.put(RECORDS, record_key(key, index), &Uint8Array::from(bytes)).await
    }

    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<()> {
        let value = serde_wasm_bindgen::to_value(manifest)
            .map_err(|error| Error::new(ErrorKind::Internal, "a manifest can't be stored").got(error))?;
        self.put(MANIFESTS, key.into(), &value).await
    }

    async fn remove(&self, key: &str) -> Result<()> {
        // The manifest first: at no moment does it promise records that are gone.
        for (name, query) in [
            (MANIFESTS, Query::Key(key.into())),
            (
                RECORDS,
                Query::KeyRange(
                    KeyRange::bound(&record_key(key, 0), &record_key(key, u32::MAX), None, None).map_err(failure)?,
                ),
            ),
        ] {
            let (transaction, store) = self.begin(name, TransactionMode::ReadWrite)?;
            store.delete(query).map_err(failure)?.await.map_err(failure)?;
            committed(transaction).await?;
        }
        Ok(())
    }
}

async fn committed(transaction: Transaction) -> Result<()> {
    match transaction.await.map_err(failure)? {
        TransactionResult::Committed => Ok(()),
        TransactionResult::Aborted => {
            Err(Error::new(ErrorKind::Quota, "the browser didn't keep what was stored").at("IndexedDB"))
        }
    }
}

fn record_key(key: &str, index: u32) -> JsValue {
    Array::of2(&key.into(), &index.into()).into()
}

fn failure(error: idb::Error) -> Error {
    Error::new(ErrorKind::Quota, "the browser's storage failed").at("IndexedDB").got(error)
}
