//! Loading: what is reported, what is fetched, what is stored, and what happens when the store, the server or the caller
//! gives up. On the processor, because none of it depends on what computes.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::time::Duration;

use candle_core::quantized::GgmlDType;
use pollster::block_on;
use qwisp::backend::cpu::{CpuBackend, Processor};
use qwisp::engine::ChatOptions;
use qwisp::fetch::Retry;
use qwisp::generate::{Random, Sampling};
use qwisp::load::{LoadOptions, Loaded, NotKept, Notice, Phase, Progress, load};
use qwisp::store::{Manifest, MemoryStore, RECORD_BYTES, Store, StoreFailure, Write};
use qwisp::text::{Message, Role};
use qwisp::{Error, ErrorKind};
use sha2::{Digest, Sha256};

use self::support::server::{Client, Page, Server};
use self::support::tiny_model::TinyModel;

mod support;

const URL: &str = "https://example.org/model.gguf";
const RECORDS: usize = 3;

/// A file of three records.
fn file() -> Vec<u8> {
    file_of(1)
}

/// Another one of the same length, or the same one.
fn file_of(seed: u64) -> Vec<u8> {
    let bytes = TinyModel { seed, layers: 4, tensor_type: Some(GgmlDType::F32), ..TinyModel::default() }.bytes();
    assert_eq!(bytes.len().div_ceil(RECORD_BYTES), RECORDS);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with_sha256(sha256: &str) -> LoadOptions {
    LoadOptions { sha256: Some(sha256.to_string()), ..LoadOptions::default() }
}

/// Gives up at the first failure, as if the tab had been closed.
fn impatient() -> LoadOptions {
    LoadOptions { patience: Duration::ZERO, ..LoadOptions::default() }
}

type Outcome = (qwisp::Result<Loaded<CpuBackend>>, Vec<Progress>);

fn load_with(client: &Client, options: &LoadOptions, store: &impl Store) -> Outcome {
    let mut reports = Vec::new();
    let on_progress = |progress| {
        reports.push(progress);
        ControlFlow::Continue(())
    };
    let loaded = block_on(load(&Processor, URL, options, Some(store), client, on_progress));
    (loaded, reports)
}

/// Loads, and lets nothing go wrong.
fn load_well(client: &Client, options: &LoadOptions, store: &impl Store) -> (Loaded<CpuBackend>, Vec<Progress>) {
    let (loaded, reports) = load_with(client, options, store);
    (loaded.expect("loading succeeds"), reports)
}

fn error_of((loaded, _): Outcome) -> Error {
    loaded.err().expect("loading fails")
}

fn answer(loaded: Loaded<CpuBackend>) -> String {
    let mut engine = loaded.engine;
    let options = ChatOptions { max_tokens: Some(8), ..ChatOptions::default() };
    let question = [Message::new(Role::User, "Hello there")];
    block_on(engine.chat(&question, &options, &Sampling::greedy(), |_| (), || false)).expect("the engine answers").text
}

fn manifest(store: &impl Store) -> Option<Manifest> {
    block_on(store.manifest(URL)).expect("the store works")
}

fn is_complete(store: &impl Store) -> bool {
    manifest(store).is_some_and(|manifest| manifest.is_complete)
}

/// The numbers of the records that are stored; each of them has its hash in the manifest.
fn stored_records(store: &MemoryStore) -> Vec<u32> {
    let indexes = store.record_indexes(URL);
    let hashes = manifest(store).map_or(vec![], |manifest| manifest.record_hashes);
    let known: Vec<u32> = (0..).zip(&hashes).filter(|(_, hash)| hash.is_some()).map(|(index, _)| index).collect();
    assert_eq!(indexes, known, "records and hashes belong together");
    indexes
}

fn notices(reports: &[Progress]) -> Vec<Notice> {
    let mut notices: Vec<Notice> = reports.iter().filter_map(|report| report.notice).collect();
    notices.dedup();
    notices
}

#[test]
fn the_first_load_fills_the_store_and_the_second_needs_nothing_else() {
    let (store, file) = (MemoryStore::default(), file());
    let server = Server::new(&file);
    let client = Client(server.clone());
    let options = with_sha256(&sha256(&file).to_uppercase());
    let total_bytes = file.len() as u64;
    // What is told within a record depends on the time that it takes.
    let assert_reports = |reports: &[Progress], transfer, from_cache| {
        let mut expected: Vec<_> =
            (0..=RECORDS).map(|n| (transfer, ((n * RECORD_BYTES) as u64).min(total_bytes))).collect();
        expected.extend([Phase::Verify, Phase::Compile, Phase::Ready].map(|phase| (phase, total_bytes)));
        let is_whole = |bytes: u64| bytes.is_multiple_of(RECORD_BYTES as u64) || bytes == total_bytes;
        let mut told: Vec<_> = reports.iter().map(|report| (report.phase, report.loaded_bytes)).collect();
        told.retain(|(_, bytes)| is_whole(*bytes));
        told.dedup();
        assert_eq!(told, expected);
        assert!(reports.is_sorted_by_key(|report| report.loaded_bytes));
        for report in reports {
            assert_eq!((report.total_bytes, report.from_cache), (total_bytes, from_cache));
            assert_eq!((report.retry_in_ms, report.notice), (None, None));
        }
    };

    let (first, reports) = load_well(&client, &options, &store);
    assert!(first.stored);
    assert_reports(&reports, Phase::Download, false);
    assert_eq!(
        manifest(&store),
        Some(Manifest {
            total_bytes,
            record_bytes: RECORD_BYTES as u32,
            url: URL.to_string(),
            validator: Some("\"1\"".to_string()),
            sha256: Some(sha256(&file)),
            record_hashes: file.chunks(RECORD_BYTES).map(|record| Some(sha256(record))).collect(),
            is_complete: true,
        })
    );
    assert_eq!(server.sent_bytes.get(), total_bytes);

    server.forget();
    let (second, reports) = load_well(&client, &options, &store);
    assert!(second.stored);
    assert_eq!(*server.requests.borrow(), []);
    assert_reports(&reports, Phase::Upload, true);
    assert_eq!(second.weights_bytes, first.weights_bytes);
    assert_eq!(answer(second), answer(first));
}

#[test]
fn a_download_that_is_cut_goes_on_at_the_byte() {
    let (file, mut random) = (file(), Random::new(7));
    let mut offsets: Vec<u64> = (0..20).map(|_| (f64::from(random.next_unit()) * file.len() as f64) as u64).collect();
    offsets.extend([0, 1, RECORD_BYTES as u64, 2 * RECORD_BYTES as u64 - 1, file.len() as u64 - 1]);
    offsets.sort_unstable();
    let (store, server) = (MemoryStore::default(), Server::new(&file));
    server.cuts.borrow_mut().extend(&offsets);
    let (loaded, reports) = load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    assert_eq!(server.sent_bytes.get(), file.len() as u64, "no byte came twice");
    assert!(server.cuts.borrow().is_empty());
    assert_eq!(server.pauses.borrow().len(), offsets.len());
    assert_eq!(reports.iter().filter(|report| report.retry_in_ms.is_some()).count(), offsets.len());
    assert!(loaded.stored && is_complete(&store));
    assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), Some(sha256(&file)));
}

#[test]
fn a_load_that_breaks_off_leaves_its_records_to_the_next() {
    let (file, mut random) = (file(), Random::new(3));
    let expected = answer(load_well(&Client(Server::new(&file)), &LoadOptions::default(), &MemoryStore::default()).0);
    for validator in [Some("\"1\""), None] {
        let (store, server) = (MemoryStore::default(), Server::new(&file));
        server.change(&file, validator);
        let mut offsets: Vec<u64> =
            (0..20).map(|_| (f64::from(random.next_unit()) * file.len() as f64) as u64).collect();
        offsets.sort_unstable();
        for &offset in &offsets {
            server.cuts.borrow_mut().push_back(offset);
            let before = stored_records(&store);
            assert_eq!(error_of(load_with(&Client(server.clone()), &impatient(), &store)).kind(), ErrorKind::Network);
            let after = stored_records(&store);
            assert!(after.starts_with(&before), "nothing verified is lost");
            // The head of the file is in the first record.
            assert_eq!(after.len(), offset as usize / RECORD_BYTES, "every whole record is kept, cut at {offset}");
            assert!(!is_complete(&store));
        }
        let (loaded, reports) = load_well(&Client(server.clone()), &impatient(), &store);
        assert!(loaded.stored && is_complete(&store));
        assert!(reports.iter().any(|report| report.phase == Phase::Upload && report.from_cache));
        assert_eq!(reports.last().map(|report| report.from_cache), Some(false));
        assert_eq!(answer(loaded), expected);
        // A server that doesn't name its version sends the record before once more, as a proof.
        let twice = if validator.is_some() { 1 } else { 2 };
        let limit = file.len() + twice * offsets.len() * RECORD_BYTES;
        let sent = server.sent_bytes.get();
        assert!(sent <= limit as u64, "{sent} bytes were sent for {}", file.len());
    }
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let (file, store) = (file(), MemoryStore::default());
    let server = Server::new(&file);
    server.does_ranges.set(false);
    let cut = 2 * RECORD_BYTES as u64 + 100;
    server.cuts.borrow_mut().push_back(cut);
    assert!(load_well(&Client(server.clone()), &LoadOptions::default(), &store).0.stored, "in one load");
    assert_eq!(server.sent_bytes.get(), cut + file.len() as u64);

    server.forget();
    let store = MemoryStore::default();
    server.cuts.borrow_mut().push_back(cut);
    error_of(load_with(&Client(server.clone()), &impatient(), &store));
    assert_eq!(stored_records(&store), [0, 1]);
    let (loaded, reports) = load_well(&Client(server.clone()), &impatient(), &store);
    assert!(loaded.stored, "in two");
    assert_eq!(server.sent_bytes.get(), cut + file.len() as u64);
    assert_eq!(notices(&reports), []);
}

#[test]
fn a_file_that_changes_is_loaded_from_its_beginning_and_that_is_said() {
    let (old, new) = (file_of(1), file_of(2));
    assert_eq!(old.len(), new.len());
    let expected = answer(load_well(&Client(Server::new(&new)), &LoadOptions::default(), &MemoryStore::default()).0);
    // With versions that have names, and without; from a server with ranges, and without.
    for (name, before, after, does_ranges) in [
        ("with validators", Some("\"1\""), Some("\"2\""), true),
        ("without validators", None, None, true),
        ("without ranges", Some("\"1\""), Some("\"2\""), false),
        ("without either", None, None, false),
    ] {
        let cut = 2 * RECORD_BYTES as u64 + 100;
        let start = || {
            let server = Server::new(&old);
            server.change(&old, before);
            server.does_ranges.set(does_ranges);
            server.cuts.borrow_mut().push_back(cut);
            server
        };
        // Within one load.
        let (store, server) = (MemoryStore::default(), start());
        let (file, validator) = (new.clone(), after.map(str::to_string));
        *server.after.borrow_mut() = Some((cut, Box::new(move |server| server.change(&file, validator.as_deref()))));
        let (loaded, reports) = load_well(&Client(server), &LoadOptions::default(), &store);
        assert_eq!(notices(&reports), [Notice::Changed], "{name}");
        assert!(loaded.stored);
        assert_eq!(answer(loaded), expected, "{name}");

        // Between two.
        let (store, server) = (MemoryStore::default(), start());
        error_of(load_with(&Client(server.clone()), &impatient(), &store));
        assert_eq!(stored_records(&store), [0, 1], "{name}");
        server.change(&new, after);
        let (loaded, reports) = load_well(&Client(server), &impatient(), &store);
        assert_eq!(notices(&reports), [Notice::Changed], "{name}");
        assert!(loaded.stored);
        assert_eq!(answer(loaded), expected, "{name}");
        assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), Some(sha256(&new)));
    }
}

#[test]
fn a_file_that_gets_longer_is_loaded_from_its_beginning() {
    let (old, store) = (file(), MemoryStore::default());
    let new = TinyModel { layers: 5, tensor_type: Some(GgmlDType::F32), ..TinyModel::default() }.bytes();
    let server = Server::new(&old);
    server.change(&old, None);
    server.cuts.borrow_mut().push_back(RECORD_BYTES as u64 + 1);
    error_of(load_with(&Client(server.clone()), &impatient(), &store));
    server.change(&new, None);
    let (loaded, reports) = load_well(&Client(server), &impatient(), &store);
    assert!(loaded.stored);
    assert_eq!(notices(&reports), [Notice::Changed]);
    assert_eq!(reports.last().map(|report| report.total_bytes), Some(new.len() as u64));
}

#[test]
fn a_file_that_changes_all_the_time_is_not_to_be_had() {
    let (file, store) = (file(), MemoryStore::default());
    let server = Server::new(&file);
    fn change_again(server: &Server) {
        let next = server.requests.borrow().len();
        server.validator.replace(Some(format!("\"{next}\"")));
        *server.after.borrow_mut() = Some((server.sent_bytes.get() + 1, Box::new(change_again)));
    }
    change_again(&server);
    let error = error_of(load_with(&Client(server.clone()), &LoadOptions::default(), &store));
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("changed"), "{error}");
    assert!(!is_complete(&store));
}

#[test]
fn only_rotten_records_are_fetched_again() {
    let file = file();
    let record = |index: usize| &file[index * RECORD_BYTES..file.len().min((index + 1) * RECORD_BYTES)];
    let flipped = |index: usize, at: usize| {
        let mut bytes = record(index).to_vec();
        bytes[at] ^= 4;
        Some(bytes)
    };
    type Damage = (&'static str, usize, Option<Vec<u8>>);
    let damages: [Damage; 6] = [
        ("a bit of the head", 0, flipped(0, 10)),
        ("a bit of a weight", 1, flipped(1, 12345)),
        ("the very last bit", 2, flipped(2, record(2).len() - 1)),
        ("a record is gone", 1, None),
        ("a record is short", 1, Some(record(1)[..100].to_vec())),
        ("a record is too long", 2, Some(record(1).to_vec())),
    ];
    for (name, index, bytes) in damages {
        for validator in [Some("\"1\""), None] {
            let (store, server) = (MemoryStore::default(), Server::new(&file));
            server.change(&file, validator);
            load_well(&Client(server.clone()), &LoadOptions::default(), &store);
            server.forget();
            store.damage_record(URL, index as u32, bytes.clone());

            let (loaded, reports) = load_well(&Client(server.clone()), &LoadOptions::default(), &store);
            assert!(loaded.stored && is_complete(&store), "{name}");
            let start = (index * RECORD_BYTES) as u64;
            let expected = [(URL.to_string(), start..start + record(index).len() as u64)];
            assert_eq!(*server.requests.borrow(), expected, "{name}");
            assert_eq!(server.sent_bytes.get(), record(index).len() as u64, "{name}");
            assert_eq!(notices(&reports), [], "{name}");

            server.forget();
            load_well(&Client(server.clone()), &LoadOptions::default(), &store);
            assert_eq!(*server.requests.borrow(), [], "{name}: it is whole again");
        }
    }
}

#[test]
fn a_rotten_record_that_the_server_has_no_more_means_another_file() {
    let (old, new, store) = (file_of(1), file_of(2), MemoryStore::default());
    let server = Server::new(&old);
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    store.damage_record(URL, 1, None);
    server.change(&new, None);
    let (loaded, reports) = load_well(&Client(server), &LoadOptions::default(), &store);
    assert!(loaded.stored);
    assert_eq!(notices(&reports), [Notice::Changed]);
    assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), Some(sha256(&new)));
}

#[test]
fn all_records_without_a_verified_whole_are_verified_and_not_fetched() {
    let (file, store, server) = (file(), MemoryStore::default(), Server::new(&file()));
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    let mut partial = manifest(&store).expect("the file is stored");
    (partial.is_complete, partial.sha256) = (false, None);
    block_on(store.write_manifest(URL, &partial)).expect("the store works");
    server.forget();
    let (loaded, _) = load_well(&Client(server.clone()), &with_sha256(&sha256(&file)), &store);
    assert!(loaded.stored && is_complete(&store));
    assert_eq!(*server.requests.borrow(), []);

    partial.sha256 = None;
    block_on(store.write_manifest(URL, &partial)).expect("the store works");
    let wrong = "0".repeat(64);
    assert_eq!(error_of(load_with(&Client(server), &with_sha256(&wrong), &store)).kind(), ErrorKind::Integrity);
    assert_eq!(stored_records(&store), [] as [u32; 0]);
}

#[test]
fn a_wrong_hash_is_an_error_and_leaves_nothing_behind() {
    let (file, promised) = (file(), "0".repeat(64));
    let (by_caller, by_server) = (Server::new(&file), Server::new(&file));
    by_server.sha256.replace(Some(promised.clone()));
    for (server, options) in [(by_caller, with_sha256(&promised)), (by_server, LoadOptions::default())] {
        let store = MemoryStore::default();
        let error = error_of(load_with(&Client(server), &options, &store));
        assert_eq!(error.kind(), ErrorKind::Integrity);
        for part in [URL, &promised, &sha256(&file)] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(stored_records(&store), [] as [u32; 0]);
        assert_eq!(manifest(&store), None);
    }
}

#[test]
fn the_callers_hash_counts_more_than_the_servers() {
    let (file, store) = (file(), MemoryStore::default());
    let server = Server::new(&file);
    server.sha256.replace(Some("0".repeat(64)));
    assert!(load_well(&Client(server), &with_sha256(&sha256(&file)), &store).0.stored);
}

#[test]
fn a_stored_file_with_another_hash_than_is_wanted_is_fetched_again() {
    let (store, old, new) = (MemoryStore::default(), file_of(1), file_of(2));
    let server = Server::new(&old);
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    server.change(&new, Some("\"2\""));
    load_well(&Client(server), &with_sha256(&sha256(&new)), &store);
    assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), Some(sha256(&new)));
}

#[test]
fn a_download_that_replaces_a_stored_file_and_breaks_off_leaves_no_mixture() {
    let (store, old, new) = (MemoryStore::default(), file_of(1), file_of(2));
    let server = Server::new(&old);
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    server.change(&new, Some("\"2\""));
    server.cuts.borrow_mut().push_back(2 * RECORD_BYTES as u64 + 5);
    let options = LoadOptions { patience: Duration::ZERO, ..with_sha256(&sha256(&new)) };
    assert_eq!(error_of(load_with(&Client(server), &options, &store)).kind(), ErrorKind::Network);
    let partial = manifest(&store).expect("what came of the new one is kept");
    assert!(!partial.is_complete);
    let hashes: Vec<_> = new.chunks(RECORD_BYTES).map(sha256).collect();
    assert_eq!(partial.record_hashes, [Some(hashes[0].clone()), Some(hashes[1].clone()), None]);
    assert_eq!(stored_records(&store), [0, 1]);
}

#[test]
fn what_is_no_hash_is_refused_before_anything_is_fetched() {
    let (store, server) = (MemoryStore::default(), Server::new(&[]));
    for sha256 in ["", "abc", &"g".repeat(64), &"0".repeat(63)] {
        let error = error_of(load_with(&Client(server.clone()), &with_sha256(sha256), &store));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    assert_eq!(*server.requests.borrow(), []);
}

#[test]
fn a_caller_can_abort_in_every_phase_and_keeps_what_was_verified() {
    let file = file();
    let abort_when = |store: &MemoryStore, server, stop: &dyn Fn(&Progress) -> bool| {
        let on_progress = |progress: Progress| match stop(&progress) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let loaded =
            block_on(load(&Processor, URL, &LoadOptions::default(), Some(store), &Client(server), on_progress));
        assert_eq!(loaded.err().map(|error| error.kind()), Some(ErrorKind::Aborted));
    };
    type Stop<'a> = (&'a str, &'a dyn Fn(&Progress) -> bool, &'a [u32]);
    let stops: [Stop; 5] = [
        ("at the beginning", &|_| true, &[]),
        ("after a record", &|progress| progress.loaded_bytes == RECORD_BYTES as u64, &[0]),
        ("while it waits", &|progress| progress.retry_in_ms.is_some(), &[0]),
        ("before the whole is verified", &|progress| progress.phase == Phase::Verify, &[0, 1, 2]),
        ("after that", &|progress| progress.phase == Phase::Compile, &[0, 1, 2]),
    ];
    for (name, stop, kept) in stops {
        let (store, server) = (MemoryStore::default(), Server::new(&file));
        server.cuts.borrow_mut().push_back(RECORD_BYTES as u64 + 5);
        abort_when(&store, server.clone(), stop);
        assert_eq!(stored_records(&store), kept, "{name}");
        assert_eq!(is_complete(&store), name == "after that", "{name}");
        assert!(load_well(&Client(server), &LoadOptions::default(), &store).0.stored, "{name}");
        abort_when(&store, Server::new(&file), &|progress| progress.phase == Phase::Upload);
        assert!(is_complete(&store), "{name}");
    }
}

#[test]
fn failures_that_may_pass_are_waited_for() {
    let (file, store) = (file(), MemoryStore::default());
    let server = Server::new(&file);
    let seconds = Duration::from_secs;
    server.refusals.borrow_mut().extend([Retry::After(seconds(3)), Retry::Later, Retry::Later]);
    let options = LoadOptions::default();
    // Three seconds are more than a server gets that was never heard of; but it was, and said so.
    let error = error_of(load_with(&Client(server.clone()), &options, &store));
    assert_eq!(error.kind(), ErrorKind::Network);
    assert_eq!(*server.pauses.borrow(), [seconds(1), seconds(1), seconds(1)]);

    server.forget();
    server.refusals.borrow_mut().clear();
    server.refusals.borrow_mut().extend([Retry::Later, Retry::Later]);
    let (_, reports) = load_well(&Client(server.clone()), &options, &store);
    let waits: Vec<f64> = reports.iter().filter_map(|report| report.retry_in_ms).collect();
    assert_eq!(waits, [500.0, 1000.0]);
    assert_eq!(*server.pauses.borrow(), [Duration::from_millis(500), seconds(1)]);
}

#[test]
fn failures_that_stay_are_errors_at_once() {
    let (store, server) = (MemoryStore::default(), Server::new(&file()));
    server.refusals.borrow_mut().push_back(Retry::Never);
    assert_eq!(
        error_of(load_with(&Client(server.clone()), &LoadOptions::default(), &store)).kind(),
        ErrorKind::Network
    );
    assert_eq!(server.requests.borrow().len(), 1);
    assert_eq!(*server.pauses.borrow(), []);
}

#[test]
fn a_mirror_goes_on_where_another_one_stopped() {
    let (file, store) = (file(), MemoryStore::default());
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let server = Server::with_addresses(&file, &urls);
    let cut = RECORD_BYTES as u64 + 1000;
    server.cuts.borrow_mut().push_back(cut);
    *server.after.borrow_mut() = Some((
        cut,
        Box::new(move |server| {
            server.gone.borrow_mut().push(urls[0].to_string());
            server.validator.replace(Some("\"of b\"".to_string()));
        }),
    ));
    let (loaded, reports) = load_well(&Client(server.clone()), &with_sha256(&sha256(&file)), &store);
    assert!(loaded.stored);
    assert_eq!(server.sent_bytes.get(), file.len() as u64);
    assert_eq!(notices(&reports), []);
    let manifest = manifest(&store).expect("the file is stored");
    assert_eq!((manifest.url.as_str(), manifest.validator.as_deref()), (urls[1], Some("\"of b\"")));

    server.gone.borrow_mut().push(urls[1].to_string());
    let error = error_of(load_with(&Client(server), &LoadOptions::default(), &MemoryStore::default()));
    assert!(error.to_string().contains(urls[1]), "{error}");
}

/// The file with one bit of a record changed.
fn changed_in(record: usize) -> Vec<u8> {
    let mut bytes = file();
    bytes[(record + 1) * RECORD_BYTES - 1] ^= 1;
    bytes
}

#[test]
fn a_mirror_that_nothing_vouches_for_proves_all_that_is_there() {
    let (same, other) = (file(), changed_in(0));
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let cut = 2 * RECORD_BYTES as u64 + 1000;
    for validator in [Some("\"1\""), None] {
        for (name, of_mirror) in [("the same file", &same), ("another file of that length", &other)] {
            let start = || {
                let server = Server::with_addresses(&same, &urls);
                server.change(&same, validator);
                server.cuts.borrow_mut().push_back(cut);
                server
            };
            // A validator is only of the server that sends it: that both have the same one means nothing.
            let fail_over = {
                let file = of_mirror.clone();
                move |server: &Server| {
                    server.gone.replace(vec![urls[0].to_string()]);
                    server.change(&file, validator);
                }
            };
            let assert_whole =
                |(loaded, reports): (Loaded<CpuBackend>, Vec<Progress>), store: &MemoryStore, server: &Server| {
                    assert!(loaded.stored, "{name}");
                    let stored = manifest(store).expect("the file is stored");
                    assert_eq!(stored.sha256, Some(sha256(of_mirror)), "{name}");
                    assert_eq!((stored.url.as_str(), stored.validator.as_deref()), (urls[1], validator), "{name}");
                    if name == "the same file" {
                        assert_eq!(notices(&reports), [], "{name}");
                        // Without a name the first server had to prove itself, too, after the request for the head.
                        let proof = if validator.is_some() { 0 } else { RECORD_BYTES };
                        assert_eq!(server.sent_bytes.get(), cut + (proof + same.len()) as u64, "{name}");
                    } else {
                        assert_eq!(notices(&reports), [Notice::Changed], "{name}");
                    }
                };

            // Within one load.
            let (store, server) = (MemoryStore::default(), start());
            *server.after.borrow_mut() = Some((cut, Box::new(fail_over.clone())));
            assert_whole(load_well(&Client(server.clone()), &LoadOptions::default(), &store), &store, &server);

            // Between two.
            let (store, server) = (MemoryStore::default(), start());
            server.gone.replace(vec![urls[1].to_string()]);
            error_of(load_with(&Client(server.clone()), &impatient(), &store));
            assert_eq!(stored_records(&store), [0, 1]);
            fail_over(&server);
            assert_whole(load_well(&Client(server.clone()), &LoadOptions::default(), &store), &store, &server);
        }
    }
}

#[test]
fn a_mirror_is_held_to_what_came_before_where_nothing_is_kept() {
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let (cut, other) = (2 * RECORD_BYTES as u64 + 1000, changed_in(0));
    let server = Server::with_addresses(&file(), &urls);
    server.cuts.borrow_mut().push_back(cut);
    *server.after.borrow_mut() = Some((
        cut,
        Box::new(move |server| {
            server.gone.borrow_mut().push(urls[0].to_string());
            server.change(&other, Some("\"of b\""));
        }),
    ));
    let mut reports = Vec::new();
    let on_progress = |progress| {
        reports.push(progress);
        ControlFlow::Continue(())
    };
    let store = None::<&MemoryStore>;
    block_on(load(&Processor, URL, &LoadOptions::default(), store, &Client(server), on_progress))
        .expect("loading succeeds");
    assert_eq!(notices(&reports), [Notice::Changed]);
}

#[test]
fn a_proof_goes_on_where_it_broke_off() {
    let file = TinyModel { layers: 8, tensor_type: Some(GgmlDType::F32), ..TinyModel::default() }.bytes();
    let record = RECORD_BYTES as u64;
    assert!(file.len() as u64 > 4 * record + 1000);
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let (server, store) = (Server::with_addresses(&file, &urls), MemoryStore::default());
    let (cut, cut_in_proof) = (4 * record + 1000, 3 * record + 500);
    server.cuts.borrow_mut().extend([cut, cut_in_proof]);
    *server.after.borrow_mut() =
        Some((cut, Box::new(move |server| server.gone.borrow_mut().push(urls[0].to_string()))));
    let (loaded, reports) = load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    assert!(loaded.stored);
    assert_eq!(notices(&reports), []);
    let starts: Vec<u64> =
        server.requests.borrow().iter().filter(|(url, _)| url == urls[1]).map(|(_, range)| range.start).collect();
    assert_eq!(starts, [0, 2 * record], "the last record that was compared comes once more");
}

#[test]
fn a_mirrors_hash_says_nothing_of_what_came_from_elsewhere() {
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let cut = 2 * RECORD_BYTES as u64 + 1000;
    for is_kept in [true, false] {
        let (server, other, store) =
            (Server::with_addresses(&file(), &urls), changed_in(0), is_kept.then(MemoryStore::default));
        // The second cut is in the proof.
        server.cuts.borrow_mut().extend([cut, 1000]);
        *server.after.borrow_mut() = Some((
            cut,
            Box::new(move |server| {
                server.gone.borrow_mut().push(urls[0].to_string());
                server.change(&other, Some("\"of b\""));
                server.sha256.replace(Some(sha256(&other)));
            }),
        ));
        let mut reports = Vec::new();
        let on_progress = |progress| {
            reports.push(progress);
            ControlFlow::Continue(())
        };
        let options = LoadOptions::default();
        block_on(load(&Processor, URL, &options, store.as_ref(), &Client(server), on_progress))
            .expect("loading succeeds");
        assert_eq!(notices(&reports), [Notice::Changed], "kept: {is_kept}");
    }
}

#[test]
fn a_version_that_loses_its_name_is_proved() {
    let (same, other) = (file(), changed_in(1));
    let cut = 2 * RECORD_BYTES as u64 + 1000;
    for hears_validators in [true, false] {
        for (name, after, expected) in [("the same file", &same, &[][..]), ("another file", &other, &[Notice::Changed])]
        {
            let start = || {
                let server = Server::new(&same);
                server.hears_validators.set(hears_validators);
                server.cuts.borrow_mut().push_back(cut);
                server
            };
            // Within one load.
            let (store, server, file) = (MemoryStore::default(), start(), after.clone());
            *server.after.borrow_mut() = Some((cut, Box::new(move |server| server.change(&file, None))));
            let (loaded, reports) = load_well(&Client(server), &LoadOptions::default(), &store);
            assert!(loaded.stored, "{name}");
            assert_eq!(notices(&reports), expected, "{name}");
            assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), Some(sha256(after)), "{name}");

            // Between two.
            let (store, server) = (MemoryStore::default(), start());
            error_of(load_with(&Client(server.clone()), &impatient(), &store));
            server.change(after, None);
            let (loaded, reports) = load_well(&Client(server), &impatient(), &store);
            assert!(loaded.stored, "{name}");
            assert_eq!(notices(&reports), expected, "{name}");
            let manifest = manifest(&store).expect("the file is stored");
            assert_eq!((manifest.sha256, manifest.validator), (Some(sha256(after)), None), "{name}");
        }
    }
}

/// A [`MemoryStore`] with a fault.
#[derive(Default)]
struct FaultyStore {
    store: MemoryStore,
    /// How many more records there is room for; `None` for all.
    room: Cell<Option<u32>>,
    /// What it says of its room.
    free_bytes: Cell<Option<u64>>,
    /// Whether nothing in it works.
    is_broken: Cell<bool>,
    /// What it says that it has, instead of the truth.
    manifest: RefCell<Option<Manifest>>,
}

impl FaultyStore {
    fn check(&self) -> Result<(), StoreFailure> {
        if self.is_broken.get() { Err(StoreFailure::Refused("broken".to_string())) } else { Ok(()) }
    }
}

impl Store for FaultyStore {
    async fn manifest(&self, key: &str) -> Result<Option<Manifest>, StoreFailure> {
        self.check()?;
        if let Some(manifest) = &*self.manifest.borrow() {
            return Ok(Some(manifest.clone()));
        }
        self.store.manifest(key).await
    }

    async fn read_record(&self, key: &str, index: u32, buffer: &mut Vec<u8>) -> Result<Option<String>, StoreFailure> {
        self.check()?;
        self.store.read_record(key, index, buffer).await
    }

    async fn write_record(
        &self,
        key: &str,
        index: u32,
        bytes: &[u8],
        manifest: &Manifest,
        write: Write,
    ) -> Result<(), StoreFailure> {
        self.check()?;
        if let Some(room) = self.room.get() {
            self.room.set(Some(room.checked_sub(1).ok_or(StoreFailure::Full)?));
        }
        self.store.write_record(key, index, bytes, manifest, write).await
    }

    async fn write_manifest(&self, key: &str, manifest: &Manifest) -> Result<(), StoreFailure> {
        self.check()?;
        self.store.write_manifest(key, manifest).await
    }

    async fn remove(&self, key: &str) -> Result<(), StoreFailure> {
        self.check()?;
        self.store.remove(key).await
    }

    async fn free_bytes(&self) -> Option<u64> {
        self.free_bytes.get()
    }
}

const FULL: Notice = Notice::NotKept { reason: NotKept::NoRoom, missing_bytes: None };

#[test]
fn a_disk_that_gets_full_keeps_what_it_has_for_the_next_load() {
    let file = file();
    for room in 0..RECORDS as u32 {
        let (store, server) =
            (FaultyStore { room: Cell::new(Some(room)), ..FaultyStore::default() }, Server::new(&file));
        let (loaded, reports) = load_well(&Client(server.clone()), &LoadOptions::default(), &store);
        assert!(!loaded.stored && !is_complete(&store));
        assert_eq!(notices(&reports), [FULL]);
        assert_eq!(stored_records(&store.store), (0..room).collect::<Vec<_>>());
        assert!(!answer(loaded).is_empty());

        server.forget();
        store.room.set(None);
        let (loaded, reports) = load_well(&Client(server.clone()), &LoadOptions::default(), &store);
        assert!(loaded.stored && is_complete(&store));
        assert_eq!(notices(&reports), []);
        assert_eq!(server.sent_bytes.get(), (file.len() - room as usize * RECORD_BYTES) as u64);
    }
}

#[test]
fn a_file_that_is_too_large_for_the_room_is_not_stored_and_that_is_said() {
    let (file, store) = (file(), FaultyStore::default());
    let server = Server::new(&file);
    store.free_bytes.set(Some(file.len() as u64 - 1000));
    let (loaded, reports) = load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    assert!(!loaded.stored);
    assert_eq!(notices(&reports), [Notice::NotKept { reason: NotKept::NoRoom, missing_bytes: Some(1000) }]);
    assert_eq!(stored_records(&store.store), [] as [u32; 0]);

    // Only what isn't there yet needs room.
    store.free_bytes.set(None);
    server.cuts.borrow_mut().push_back(RECORD_BYTES as u64 + 1);
    error_of(load_with(&Client(server.clone()), &impatient(), &store));
    store.free_bytes.set(Some((file.len() - RECORD_BYTES) as u64));
    assert!(load_well(&Client(server), &impatient(), &store).0.stored);
}

#[test]
fn a_store_that_refuses_is_left_aside() {
    let (file, store) = (file(), FaultyStore::default());
    store.is_broken.set(true);
    let (loaded, reports) = load_well(&Client(Server::new(&file)), &LoadOptions::default(), &store);
    assert!(!loaded.stored);
    assert_eq!(notices(&reports), [Notice::NotKept { reason: NotKept::Refused, missing_bytes: None }]);
    assert!(!answer(loaded).is_empty());
}

#[test]
fn a_store_that_fails_in_the_middle_is_left_aside() {
    let (file, server) = (file(), Server::new(&file()));
    let store = FaultyStore::default();
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    let on_progress = |progress: Progress| {
        store.is_broken.set(progress.loaded_bytes >= RECORD_BYTES as u64);
        ControlFlow::Continue(())
    };
    server.forget();
    let client = Client(server.clone());
    let loaded = block_on(load(&Processor, URL, &LoadOptions::default(), Some(&store), &client, on_progress));
    assert!(!loaded.expect("the server has the rest").stored);
    assert_eq!(server.sent_bytes.get(), (file.len() - RECORD_BYTES) as u64);
    store.is_broken.set(false);
    assert!(is_complete(&store), "it may work again");
}

#[test]
fn a_file_that_is_no_model_is_not_kept() {
    let mut wrong = file();
    let at = wrong.windows(5).position(|bytes| bytes == b"qwen2").expect("the file names its architecture");
    wrong[at] = b'z';
    let short = &file()[..2 * RECORD_BYTES + 100];
    for (name, bytes, kind) in [
        ("another architecture", &wrong[..], ErrorKind::UnsupportedModel),
        ("a part of a file", short, ErrorKind::BadFile),
        ("nothing", &[], ErrorKind::BadFile),
    ] {
        let (store, server) = (MemoryStore::default(), Server::new(bytes));
        let error = error_of(load_with(&Client(server), &LoadOptions::default(), &store));
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(manifest(&store), None, "{name}");
        assert_eq!(stored_records(&store), [] as [u32; 0], "{name}");
    }
}

#[test]
fn a_file_that_is_shorter_than_its_server_says_is_given_up() {
    // The head promises more than there is, and so does the server.
    let file = file();
    let server = Server::new(&file[..file.len() - 1000]);
    server.exaggerates_by.set(1000);
    let store = MemoryStore::default();
    let error = error_of(load_with(&Client(server), &LoadOptions::default(), &store));
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!is_complete(&store));
}

#[test]
fn a_file_that_another_tab_removes_or_replaces_is_loaded_but_not_kept() {
    let (file, other) = (file_of(1), file_of(2));
    for replacement in [None, Some(&other)] {
        let (store, server) = (MemoryStore::default(), Server::new(&file));
        let mut is_pending = true;
        let mut reports = Vec::new();
        let on_progress = |progress: Progress| {
            reports.push(progress);
            if progress.loaded_bytes >= RECORD_BYTES as u64 && std::mem::take(&mut is_pending) {
                block_on(store.remove(URL)).expect("the store works");
                if let Some(other) = replacement {
                    load_well(&Client(Server::new(other)), &LoadOptions::default(), &store);
                }
            }
            ControlFlow::Continue(())
        };
        let loaded =
            block_on(load(&Processor, URL, &LoadOptions::default(), Some(&store), &Client(server), on_progress));
        assert!(!loaded.expect("the server has it all").stored);
        assert_eq!(notices(&reports), [Notice::NotKept { reason: NotKept::Refused, missing_bytes: None }]);
        assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), replacement.map(|other| sha256(other)));
        assert_eq!(stored_records(&store).len(), if replacement.is_some() { RECORDS } else { 0 });
    }
}

#[test]
fn a_load_from_the_store_that_another_tab_empties_is_not_said_to_be_stored() {
    let (store, server) = (MemoryStore::default(), Server::new(&file()));
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    let on_progress = |progress: Progress| {
        if progress.phase == Phase::Verify {
            block_on(store.remove(URL)).expect("the store works");
        }
        ControlFlow::Continue(())
    };
    let client = Client(server);
    let loaded = block_on(load(&Processor, URL, &LoadOptions::default(), Some(&store), &client, on_progress));
    assert!(!loaded.expect("all was read").stored);
    assert_eq!(manifest(&store), None);
}

#[test]
fn a_stored_file_stays_until_something_of_the_one_that_is_wanted_is_kept() {
    let (old, new) = (file_of(1), file_of(2));
    let store = FaultyStore::default();
    let server = Server::new(&old);
    load_well(&Client(server.clone()), &LoadOptions::default(), &store);
    server.change(&new, Some("\"2\""));
    server.gone.borrow_mut().push(URL.to_string());
    error_of(load_with(&Client(server.clone()), &with_sha256(&sha256(&new)), &store));
    assert!(is_complete(&store));
    // What it has of the other one is room for the new one.
    server.gone.borrow_mut().clear();
    store.free_bytes.set(Some(0));
    assert!(load_well(&Client(server), &with_sha256(&sha256(&new)), &store).0.stored);
    assert_eq!(manifest(&store).and_then(|manifest| manifest.sha256), Some(sha256(&new)));
    assert_eq!(stored_records(&store.store).len(), RECORDS);
}

#[test]
fn a_manifest_that_is_complete_and_lacks_a_hash_is_verified_as_a_whole() {
    let (file, store) = (file(), FaultyStore::default());
    load_well(&Client(Server::new(&file)), &LoadOptions::default(), &store);
    let mut broken = manifest(&store).expect("the file is stored");
    broken.record_hashes[1] = None;
    store.manifest.replace(Some(broken));
    let mut bad = file.clone();
    bad[RECORD_BYTES + 5] ^= 1;
    let error = error_of(load_with(&Client(Server::new(&bad)), &LoadOptions::default(), &store));
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

#[test]
fn what_a_server_sends_instead_of_the_file_takes_nothing_away() {
    let file = file();
    let promised = with_sha256(&sha256(&file));
    const TEXT: &[u8] = b"{ \"error\": \"too many requests\" }";
    let pages: [(&str, &dyn Fn() -> Page); 2] = [("a page", &|| Page::Html), ("a text", &|| Page::Text(TEXT))];
    for (name, page) in pages {
        // A part of the file is stored, or all of it and one record is damaged.
        for is_whole in [false, true] {
            for options in [LoadOptions::default(), promised.clone()] {
                let (store, server) = (MemoryStore::default(), Server::new(&file));
                if is_whole {
                    load_well(&Client(server.clone()), &options, &store);
                    store.damage_record(URL, 1, Some(vec![0; 100]));
                } else {
                    server.cuts.borrow_mut().push_back(2 * RECORD_BYTES as u64 + 5);
                    let options = LoadOptions { patience: Duration::ZERO, ..options.clone() };
                    error_of(load_with(&Client(server.clone()), &options, &store));
                }
                let before = (manifest(&store), stored_records(&store));
                server.pages.borrow_mut().extend([page(), page()]);
                let error = error_of(load_with(&Client(server.clone()), &options, &store));
                // Without a hash a shorter answer may as well be a new version, which is no model then.
                let may_be_file = name == "a text" && options.sha256.is_none();
                let expected = if may_be_file { ErrorKind::BadFile } else { ErrorKind::Network };
                assert_eq!(error.kind(), expected, "{name}: {error}");
                assert_eq!((manifest(&store), stored_records(&store)), before, "{name}");

                server.pages.borrow_mut().clear();
                server.forget();
                assert!(load_well(&Client(server.clone()), &options, &store).0.stored, "{name}");
                assert!(server.sent_bytes.get() <= RECORD_BYTES as u64, "{name}: the rest is still there");
            }
        }
    }
}

#[test]
fn another_address_is_asked_when_one_sends_something_else() {
    let (file, store) = (file(), MemoryStore::default());
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let server = Server::with_addresses(&file, &urls);
    let promised = with_sha256(&sha256(&file));
    server.cuts.borrow_mut().push_back(RECORD_BYTES as u64 + 5);
    *server.after.borrow_mut() =
        Some((RECORD_BYTES as u64, Box::new(|server| server.pages.borrow_mut().push_back(Page::Text(b"no")))));
    assert!(load_well(&Client(server.clone()), &promised, &store).0.stored);
    assert_eq!(server.sent_bytes.get(), file.len() as u64, "nothing came twice");
    assert_eq!(server.requests.borrow().last().map(|(url, _)| url.as_str()), Some(urls[1]));
}

#[test]
fn after_the_last_address_comes_the_first() {
    let (file, store) = (file(), MemoryStore::default());
    let urls = ["https://a.example/model.gguf", "https://b.example/model.gguf"];
    let server = Server::with_addresses(&file, &urls);
    let promised = with_sha256(&sha256(&file));
    // The first one is gone for a while, and then the other one.
    server.gone.borrow_mut().push(urls[0].to_string());
    server.cuts.borrow_mut().push_back(RECORD_BYTES as u64 + 5);
    *server.after.borrow_mut() = Some((
        RECORD_BYTES as u64,
        Box::new(move |server| {
            server.gone.replace(vec![urls[1].to_string()]);
        }),
    ));
    assert!(load_well(&Client(server.clone()), &promised, &store).0.stored);
    assert_eq!(server.requests.borrow().last().map(|(url, _)| url.as_str()), Some(urls[0]));

    // The next load begins where the bytes came from last.
    let store = MemoryStore::default();
    server.gone.replace(vec![urls[0].to_string()]);
    server.cuts.borrow_mut().push_back(RECORD_BYTES as u64 + 5);
    let impatient = LoadOptions { patience: Duration::ZERO, ..promised.clone() };
    error_of(load_with(&Client(server.clone()), &impatient, &store));
    server.gone.replace(vec![urls[1].to_string()]);
    assert!(load_well(&Client(server.clone()), &promised, &store).0.stored);

    server.gone.replace(urls.map(str::to_string).to_vec());
    server.forget();
    error_of(load_with(&Client(server.clone()), &promised, &MemoryStore::default()));
    assert_eq!(server.requests.borrow().len(), 2, "each is asked once");
}

#[test]
fn a_server_without_ranges_has_time_to_send_what_is_there() {
    let (file, store) = (file(), MemoryStore::default());
    let server = Server::new(&file);
    server.does_ranges.set(false);
    server.cuts.borrow_mut().push_back(2 * RECORD_BYTES as u64 + 5);
    error_of(load_with(&Client(server.clone()), &impatient(), &store));
    server.forget();
    // Together these take longer than a server gets that never answered.
    server.cuts.borrow_mut().extend([1, 2, 3, 4, 5].map(|n| n * 1_000_000));
    assert!(load_well(&Client(server.clone()), &LoadOptions::default(), &store).0.stored);
    assert_eq!(server.pauses.borrow().iter().sum::<Duration>(), Duration::from_millis(15_500));
}

#[test]
fn a_server_without_ranges_that_always_breaks_at_the_same_place_is_given_up() {
    let server = Server::new(&file());
    server.does_ranges.set(false);
    server.cuts.borrow_mut().extend([RECORD_BYTES as u64 + 1000; 50]);
    let error = error_of(load_with(&Client(server.clone()), &LoadOptions::default(), &MemoryStore::default()));
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(server.pauses.borrow().iter().sum::<Duration>() <= LoadOptions::default().patience);
}

#[test]
fn a_length_that_no_model_has_is_refused() {
    let server = Server::new(&file());
    server.exaggerates_by.set(u64::MAX / 2);
    let error = error_of(load_with(&Client(server.clone()), &LoadOptions::default(), &MemoryStore::default()));
    assert_eq!(error.kind(), ErrorKind::BadFile);
    assert_eq!(server.sent_bytes.get(), 0);
}
