//! Models on the CPU.

use qwisp::backend::KvCacheFormat;
use qwisp::backend::cpu::{CpuBackend, Tensor};
use qwisp::gguf::Header;
use qwisp::model::{Config, Model, Weights, WeightsLoader};

/// A model from a good file, its weights uploaded from pieces of `piece_bytes`.
pub(crate) fn load_model(gguf: &[u8], piece_bytes: usize) -> Model<CpuBackend> {
    load_model_with(gguf, piece_bytes, KvCacheFormat::F16)
}

/// The same with a KV cache of this format.
pub(crate) fn load_model_with(gguf: &[u8], piece_bytes: usize, kv_cache: KvCacheFormat) -> Model<CpuBackend> {
    let header = Header::parse(gguf, gguf.len() as u64).expect("the head is good").expect("the head is complete");
    let mut config = Config::from_header(&header, None).expect("the metadata is good");
    config.dimensions.kv_cache = kv_cache;
    let mut backend = CpuBackend::new(config.dimensions.clone()).expect("there is memory for a tiny model");
    let (weights, mut loader): (_, WeightsLoader<Tensor>) =
        Weights::allocate(&mut backend, &header, &config).expect("the tensors are good");
    for piece in gguf.chunks(piece_bytes) {
        loader.feed(&mut backend, piece);
    }
    assert!(loader.is_complete());
    Model::new(config, backend, weights).expect("there is room for the cache")
}
