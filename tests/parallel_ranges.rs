//! Several ranges at the same time: when they are tried, when they are given up, and that neither costs anything else.

use std::cell::RefCell;
use std::iter;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::time::Duration;

use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::cpu::{CpuBackend, Processor};
use qwisp::fetch::Retry;
use qwisp::load::{LoadOptions, Loaded, Progress, load};
use qwisp::store::{Manifest, MemoryStore, RECORD_BYTES, Store, Write};
use sha2::{Digest, Sha256};

use self::support::slow_server::{Fault, SlowClient, SlowServer};
use self::support::tiny_model::TinyModel;

mod support;

const URL: &str = "https://example.org/model.gguf";
const RECORDS: usize = 24;
/// A connection that is limited, in bytes per second.
const SLOW: f64 = 1e6;
/// At that speed the first body brings the head, and the second one two records, before ranges are tried.
const FIRST_TRIED: usize = 4;
/// So many at the same time.
const PARALLEL: usize = 4;

/// A file of many records.
fn file() -> Vec<u8> {
    let bytes = TinyModel { padding_bytes: 96_000_000, ..TinyModel::default() }.bytes();
    assert_eq!(bytes.len().div_ceil(RECORD_BYTES), RECORDS);
    bytes
}

/// The place of some records in the file.
fn range(records: Range<usize>, file: &[u8]) -> Range<u64> {
    (records.start * RECORD_BYTES) as u64..(records.end * RECORD_BYTES).min(file.len()) as u64
}

/// Each of some records.
fn each(records: Range<usize>, file: &[u8]) -> Vec<Range<u64>> {
    records.map(|index| range(index..index + 1, file)).collect()
}

/// What one body asks for before ranges are tried.
fn first_requests(file: &[u8]) -> Vec<Range<u64>> {
    vec![range(0..2, file), range(2..RECORDS, file)]
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The options of a load whose whole is verified in the end.
fn promised(file: &[u8]) -> LoadOptions {
    LoadOptions { sha256: Some(sha256(file)), ..LoadOptions::default() }
}

fn requests(server: &SlowServer) -> Vec<Range<u64>> {
    server.server.requests.borrow().iter().map(|(_, range)| range.clone()).collect()
}

/// Loads; returns how long it took as well.
fn load_with(
    server: &Rc<SlowServer>,
    options: &LoadOptions,
    store: &MemoryStore,
    on_progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> (qwisp::Result<Loaded<CpuBackend>>, Duration) {
    // Of the records that aren't stored yet, one is in the caller's hands or asked for, like the others.
    let assert_few_are_ahead = |range: &Range<u64>| {
        let ahead = records_ahead(range, store);
        assert!(ahead < PARALLEL, "{range:?} is asked for, {ahead} records ahead");
    };
    let client = SlowClient::new(server, &assert_few_are_ahead);
    let outcome = server.clock.run(load(&Processor, URL, options, Some(store), &client, on_progress));
    assert!(server.most_bodies.get() <= PARALLEL, "{} bodies were open", server.most_bodies.get());
    assert_eq!(server.open_bodies.get(), 0);
    outcome
}

/// How far a range is beyond the first record that isn't stored.
fn records_ahead(range: &Range<u64>, store: &MemoryStore) -> usize {
    let stored = store.record_indexes(URL);
    range.start as usize / RECORD_BYTES - (0..).take_while(|index| stored.contains(index)).count()
}

/// Loads, and lets nothing go wrong.
fn load_well(server: &Rc<SlowServer>, options: &LoadOptions, store: &MemoryStore) -> Duration {
    let (loaded, took) = load_with(server, options, store, |_| ControlFlow::Continue(()));
    assert!(loaded.expect("loading succeeds").stored);
    took
}

/// A store that has all of a file but some records.
fn store_without(missing: &[Range<usize>], file: &[u8]) -> MemoryStore {
    let store = MemoryStore::default();
    let mut manifest = Manifest {
        total_bytes: file.len() as u64,
        record_bytes: RECORD_BYTES as u32,
        url: URL.to_string(),
        validator: Some("\"1\"".to_string()),
        sha256: Some(sha256(file)),
        record_hashes: vec![None; RECORDS],
        is_complete: false,
    };
    let writes = iter::once(Write::Create).chain(iter::repeat(Write::Add));
    let is_there = |index: &usize| !missing.iter().any(|missing| missing.contains(index));
    for (index, write) in (0..RECORDS).filter(is_there).zip(writes) {
        let record = &file[index * RECORD_BYTES..file.len().min((index + 1) * RECORD_BYTES)];
        manifest.record_hashes[index] = Some(sha256(record));
        block_on(store.write_record(URL, index as u32, record, &manifest, write)).expect("the store works");
    }
    store
}

#[test]
fn connections_that_are_limited_one_by_one_are_faster_in_parallel() {
    let file = file();
    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    let mut reports = Vec::new();
    let on_progress = |progress: Progress| {
        // Not all of the chunks that come at the same time are there when the first one is told.
        let not_told = server.server.sent_bytes.get() - progress.loaded_bytes;
        assert!(not_told < RECORD_BYTES as u64 / 8, "{not_told} bytes have come and aren't told");
        reports.push(progress);
        ControlFlow::Continue(())
    };
    let (loaded, took) = load_with(&server, &promised(&file), &store, on_progress);
    assert!(loaded.expect("loading succeeds").stored);
    let expected = [first_requests(&file), each(FIRST_TRIED..RECORDS, &file)].concat();
    assert_eq!(requests(&server), expected);
    assert_eq!(server.most_bodies.get(), PARALLEL);
    assert_eq!(server.server.sent_bytes.get(), file.len() as u64, "no byte came twice");
    let seconds = |bytes: usize| bytes as f64 / SLOW;
    let (first, rest) = (FIRST_TRIED * RECORD_BYTES, file.len() - FIRST_TRIED * RECORD_BYTES);
    let fastest = seconds(first) + seconds(rest) / PARALLEL as f64;
    assert!(took.as_secs_f64() < 1.05 * fastest, "{took:?}, {fastest} s would be the least");
    assert!(reports.is_sorted_by_key(|report| report.loaded_bytes));
    let last = reports.iter().rfind(|report| report.loaded_bytes < 9 * (file.len() as u64 / 10)).expect("it is told");
    let (speed, left) = (last.bytes_per_second.unwrap_or(0.0), last.seconds_left.unwrap_or(0.0));
    assert!((speed / SLOW - PARALLEL as f64).abs() < 0.4, "{speed} bytes per second are told");
    assert!((left * speed - (file.len() as u64 - last.loaded_bytes) as f64).abs() < 1.0, "{left} s are told");
}

#[test]
fn a_line_that_is_slow_as_a_whole_goes_back_to_one_body_and_nothing_is_tried_again() {
    let file = file();
    let (server, store) = (SlowServer::new(&file, f64::INFINITY, SLOW), MemoryStore::default());
    let took = load_well(&server, &promised(&file), &store);
    let back = FIRST_TRIED + PARALLEL;
    let expected = [first_requests(&file), each(FIRST_TRIED..back, &file), vec![range(back..RECORDS, &file)]].concat();
    assert_eq!(requests(&server), expected);
    assert_eq!(server.server.sent_bytes.get(), file.len() as u64, "no byte came twice");
    let fastest = file.len() as f64 / SLOW;
    assert!(took.as_secs_f64() < 1.01 * fastest, "{took:?}, {fastest} s would be the least");
}

#[test]
fn a_connection_that_is_fast_enough_has_one_body() {
    let file = file();
    for rate in [3.1e6, 50e6] {
        let (server, store) = (SlowServer::new(&file, rate, f64::INFINITY), MemoryStore::default());
        load_well(&server, &promised(&file), &store);
        assert_eq!(requests(&server), first_requests(&file), "{rate} bytes per second");
    }
}

#[test]
fn nothing_is_tried_where_it_isnt_safe() {
    let file = file();
    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    load_well(&server, &LoadOptions::default(), &store);
    assert_eq!(requests(&server), first_requests(&file), "nobody knows the hash of the whole");

    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    server.server.does_ranges.set(false);
    load_well(&server, &promised(&file), &store);
    assert_eq!(requests(&server), [range(0..2, &file)], "the server doesn't do ranges");

    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    load_well(&server, &LoadOptions { patience: Duration::ZERO, ..promised(&file) }, &store);
    assert_eq!(requests(&server), first_requests(&file), "the first failure would be the end");
}

/// Connections that are equally limited bring their records at the same time.
#[test]
fn the_next_requests_leave_before_a_record_is_stored() {
    let file = file();
    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    let ahead = RefCell::new(Vec::new());
    let on_open = |range: &Range<u64>| ahead.borrow_mut().push(records_ahead(range, &store));
    let (client, options) = (SlowClient::new(&server, &on_open), promised(&file));
    let loading = load(&Processor, URL, &options, Some(&store), &client, |_| ControlFlow::Continue(()));
    let (loaded, _) = server.clock.run(loading);
    assert!(loaded.expect("loading succeeds").stored);
    let after_the_first_four = &ahead.borrow()[first_requests(&file).len() + PARALLEL..];
    assert_eq!(after_the_first_four, [PARALLEL - 1; RECORDS - FIRST_TRIED - PARALLEL]);
}

#[test]
fn any_failure_ends_it_and_one_body_goes_on_at_the_first_byte_that_is_missing() {
    let file = file();
    let after_three_seconds = Retry::After(Duration::from_secs(3));
    let faults = [
        Fault::Status(Retry::Later),
        Fault::Status(Retry::Never),
        Fault::Status(after_three_seconds),
        Fault::WholeFile,
        Fault::OtherLength,
        Fault::OtherValidator,
        Fault::ShortBody,
        Fault::BreaksOff,
        Fault::Stalls,
    ];
    let in_trial = FIRST_TRIED + 2;
    // The first one, one behind others in the trial, and one long after it.
    let cases = faults.map(|fault| (in_trial, fault)).into_iter().chain([
        (FIRST_TRIED, Fault::Status(Retry::Later)),
        (FIRST_TRIED, Fault::BreaksOff),
        (FIRST_TRIED + 9, Fault::OtherValidator),
        (FIRST_TRIED + 9, Fault::ShortBody),
    ]);
    for (record, fault) in cases {
        let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
        server.fault.set(Some(((record * RECORD_BYTES) as u64, fault)));
        load_well(&server, &promised(&file), &store);
        assert_eq!(server.fault.get(), None, "{fault:?} of record {record}");
        let asked = requests(&server);
        assert_eq!(asked.last(), Some(&range(record..RECORDS, &file)), "{fault:?} of record {record}");
        let in_parallel = asked.len() - 1 - first_requests(&file).len();
        assert!(in_parallel < record + PARALLEL - FIRST_TRIED + 1, "{fault:?} of record {record}: {asked:?}");
        let again = server.server.sent_bytes.get() - file.len() as u64;
        assert!(again < (PARALLEL * RECORD_BYTES) as u64, "{fault:?} of record {record}: {again} bytes came twice");
        let paused: Duration = server.server.pauses.borrow().iter().sum();
        let pause = if fault == Fault::Status(after_three_seconds) { 3000 } else { 500 };
        assert_eq!(paused, Duration::from_millis(pause), "{fault:?} of record {record}");
    }
}

#[test]
fn an_abort_ends_all_of_them() {
    let file = file();
    // The caller says so at the next report.
    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    let on_progress = |_| match server.open_bodies.get() > 1 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let (loaded, _) = load_with(&server, &promised(&file), &store, on_progress);
    assert_eq!(loaded.err().map(|error| error.kind()), Some(ErrorKind::Aborted));
    let (stored, asked) = (store.record_indexes(URL).len(), requests(&server).len());
    assert_eq!(stored, FIRST_TRIED);

    // What is left is loaded by the next one, which asks for nothing that is there.
    load_well(&server, &promised(&file), &store);
    assert_eq!(requests(&server)[asked], range(stored..RECORDS, &file));

    // Or everything that is under way fails.
    let (server, store) = (SlowServer::new(&file, SLOW, f64::INFINITY), MemoryStore::default());
    server.fault.set(Some((((FIRST_TRIED + 1) * RECORD_BYTES) as u64, Fault::Aborted)));
    let (loaded, took) = load_with(&server, &promised(&file), &store, |_| ControlFlow::Continue(()));
    assert_eq!(loaded.err().map(|error| error.kind()), Some(ErrorKind::Aborted));
    let at = (FIRST_TRIED * RECORD_BYTES) as f64 / SLOW + 1.0;
    assert!(took.as_secs_f64() < at + 1.0, "it took {took:?}, and was aborted after {at} s");
}

#[test]
fn only_records_that_are_missing_are_fetched() {
    let file = file();
    let (first, second) = (2..14, 15..RECORDS - 1);
    let store = store_without(&[first.clone(), second.clone()], &file);
    let server = SlowServer::new(&file, SLOW, f64::INFINITY);
    load_well(&server, &promised(&file), &store);
    // One body brings two records before ranges are tried.
    let tried = first.start + 2..first.end;
    let expected = [vec![range(first.clone(), &file)], each(tried, &file), each(second.clone(), &file)].concat();
    assert_eq!(requests(&server), expected);
    assert_eq!(server.server.sent_bytes.get(), ((first.len() + second.len()) * RECORD_BYTES) as u64);
}

#[test]
fn a_few_records_arent_worth_it() {
    let file = file();
    // After the two that show that it is slow there are seven.
    let missing = RECORDS - 9..RECORDS;
    let store = store_without(std::slice::from_ref(&missing), &file);
    let server = SlowServer::new(&file, SLOW, f64::INFINITY);
    load_well(&server, &promised(&file), &store);
    assert_eq!(requests(&server), [range(missing, &file)]);
}
