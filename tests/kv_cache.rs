//! How the KV cache grows, and what becomes of it when the device refuses, on a device that only counts positions.

use pollster::block_on;
use qwisp::backend::{Backend, Counters, Dimensions, HeadNorms, KvCacheFormat, Projection};
use qwisp::gguf::TensorInfo;
use qwisp::model::KvCache;
use qwisp::sampling::Sampling;
use qwisp::{Error, ErrorKind, Result};

const LAYERS: usize = 3;

/// A device that has room for so many positions, all layers together.
struct CountingDevice {
    free_positions: usize,
    /// The most positions that were taken at a time.
    largest_use: usize,
    used_positions: usize,
}

impl CountingDevice {
    fn new(free_positions: usize) -> Self {
        Self { free_positions, largest_use: 0, used_positions: 0 }
    }

    fn take(&mut self, positions: usize) -> Result<()> {
        if self.free_positions < positions {
            return Err(Error::new(ErrorKind::OutOfMemory, "the device has no room"));
        }
        self.free_positions -= positions;
        self.used_positions += positions;
        self.largest_use = self.largest_use.max(self.used_positions);
        Ok(())
    }

    fn give_back(&mut self, positions: usize) {
        self.free_positions += positions;
        self.used_positions -= positions;
    }
}

impl Backend for CountingDevice {
    type Tensor = ();
    /// The positions that it has room for.
    type LayerCache = usize;
    type Answer = ();

    fn allocate_cache(&mut self, positions: usize) -> Result<usize> {
        self.take(positions)?;
        Ok(positions)
    }

    async fn grow_cache(&mut self, cache: &mut usize, positions: usize) -> Result<()> {
        assert!(positions > *cache, "a cache of {cache} can't grow to {positions}");
        self.take(positions)?;
        self.give_back(*cache);
        *cache = positions;
        Ok(())
    }

    fn free_cache(&mut self, cache: usize) {
        self.give_back(cache);
    }

    fn allocate(&mut self, _: &TensorInfo) -> Result<()> {
        unreachable!()
    }
    fn tensor_bytes((): &()) -> u64 {
        unreachable!()
    }
    fn upload(&mut self, (): &(), _: u64, _: &[u8]) {
        unreachable!()
    }
    fn finish_uploads(&mut self) {
        unreachable!()
    }
    async fn wait(&mut self) -> Result<()> {
        unreachable!()
    }
    async fn submit_ahead(&mut self) -> Result<()> {
        unreachable!()
    }
    fn begin(&mut self, _: &[u32], _: usize) {
        unreachable!()
    }
    fn begin_batch(&mut self, _: &[u32], _: &[usize]) {
        unreachable!()
    }
    fn attention_batch(&mut self, _: Option<&HeadNorms<()>>, _: &[&usize]) {
        unreachable!()
    }
    fn rehearse(&mut self, _: usize, _: usize) {
        unreachable!()
    }
    fn embed(&mut self, (): &(), (): &()) {
        unreachable!()
    }
    fn query_key_value(&mut self, (): &(), _: [&Projection<()>; 3]) {
        unreachable!()
    }
    fn attention(&mut self, _: Option<&HeadNorms<()>>, _: &usize) {
        unreachable!()
    }
    fn keep_last_row(&mut self) {
        unreachable!()
    }
    fn attention_output(&mut self, (): &(), (): &()) {
        unreachable!()
    }
    fn gate_up(&mut self, (): &(), (): &(), (): &()) {
        unreachable!()
    }
    fn feed_forward_output(&mut self, (): &(), (): &()) {
        unreachable!()
    }
    fn head(&mut self, (): &(), (): &(), _: usize, _: usize) {
        unreachable!()
    }
    async fn read_logits(&mut self) -> Result<Vec<f32>> {
        unreachable!()
    }
    fn can_sample(&self, _: &Sampling) -> bool {
        unreachable!()
    }
    fn begin_answer(&mut self, _: &Sampling, _: usize, _: &[u32]) {
        unreachable!()
    }
    fn sample(&mut self, (): &(), (): &()) {
        unreachable!()
    }
    fn allocate_answer(&mut self) {
        unreachable!()
    }
    fn free_answer(&mut self, (): ()) {
        unreachable!()
    }
    fn start_answer(&mut self, (): &(), _: &Sampling, _: usize, _: &[u32]) {
        unreachable!()
    }
    fn sample_rows(&mut self, (): &(), (): &(), _: &[Option<&()>]) {
        unreachable!()
    }
    async fn read_rows(&mut self) -> Result<Vec<Option<u32>>> {
        unreachable!()
    }
    fn submit_sampled(&mut self) {
        unreachable!()
    }
    fn begin_sampled(&mut self, _: usize) {
        unreachable!()
    }
    fn repeat(&mut self, _: usize) -> bool {
        unreachable!()
    }
    async fn read_sampled(&mut self) -> Result<u32> {
        unreachable!()
    }
    fn discard_sampled(&mut self) {
        unreachable!()
    }
    fn discard(&mut self) {
        unreachable!()
    }
    fn counters(&self) -> Counters {
        unreachable!()
    }
}

#[test]
fn a_cache_takes_what_the_conversation_needs_in_steps() {
    let mut device = CountingDevice::new(usize::MAX);
    let mut cache = KvCache::allocate(&mut device, LAYERS, 2500).expect("there is room");
    for (positions, each_layer) in [(1, 1024), (1024, 1024), (1025, 2048), (1, 2048), (2049, 2500), (2500, 2500)] {
        block_on(cache.reserve(&mut device, positions)).expect("there is room");
        assert_eq!(cache.layers, [each_layer; LAYERS], "{positions} positions");
        assert_eq!(device.used_positions, LAYERS * each_layer, "{positions} positions");
    }
    assert_eq!(device.largest_use, (LAYERS - 1) * 2500 + 2048 + 2500, "one layer has both for a moment");

    let mut small = KvCache::allocate(&mut device, LAYERS, 100).expect("there is room");
    block_on(small.reserve(&mut device, 100)).expect("there is room");
    assert_eq!(small.layers, [100; LAYERS]);
}

#[test]
fn a_cache_that_cannot_grow_keeps_what_it_holds() {
    // Enough for the first step, and for one layer of the second.
    let mut device = CountingDevice::new(LAYERS * 1024 + 2048);
    let mut cache = KvCache::allocate(&mut device, LAYERS, 4096).expect("there is room");
    let tokens = vec![7; 1024];
    cache.append(&tokens).expect("there is room");
    for _ in 0..2 {
        let error = block_on(cache.reserve(&mut device, 1025)).expect_err("there is no room");
        assert_eq!(error.kind(), ErrorKind::ContextFull, "{error}");
        assert!(error.to_string().contains("2048 tokens") && error.to_string().contains("at most 1024"), "{error}");
        assert_eq!(cache.tokens(), tokens);
        assert!(cache.layers.iter().all(|&positions| positions >= 1024));
    }
    // When others gave memory back, it goes on.
    device.free_positions = LAYERS * 2048;
    block_on(cache.reserve(&mut device, 1025)).expect("there is room");
    assert_eq!(cache.layers, [2048; LAYERS]);
    cache.append(&[8]).expect("there is room");
}

#[test]
fn a_cache_that_could_not_grow_far_still_grows_a_little() {
    // Enough for the first step, and for one layer of the third.
    let mut device = CountingDevice::new(LAYERS * 1024 + 3072);
    let mut cache = KvCache::allocate(&mut device, LAYERS, 4096).expect("there is room");
    block_on(cache.reserve(&mut device, 3000)).expect_err("there is no room");
    device.free_positions = LAYERS * 2048;
    block_on(cache.reserve(&mut device, 1025)).expect("there is room");
    assert_eq!(cache.layers, [3072, 2048, 2048]);
    block_on(cache.reserve(&mut device, 2049)).expect("there is room");
    assert_eq!(cache.layers, [3072; LAYERS]);
}

#[test]
fn a_device_without_room_for_a_full_cache_says_so_beforehand() {
    let mut device = CountingDevice::new(LAYERS * 4096 - 1);
    let cache = KvCache::allocate(&mut device, LAYERS, 4096).expect("there is room for the first step");
    let error = cache.try_capacity(&mut device).expect_err("there is no room for the rest");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);

    let mut device = CountingDevice::new(LAYERS * 4096);
    let cache = KvCache::allocate(&mut device, LAYERS, 4096).expect("there is room");
    cache.try_capacity(&mut device).expect("there is room");
    assert_eq!(device.used_positions, LAYERS * 1024, "what was only tried is given back");
}

/// The real models' sizes: layers, KV heads and dimensions of a head.
#[test]
fn a_position_takes_what_its_format_says() {
    let sizes = [
        ("Qwen2.5-0.5B", [24, 2, 64], [12_288, 6_528]),
        ("Qwen2.5-1.5B", [28, 2, 128], [28_672, 15_232]),
        ("Qwen3", [28, 8, 128], [114_688, 60_928]),
    ];
    for (name, [layers, kv_heads, head_dim], expected) in sizes {
        for (kv_cache, expected) in KvCacheFormat::ALL.into_iter().zip(expected) {
            let dimensions = Dimensions {
                layers,
                hidden: 64,
                feed_forward: 64,
                heads: kv_heads,
                kv_heads,
                head_dim,
                vocabulary: 1,
                context: 1,
                kv_cache,
                rms_epsilon: 1e-6,
                rope_base: 1e6,
            };
            assert_eq!(dimensions.kv_cache_bytes(), expected, "{name}, {kv_cache:?}");
        }
    }
    assert_eq!(KvCacheFormat::ALL.map(|format| KvCacheFormat::by_name(format.name())), KvCacheFormat::ALL.map(Some));
    assert_eq!(KvCacheFormat::by_name("q4"), None);
}
