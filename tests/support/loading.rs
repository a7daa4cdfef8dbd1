//! From the bytes of a file to a model or an engine, without a disk.

use std::ops::ControlFlow;

use pollster::block_on;
use qwisp::backend::KvCacheFormat;
use qwisp::backend::gpu::GpuBackend;
use qwisp::backend::gpu::device::Device;
use qwisp::backend::gpu::tensor::Tensor;
use qwisp::engine::Engine;
use qwisp::fetch::Source;
use qwisp::gguf::Header;
use qwisp::load::{LoadOptions, load};
use qwisp::model::{Config, Model, Weights};
use qwisp::store::MemoryStore;

use super::gpu::open_device;

/// A file in memory.
pub(crate) struct MemorySource<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> MemorySource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }
}

impl Source for MemorySource<'_> {
    fn total_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read(&mut self, buffer: &mut Vec<u8>) -> qwisp::Result<()> {
        let rest = &self.bytes[self.position..];
        let length = rest.len().min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&rest[..length]);
        self.position += length;
        Ok(())
    }
}

/// Loads an engine from a good file.
pub(crate) fn load_engine(gguf: &[u8], context_length: Option<usize>) -> Engine<GpuBackend> {
    load_engine_with(gguf, &LoadOptions { context_length, ..LoadOptions::default() })
}

/// Loads an engine from a good file with these options.
pub(crate) fn load_engine_with(gguf: &[u8], options: &LoadOptions) -> Engine<GpuBackend> {
    let open = async || Ok(MemorySource::new(gguf));
    let device = open_device();
    let loaded = load(&device, "", options, None::<&MemoryStore>, open, |_| ControlFlow::Continue(()));
    block_on(loaded).expect("the file is good").engine
}

/// The parts of a model from a good file, its weights uploaded from pieces of `piece_bytes`.
pub(crate) fn load_parts(device: Device, gguf: &[u8], piece_bytes: usize) -> (Config, GpuBackend, Weights<Tensor>) {
    load_parts_with(device, gguf, piece_bytes, KvCacheFormat::F16)
}

fn load_parts_with(
    device: Device,
    gguf: &[u8],
    piece_bytes: usize,
    kv_cache: KvCacheFormat,
) -> (Config, GpuBackend, Weights<Tensor>) {
    let header = Header::parse(gguf, gguf.len() as u64).expect("the head is good").expect("the head is complete");
    let mut config = Config::from_header(&header, None).expect("the metadata is good");
    config.dimensions.kv_cache = kv_cache;
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
    load_model_with(device, gguf, KvCacheFormat::F16)
}

/// The same with a KV cache of this format.
pub(crate) fn load_model_with(device: Device, gguf: &[u8], kv_cache: KvCacheFormat) -> Model<GpuBackend> {
    let (config, backend, weights) = load_parts_with(device, gguf, gguf.len(), kv_cache);
    Model::new(config, backend, weights).expect("there is room for the cache")
}
