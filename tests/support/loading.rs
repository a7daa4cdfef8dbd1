//! From the bytes of a file to a model or an engine, without a disk.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use pollster::block_on;
use qwisp::backend::gpu::GpuBackend;
use qwisp::backend::gpu::device::Device;
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::engine::Engine;
use qwisp::fetch::{Answer, Body, Failure, Source};
use qwisp::gguf::Header;
use qwisp::load::{LoadOptions, load};
use qwisp::model::{Config, Model, Weights};
use qwisp::store::MemoryStore;

use super::gpu::open_device;

/// A file in memory, from which everything comes as it is asked for.
pub(crate) struct MemorySource<'a> {
    bytes: &'a [u8],
    addresses: [String; 1],
}

impl<'a> MemorySource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, addresses: ["memory".to_string()] }
    }
}

impl<'a> Source for MemorySource<'a> {
    type Body = MemoryBody<'a>;

    fn addresses(&self) -> &[String] {
        &self.addresses
    }

    async fn open(&self, _: &str, range: Range<u64>, _: Option<&str>) -> Result<Answer<MemoryBody<'a>>, Failure> {
        let end = range.end.min(self.bytes.len() as u64) as usize;
        Ok(Answer {
            first: range.start,
            total_bytes: Some(self.bytes.len() as u64),
            validator: None,
            sha256: None,
            body: MemoryBody(&self.bytes[range.start as usize..end]),
        })
    }

    async fn pause(&self, _: Duration) -> bool {
        panic!("nothing fails, so nobody has to wait")
    }
}

/// The rest of a part of a file in memory.
pub(crate) struct MemoryBody<'a>(&'a [u8]);

impl Body for MemoryBody<'_> {
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        let (now, later) = self.0.split_at(limit.min(self.0.len()));
        buffer.extend_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

/// Loads an engine from a good file.
pub(crate) fn load_engine(gguf: &[u8], context_length: Option<usize>) -> Engine<GpuBackend> {
    let options = LoadOptions { context_length, ..LoadOptions::default() };
    let (device, source) = (open_device(), MemorySource::new(gguf));
    let loaded = load(&device, "", &options, None::<&MemoryStore>, &source, |_| ControlFlow::Continue(()));
    block_on(loaded).expect("the file is good").engine
}

/// The parts of a model from a good file, its weights uploaded from pieces of `piece_bytes`.
pub(crate) fn load_parts(device: Device, gguf: &[u8], piece_bytes: usize) -> (Config, GpuBackend, Weights<Tensor>) {
    let header = Header::parse(gguf, gguf.len() as u64).expect("the head is good").expect("the head is complete");
    let config = Config::from_header(&header, None).expect("the metadata is good");
    let mut backend = GpuBackend::new(device, config.dimensions.clone()).expect("the model is small enough");
    let (weights, mut loader) = Weights::allocate(&mut backend, &header, &config).expect("the tensors are good");
    for piece in gguf.chunks(piece_bytes) {
        loader.feed(&mut backend, piece);
    }
    assert!(loader.is_complete());
    (config, backend, weights)
}

/// A model from a good file.
pub(crate) fn load_model(gguf: &[u8]) -> Model<GpuBackend> {
    load_model_on(open_device(), gguf)
}

/// A model from a good file, on this device.
pub(crate) fn load_model_on(device: Device, gguf: &[u8]) -> Model<GpuBackend> {
    let (config, backend, weights) = load_parts(device, gguf, gguf.len());
    Model::new(config, backend, weights).expect("there is room for the cache")
}
