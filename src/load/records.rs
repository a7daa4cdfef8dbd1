//! The records of a file: each one from the store if what is stored there is right, otherwise from the source.

use sha2::{Digest as _, Sha256};

use super::LoadOptions;
use super::download::{Download, Known, Problem, Version, changed_record, record_range};
use super::progress::{NotKept, Notice, Phase, Reporter};
use crate::error::{Error, ErrorKind};
use crate::fetch::{Source, hexadecimal};
use crate::store::{Manifest, RECORD_BYTES, Store, StoreFailure, Write};

/// The records of a file, in order. First download, resumed download and a stored file are the same to it.
pub(super) struct Records<'a, S: Source, T: Store> {
    key: &'a str,
    source: &'a S,
    download: Download<'a, S>,
    store: Option<&'a T>,
    /// Whether records may be written. The store may still have some when it takes no more.
    is_keeping: bool,
    /// What the next record is written over.
    write: Write,
    /// How much room there will be more when what is stored of another version is replaced.
    replaced_bytes: u64,
    /// What the store has. Its hashes are those of records that are there.
    manifest: Manifest,
    /// The hash of each record that was seen: what the server would send again.
    hashes: Vec<Option<String>>,
    /// The records that came from the source and aren't stored yet.
    is_fetched: Vec<bool>,
    /// Of all records so far; none when the whole was verified before, or nobody wants to know.
    hasher: Option<Sha256>,
    has_fetched: bool,
    has_asked_for_room: bool,
}

impl<'a, S: Source, T: Store> Records<'a, S, T> {
    /// Looks into the store, and asks the source how long the file is if that isn't known. What is stored of another version,
    /// as all of it is when the file `has_changed`, stays until the first record of this one replaces it.
    pub(super) async fn open(
        key: &'a str,
        source: &'a S,
        store: Option<&'a T>,
        options: &LoadOptions,
        has_changed: bool,
        reporter: &mut Reporter<'_>,
    ) -> Result<Self, Problem> {
        let wanted = options.sha256.as_ref().map(|hash| hash.to_ascii_lowercase());
        let (store, stored) = match store {
            None => (None, None),
            Some(store) => match store.manifest(key).await {
                Ok(manifest) => (Some(store), manifest),
                Err(failure) => {
                    reporter.notice(not_kept(&failure));
                    (None, None)
                }
            },
        };
        let (write, replaced_bytes, stored) = match stored {
            None => (Write::Create, 0, None),
            Some(mut manifest) if !has_changed && is_usable(&manifest, wanted.as_deref()) => {
                // What was never verified as a whole is so in the end.
                manifest.is_complete = manifest.has_all();
                (Write::Add, 0, Some(manifest))
            }
            Some(manifest) => (Write::Replace, stored_bytes(&manifest), None),
        };
        let version = match &stored {
            None => Version { sha256: wanted.clone(), ..Version::default() },
            Some(manifest) => Version {
                total_bytes: Some(manifest.total_bytes),
                url: manifest.url.clone(),
                validator: manifest.validator.clone(),
                sha256: wanted.clone().or_else(|| manifest.sha256.clone()),
            },
        };
        let mut download = Download::new(source, version, options.patience, wanted.is_some());
        let total_bytes = download.total_bytes(reporter).await?;
        reporter.total_bytes = total_bytes;
        let count = total_bytes.div_ceil(RECORD_BYTES as u64) as usize;
        let manifest = stored.unwrap_or_else(|| Manifest {
            total_bytes,
            record_bytes: RECORD_BYTES as u32,
            url: String::new(),
            validator: None,
            sha256: None,
            record_hashes: vec![None; count],
            is_complete: false,
        });
        let is_wanted = store.is_some() || download.version.sha256.is_some();
        let hasher = (is_wanted && !manifest.is_complete).then(Sha256::new);
        Ok(Self {
            key,
            source,
            download,
            store,
            is_keeping: store.is_some(),
            write,
            replaced_bytes,
            hashes: manifest.record_hashes.clone(),
            is_fetched: vec![false; count],
            manifest,
            hasher,
            has_fetched: false,
            has_asked_for_room: false,
        })
    }

    /// How long the file is.
    pub(super) fn total_bytes(&self) -> u64 {
        self.manifest.total_bytes
    }

    /// How many records it has.
    pub(super) fn count(&self) -> usize {
        self.hashes.len()
    }

    /// How many bytes have come of records beyond those that were read.
    pub(super) fn ahead_bytes(&self) -> u64 {
        self.download.ahead_bytes()
    }

    /// Where its first bytes should come from.
    pub(super) fn first_phase(&self) -> Phase {
        match self.manifest.record_hashes.first() {
            Some(Some(_)) => Phase::Upload,
            _ => Phase::Download,
        }
    }

    /// Whether all records so far came from the store.
    pub(super) fn are_stored(&self) -> bool {
        !self.has_fetched
    }

    /// Puts a record into `buffer`; returns where it came from, as the phase that this is. They are asked for in order.
    pub(super) async fn read(
        &mut self,
        index: usize,
        buffer: &mut Vec<u8>,
        reporter: &mut Reporter<'_>,
    ) -> Result<Phase, Problem> {
        let phase = match self.read_stored(index, buffer).await {
            true => Phase::Upload,
            false => {
                self.fetch(index, buffer, reporter).await?;
                Phase::Download
            }
        };
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..]);
        }
        Ok(phase)
    }

    /// Reads a record from the store; returns whether it was there, and right.
    async fn read_stored(&mut self, index: usize, buffer: &mut Vec<u8>) -> bool {
        let (Some(store), Some(expected)) = (self.store, &self.manifest.record_hashes[index]) else { return false };
        let found = store.read_record(self.key, index as u32, buffer).await;
        let is_right = found.is_ok_and(|found| found.as_ref() == Some(expected));
        if !is_right {
            self.manifest.record_hashes[index] = None;
        }
        is_right
    }

    /// Fetches a record. Those after it that aren't stored either are wanted next, and may come with the same request.
    async fn fetch(&mut self, index: usize, buffer: &mut Vec<u8>, reporter: &mut Reporter<'_>) -> Result<(), Problem> {
        let missing = self.manifest.record_hashes[index..].iter().take_while(|hash| hash.is_none()).count();
        let known = Known { hashes: &self.hashes, is_checked_alone: self.hashes[index].is_some() };
        self.download.read_record(index..index + missing, &known, buffer, reporter).await?;
        self.has_fetched = true;
        self.is_fetched[index] = true;
        // Of a file that nobody keeps, and whose whole is compared in the end, the records' hashes are of no use.
        if self.store.is_some() || self.download.version.sha256.is_none() {
            let hash = self.source.sha256(buffer).await;
            if let Some(before) = &self.hashes[index]
                && *before != hash
            {
                return Err(changed_record(index, &self.download.version.url, &hash, before));
            }
            self.hashes[index] = Some(hash);
        }
        Ok(())
    }

    /// Stores a record that was read, if it isn't there: as soon as the head of the file was found to be good.
    pub(super) async fn keep(&mut self, index: usize, record: &[u8], reporter: &mut Reporter<'_>) {
        let Some(store) = self.store.filter(|_| self.is_keeping && self.is_fetched[index]) else { return };
        if !self.has_asked_for_room {
            self.has_asked_for_room = true;
            if let Some(missing_bytes) = self.missing_room(store).await {
                self.is_keeping = false;
                let missing_bytes = Some(missing_bytes);
                reporter.notice(Notice::NotKept { reason: NotKept::NoRoom, missing_bytes });
                return;
            }
        }
        self.describe_version();
        self.manifest.record_hashes[index].clone_from(&self.hashes[index]);
        match store.write_record(self.key, index as u32, record, &self.manifest, self.write).await {
            Ok(()) => self.write = Write::Add,
            Err(failure) => {
                self.manifest.record_hashes[index] = None;
                // What was stored before stays: it is verified, and saves the next load so much of its download.
                self.is_keeping = false;
                reporter.notice(not_kept(&failure));
            }
        }
    }

    /// How many bytes of room are lacking for the records that aren't stored.
    async fn missing_room(&self, store: &T) -> Option<u64> {
        let free = store.free_bytes().await?.saturating_add(self.replaced_bytes);
        let bytes = |index| {
            let range = record_range(index, self.manifest.total_bytes);
            range.end - range.start
        };
        let needed: u64 =
            (0..self.count()).filter(|&index| self.manifest.record_hashes[index].is_none()).map(bytes).sum();
        needed.checked_sub(free).filter(|missing| *missing > 0)
    }

    /// All records were read and kept: checks the whole. Returns whether the file is in the store now.
    pub(super) async fn finish(&mut self, reporter: &mut Reporter<'_>) -> Result<bool, Error> {
        let was_complete = self.manifest.is_complete;
        if let Some(hasher) = self.hasher.take() {
            let sha256 = hexadecimal(&hasher.finalize());
            if let Some(expected) = &self.download.version.sha256
                && *expected != sha256
            {
                return Err(Error::new(ErrorKind::Integrity, "the file is not the one that was promised")
                    .at(format!("SHA-256 of {}", self.key))
                    .got(sha256)
                    .expected(expected));
            }
            self.manifest.sha256 = Some(sha256);
            self.manifest.is_complete = self.is_keeping;
        }
        let Some(store) = self.store.filter(|_| self.is_keeping) else { return Ok(false) };
        if let Err(failure) = store.write_manifest(self.key, &self.manifest).await {
            reporter.notice(not_kept(&failure));
            // That it is in use may go unnoticed; that it is complete may not.
            return Ok(was_complete && !self.has_fetched && failure != StoreFailure::Replaced);
        }
        Ok(true)
    }

    /// Loading failed. Verified records of a good file stay, for the next attempt; nothing else does.
    pub(super) async fn give_up(&self, error: &Error) {
        let is_bad = matches!(error.kind(), ErrorKind::Integrity | ErrorKind::BadFile | ErrorKind::UnsupportedModel);
        // What is there of another version isn't bad.
        let is_stored = self.write == Write::Add;
        if let Some(store) = self.store.filter(|_| is_bad && is_stored && !self.manifest.is_complete) {
            // What can't be removed is no complete file, and is written over.
            let _ = store.remove(self.key).await;
        }
    }

    fn describe_version(&mut self) {
        let version = &self.download.version;
        self.manifest.url.clone_from(&version.url);
        self.manifest.validator.clone_from(&version.validator);
        if !self.manifest.is_complete {
            self.manifest.sha256.clone_from(&version.sha256);
        }
    }
}

/// Whether what is stored is of the file that is wanted, in records as they are today.
fn is_usable(manifest: &Manifest, wanted: Option<&str>) -> bool {
    let is_wanted = match (wanted, &manifest.sha256) {
        (Some(wanted), Some(sha256)) => wanted == sha256,
        _ => true,
    };
    is_wanted
        && manifest.record_bytes as usize == RECORD_BYTES
        && manifest.record_hashes.len() as u64 == manifest.total_bytes.div_ceil(RECORD_BYTES as u64)
}

/// How many bytes of a file are stored.
fn stored_bytes(manifest: &Manifest) -> u64 {
    let records = manifest.record_hashes.iter().filter(|hash| hash.is_some()).count() as u64;
    (records * u64::from(manifest.record_bytes)).min(manifest.total_bytes)
}

/// What a person should know of a store that failed.
pub(super) fn not_kept(failure: &StoreFailure) -> Notice {
    let reason = match failure {
        StoreFailure::Full => NotKept::NoRoom,
        StoreFailure::Replaced | StoreFailure::Refused(_) => NotKept::Refused,
    };
    Notice::NotKept { reason, missing_bytes: None }
}
