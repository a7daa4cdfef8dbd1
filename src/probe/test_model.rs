//! A model with random weights: small enough to be made on the spot, and all that a real one has. The first of its two layers
//! is a Qwen2's; the second one normalises queries and keys as well, as a Qwen3's does.

use half::f16;

use crate::backend::{Backend, Dimensions, HeadNorms, KvCacheFormat, Platform};
use crate::error::Result;
use crate::generate::Random;
use crate::gguf::{Header, Metadata, TensorInfo, TensorType};
use crate::model::{Config, Model, Weights};

/// The width of everything that can be: one block of the widest types.
const WIDTH: usize = 256;
/// Tokens in the vocabulary.
pub(super) const VOCABULARY: usize = 256;
/// Positions of the KV cache: more than one workgroup attends to.
const CONTEXT: usize = 512;
/// Dimensions of a head.
const HEAD_DIM: usize = 64;
/// Layers, and which of them normalises queries and keys.
const LAYERS: usize = 2;
const NORMALIZING_LAYER: usize = 1;

const EMBEDDING: &str = "token_embd.weight";

/// The shape of every matrix, and its type, one of those in Qwen's Q4_K_M files. Matrices that are alike in both share kernels:
/// compilers take longer for them than GPUs do.
const MATRICES: [(&str, usize, TensorType); 2] =
    [(EMBEDDING, VOCABULARY, TensorType::Q5_0), ("output.weight", VOCABULARY, TensorType::Q6K)];
const LAYER_MATRICES: [(&str, usize, TensorType); 7] = [
    ("attn_q.weight", WIDTH, TensorType::Q4K),
    ("attn_k.weight", WIDTH / 2, TensorType::Q5_0),
    ("attn_v.weight", WIDTH / 2, TensorType::Q8_0),
    ("attn_output.weight", WIDTH, TensorType::Q6K),
    ("ffn_gate.weight", WIDTH, TensorType::Q4K),
    ("ffn_up.weight", WIDTH, TensorType::Q4K),
    ("ffn_down.weight", WIDTH, TensorType::Q6K),
];

/// Norms, which are around 1, and biases, around 0.
const VECTORS: [(&str, usize, f32); 1] = [("output_norm.weight", WIDTH, 1.0)];
const LAYER_VECTORS: [(&str, usize, f32); 5] = [
    ("attn_norm.weight", WIDTH, 1.0),
    ("ffn_norm.weight", WIDTH, 1.0),
    ("attn_q.bias", WIDTH, 0.0),
    ("attn_k.bias", WIDTH / 2, 0.0),
    ("attn_v.bias", WIDTH / 2, 0.0),
];

/// The file of the model: the same whenever it is made.
pub(super) struct TestModel {
    header: Header,
    bytes: Vec<u8>,
    /// For queries and keys of the layer that normalises them. No file has that in one layer alone, so they are not in it.
    head_norms: [Vec<u8>; 2],
}

impl TestModel {
    pub(super) fn new() -> Self {
        let random = &mut Random::new(1);
        let (mut tensors, mut bytes) = (Vec::new(), Vec::new());
        let mut add = |name: String, rows, columns, tensor_type, start: usize, end: usize| {
            tensors.push(TensorInfo { name, tensor_type, rows, columns, bytes: start as u64..end as u64 });
        };
        for (name, rows, tensor_type) in in_all_layers(&MATRICES, &LAYER_MATRICES) {
            let start = bytes.len();
            // A matrix leaves the values of a row about as large as they were; an embedding is about as large itself.
            let gain = if name == EMBEDDING { (WIDTH as f32).sqrt() } else { 1.0 };
            for _ in 0..rows * WIDTH / tensor_type.block_weights() {
                append_block(random, tensor_type, gain, &mut bytes);
            }
            add(name, rows, WIDTH, tensor_type, start, bytes.len());
        }
        for (name, columns, mean) in in_all_layers(&VECTORS, &LAYER_VECTORS) {
            let start = bytes.len();
            bytes.extend(vector_bytes(random, columns, mean));
            add(name, 1, columns, TensorType::F32, start, bytes.len());
        }
        let head_norms = [0; 2].map(|_| vector_bytes(random, HEAD_DIM, 1.0));
        Self { header: Header { metadata: Metadata::default(), tensors }, bytes, head_norms }
    }

    /// The model on a device, with a KV cache in this format.
    pub(super) fn load<P: Platform>(&self, platform: &P, kv_cache: KvCacheFormat) -> Result<Model<P::Backend>> {
        let config = Config {
            name: "self-test".to_string(),
            architecture: "qwen2".to_string(),
            normalizes_heads: false,
            quantization: "Q4_K_M".to_string(),
            parameters: self.header.tensors.iter().map(|tensor| (tensor.rows * tensor.columns) as u64).sum(),
            trained_context: CONTEXT,
            dimensions: Dimensions {
                layers: LAYERS,
                hidden: WIDTH,
                feed_forward: WIDTH,
                heads: 4,
                kv_heads: 2,
                head_dim: HEAD_DIM,
                vocabulary: VOCABULARY,
                context: CONTEXT,
                kv_cache,
                rms_epsilon: 1e-6,
                rope_base: 1e6,
            },
        };
        let mut backend = platform.open(config.dimensions.clone())?;
        let (mut weights, mut loader) = Weights::allocate(&mut backend, &self.header, &config)?;
        loader.feed(&mut backend, &self.bytes);
        let [query, key] = &self.head_norms;
        weights.layers[NORMALIZING_LAYER].head_norms =
            Some(HeadNorms { query: upload_norm(&mut backend, query)?, key: upload_norm(&mut backend, key)? });
        backend.finish_uploads();
        Model::new(config, backend, weights)
    }
}

/// Tensors of the model, and those that every layer has, with whole names.
fn in_all_layers<T: Copy>(
    of_model: &[(&str, usize, T)],
    of_layer: &[(&str, usize, T)],
) -> impl Iterator<Item = (String, usize, T)> {
    let layers = (0..LAYERS).flat_map(move |layer| {
        of_layer.iter().map(move |&(name, rows, rest)| (format!("blk.{layer}.{name}"), rows, rest))
    });
    of_model.iter().map(|&(name, rows, rest)| (name.to_string(), rows, rest)).chain(layers)
}

/// f32 numbers within a half of `mean`.
fn vector_bytes(random: &mut Random, columns: usize, mean: f32) -> Vec<u8> {
    (0..columns).flat_map(|_| (mean + random.next_unit() - 0.5).to_le_bytes()).collect()
}

fn upload_norm<B: Backend>(backend: &mut B, bytes: &[u8]) -> Result<B::Tensor> {
    let name = format!("blk.{NORMALIZING_LAYER}.norm of heads");
    let bytes_in_file = 0..bytes.len() as u64;
    let info = TensorInfo { name, tensor_type: TensorType::F32, rows: 1, columns: HEAD_DIM, bytes: bytes_in_file };
    let norm = backend.allocate(&info)?;
    backend.upload(&norm, 0, bytes);
    Ok(norm)
}

/// A block of random quants. Its scales make weights of 1 / √WIDTH, times `gain`: many of Q6_K's are subnormal then, as in
/// real files.
fn append_block(random: &mut Random, tensor_type: TensorType, gain: f32, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend((0..tensor_type.block_bytes()).map(|_| random.next_u32() as u8));
    let block = &mut bytes[start..];
    let mut put = |at: usize, scale: f32| block[at..at + 2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    let factor = gain * (0.5 + random.next_unit());
    match tensor_type {
        TensorType::Q4K => {
            put(0, 2.4e-4 * factor);
            put(2, 1.8e-3 * factor);
        }
        TensorType::Q6K => put(208, 4.6e-5 * factor),
        TensorType::Q5_0 => put(0, 6.8e-3 * factor),
        TensorType::Q8_0 => put(0, 8.4e-4 * factor),
        _ => debug_assert!(false, "no matrix is of this type"),
    }
}
