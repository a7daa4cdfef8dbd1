//! Loading: what is reported, what is stored, and what happens when the store, the source or the caller gives up.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use candle_core::quantized::GgmlDType;
use pollster::block_on;
use qwisp::backend::gpu::GpuBackend;
use qwisp::backend::gpu::device::Device;
use qwisp::engine::ChatOptions;
use qwisp::fetch::Source;
use qwisp::generate::Sampling;
use qwisp::load::{LoadOptions, Loaded, Phase, Progress, load};
use qwisp::store::{Manifest, MemoryStore, RECORD_BYTES, Store};
use qwisp::text::{Message, Role};
use qwisp::{Error, ErrorKind};
use sha2::{Digest, Sha256};

use self::support::gpu::open_device;
use self::support::loading::MemorySource;
use self::support::tiny_model::TinyModel;

mod support;

const URL: &str = "https://example.org/model.gguf";
const RECORDS: u32 = 3;

/// A file of three records.
fn file() -> Vec<u8> {
    let bytes = TinyModel { layers: 4, tensor_type: Some(GgmlDType::F32), ..TinyModel::default() }.bytes();
    assert_eq!(bytes.len().div_ceil(RECORD_BYTES), RECORDS as usize);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with_sha256(sha256: &str) -> LoadOptions {
    LoadOptions { sha256: Some(sha256.to_string()), ..LoadOptions::default() }
}

/// Loads from `store`, or else from `source`; returns what was reported, too.
fn load_from<S: Source>(
    device: &Device,
    options: &LoadOptions,
    store: &impl Store,
    open: impl AsyncFnOnce() -> qwisp::Result<S>,
) -> (qwisp::Result<Loaded<GpuBackend>>, Vec<Progress>) {
    let mut reports = Vec::new();
    let on_progress = |progress| {
        reports.push(progress);
        ControlFlow::Continue(())
    };
    let loaded = block_on(load(device, URL, options, Some(store), open, on_progress));
    (loaded, reports)
}

/// A source that must not be asked for.
async fn not_needed() -> qwisp::Result<MemorySource<'static>> {
    panic!("the source is opened although the store has the file");
}

fn error_of(loaded: qwisp::Result<Loaded<GpuBackend>>) -> Error {
    loaded.err().expect("loading fails")
}

fn answer(loaded: Loaded<GpuBackend>) -> String {
    let mut engine = loaded.engine;
    let options = ChatOptions { max_tokens: Some(8), ..ChatOptions::default() };
    let question = [Message::new(Role::User, "Hello there")];
    block_on(engine.chat(&question, &options, &Sampling::greedy(), |_| (), || false)).expect("the engine answers").text
}

fn is_complete(store: &impl Store) -> bool {
    block_on(store.manifest(URL)).expect("the store works").is_some()
}

fn has_record(store: &impl Store, index: u32) -> bool {
    block_on(store.read_record(URL, index, &mut Vec::new())).expect("the store works")
}

fn has_nothing(store: &impl Store) -> bool {
    !is_complete(store) && (0..RECORDS).all(|index| !has_record(store, index))
}

#[test]
fn the_first_load_fills_the_store_and_the_second_needs_nothing_else() {
    let (device, store, file) = (open_device(), MemoryStore::default(), file());
    let options = with_sha256(&sha256(&file).to_uppercase());
    let total_bytes = file.len() as u64;
    let records: Vec<u64> = (0..=u64::from(RECORDS)).map(|n| (n * RECORD_BYTES as u64).min(total_bytes)).collect();
    let expected_reports = |transfer, from_cache| -> Vec<Progress> {
        let transfers = records.iter().map(|&loaded_bytes| (transfer, loaded_bytes));
        let rest = [Phase::Verify, Phase::Compile, Phase::Ready].map(|phase| (phase, total_bytes));
        let report = |(phase, loaded_bytes)| Progress { phase, loaded_bytes, total_bytes, from_cache };
        transfers.chain(rest).map(report).collect()
    };

    let (loaded, reports) = load_from(&device, &options, &store, async || Ok(MemorySource::new(&file)));
    let first = loaded.expect("the file is good");
    assert!(first.stored);
    assert_eq!(reports, expected_reports(Phase::Download, false));
    assert_eq!(
        block_on(store.manifest(URL)).expect("the store works"),
        Some(Manifest { total_bytes, record_bytes: RECORD_BYTES as u32, sha256: sha256(&file) })
    );

    let (loaded, reports) = load_from(&device, &options, &store, not_needed);
    let second = loaded.expect("the file is in the store");
    assert!(second.stored);
    assert_eq!(reports, expected_reports(Phase::Upload, true));
    assert_eq!(second.weights_bytes, first.weights_bytes);
    assert_eq!(answer(second), answer(first));
}

/// A [`MemoryStore`] with a fault.
#[derive(Default)]
struct FaultyStore {
    store: MemoryStore,
    /// A record that is gone.
    lost_record: Cell<Option<u32>>,
    /// How many more records there is room for; `None` for all.
    room: Cell<Option<u32>>,
}

fn no_room() -> Error {
    Error::new(ErrorKind::Quota, "there is no room")
}

impl Store for FaultyStore {
    async fn manifest(&self, key: &str) -> qwisp::Result<Option<Manifest>> {
        self.store.manifest(key).await
    }

    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> qwisp::Result<bool> {
        if self.lost_record.get() == Some(index) {
            buffer.clear();
            return Ok(false);
        }
        self.store.read_record(key, index, buffer).await
    }

    async fn write_record(&self, key: &str, index: u32, bytes: &[u8]) -> qwisp::Result<()> {
        if let Some(room) = self.room.get() {
            self.room.set(Some(room.checked_sub(1).ok_or_else(no_room)?));
        }
        if self.lost_record.get() == Some(index) {
            self.lost_record.set(None);
        }
        self.store.write_record(key, index, bytes).await
    }

    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> qwisp::Result<()> {
        self.store.write_manifest(key, manifest).await
    }

    async fn remove(&self, key: &str) -> qwisp::Result<()> {
        self.store.remove(key).await
    }
}

/// Does something to a store that has the file.
type Damage<'a> = &'a dyn Fn(&FaultyStore);

#[test]
fn a_stored_file_that_was_damaged_is_fetched_again() {
    let (device, file) = (open_device(), file());
    let damaged = vec![0xff; RECORD_BYTES];
    let damages: [(&str, Damage); 4] = [
        ("the first record is gone", &|store| store.lost_record.set(Some(0))),
        ("the last record is gone", &|store| store.lost_record.set(Some(RECORDS - 1))),
        ("a record is short", &|store| block_on(store.write_record(URL, 1, &file[..100])).expect("there is room")),
        ("the head is damaged", &|store| block_on(store.write_record(URL, 0, &damaged)).expect("there is room")),
    ];
    for (name, damage) in damages {
        let store = FaultyStore::default();
        let source = async || Ok(MemorySource::new(&file));
        load_from(&device, &LoadOptions::default(), &store, source).0.expect(name);
        damage(&store);

        let (loaded, reports) = load_from(&device, &LoadOptions::default(), &store, source);
        assert!(loaded.expect(name).stored, "{name}");
        assert!(reports.iter().any(|report| report.phase == Phase::Download && !report.from_cache), "{name}");
        load_from(&device, &LoadOptions::default(), &store, not_needed).0.expect(name);
    }
}

#[test]
fn a_wrong_hash_is_an_error_and_leaves_nothing_behind() {
    let (device, store, file) = (open_device(), MemoryStore::default(), file());
    let promised = "0".repeat(64);
    let source = async || Ok(MemorySource::new(&file));
    let error = error_of(load_from(&device, &with_sha256(&promised), &store, source).0);
    assert_eq!(error.kind(), ErrorKind::Integrity);
    for part in [URL, &promised, &sha256(&file)] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(has_nothing(&store));
}

#[test]
fn a_stored_file_with_another_hash_than_is_wanted_is_fetched_again() {
    let (device, store) = (open_device(), MemoryStore::default());
    let (old, new) = (TinyModel { seed: 1, ..TinyModel::default() }, TinyModel { seed: 2, ..TinyModel::default() });
    let (old, new) = (old.bytes(), new.bytes());
    let load_old = load_from(&device, &LoadOptions::default(), &store, async || Ok(MemorySource::new(&old)));
    load_old.0.expect("the file is good");
    let load_new = load_from(&device, &with_sha256(&sha256(&new)), &store, async || Ok(MemorySource::new(&new)));
    load_new.0.expect("the file is good");
    let manifest = block_on(store.manifest(URL)).expect("the store works").expect("the file is complete");
    assert_eq!(manifest.sha256, sha256(&new));
}

#[test]
fn a_download_that_replaces_a_stored_file_and_breaks_off_leaves_no_mixture() {
    let (device, store, old) = (open_device(), MemoryStore::default(), file());
    load_from(&device, &LoadOptions::default(), &store, async || Ok(MemorySource::new(&old))).0.expect("a good file");
    let new = TinyModel { seed: 2, layers: 4, tensor_type: Some(GgmlDType::F32), ..TinyModel::default() }.bytes();
    let breaks_off = async || {
        let failure = Some(Error::new(ErrorKind::Network, "the connection was lost"));
        Ok(BrokenSource { source: MemorySource::new(&new), good_bytes: 2 * RECORD_BYTES, failure })
    };
    let error = error_of(load_from(&device, &with_sha256(&sha256(&new)), &store, breaks_off).0);
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(has_nothing(&store), "records of one version under the manifest of another would load as garbage");
}

#[test]
fn what_is_no_hash_is_refused_before_anything_is_fetched() {
    let (device, store) = (open_device(), MemoryStore::default());
    for sha256 in ["", "abc", &"g".repeat(64), &"0".repeat(63)] {
        let error = error_of(load_from(&device, &with_sha256(sha256), &store, not_needed).0);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}

#[test]
fn a_caller_can_abort_in_every_phase() {
    let (device, file) = (open_device(), file());
    let source = async || Ok(MemorySource::new(&file));
    let full_store = MemoryStore::default();
    load_from(&device, &LoadOptions::default(), &full_store, source).0.expect("the file is good");
    let empty_store = MemoryStore::default();
    let phases = [
        (&empty_store, Phase::Download),
        (&empty_store, Phase::Verify),
        (&empty_store, Phase::Compile),
        (&full_store, Phase::Upload),
    ];
    for (store, last) in phases {
        let on_progress = |progress: Progress| match progress.phase == last {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let options = LoadOptions::default();
        let loaded = block_on(load(&device, URL, &options, Some(store), source, on_progress));
        assert_eq!(error_of(loaded).kind(), ErrorKind::Aborted, "{last:?}");
        // What was verified before stays.
        let verified = matches!(last, Phase::Compile | Phase::Upload);
        assert!(if verified { is_complete(store) } else { has_nothing(store) }, "{last:?}");
    }
}

#[test]
fn a_store_without_room_is_left_aside() {
    let (device, file) = (open_device(), file());
    for room in 0..RECORDS {
        let store = FaultyStore::default();
        store.room.set(Some(room));
        let loaded = load_from(&device, &LoadOptions::default(), &store, async || Ok(MemorySource::new(&file))).0;
        let loaded = loaded.expect("the model loads without a store");
        assert!(!loaded.stored);
        assert!(has_nothing(&store.store), "room for {room} records: what was written is removed");
        assert!(!answer(loaded).is_empty());
    }
}

/// A source of which only the first `good_bytes` come; then `failure`, or nothing more.
struct BrokenSource<'a> {
    source: MemorySource<'a>,
    good_bytes: usize,
    failure: Option<Error>,
}

impl Source for BrokenSource<'_> {
    fn total_bytes(&self) -> u64 {
        self.source.total_bytes()
    }

    async fn read(&mut self, buffer: &mut Vec<u8>) -> qwisp::Result<()> {
        let mut good = Vec::with_capacity(self.good_bytes.min(buffer.capacity()));
        self.source.read(&mut good).await?;
        self.good_bytes -= good.len();
        buffer.extend_from_slice(&good);
        match self.failure.take_if(|_| self.good_bytes == 0) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

#[test]
fn a_source_that_breaks_off_is_an_error_and_leaves_nothing_behind() {
    let (device, file) = (open_device(), file());
    let network = || Error::new(ErrorKind::Network, "the connection was lost");
    for (name, good_bytes, failure, kind) in [
        ("lost in the head", 100, Some(network()), ErrorKind::Network),
        ("lost in the second record", RECORD_BYTES + 100, Some(network()), ErrorKind::Network),
        ("nothing comes", 0, None, ErrorKind::BadFile),
        ("ends after the first record", RECORD_BYTES, None, ErrorKind::BadFile),
    ] {
        let store = MemoryStore::default();
        let failure = RefCell::new(failure);
        let open = async || Ok(BrokenSource { source: MemorySource::new(&file), good_bytes, failure: failure.take() });
        let error = error_of(load_from(&device, &LoadOptions::default(), &store, open).0);
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(has_nothing(&store), "{name}");

        let (loaded, _) = load_from(&device, &LoadOptions::default(), &store, async || Ok(MemorySource::new(&file)));
        assert!(loaded.expect("the next attempt succeeds").stored, "{name}");
    }
}
