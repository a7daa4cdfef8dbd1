//! The hyperparameters of a model, from the metadata of its file.

use std::ops::RangeInclusive;

use crate::backend::{Dimensions, KvCacheFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::Header;

/// What a model is: its name, its shape and its limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The name that the file gives itself.
    pub name: String,
    /// `qwen2` or `qwen3`.
    pub architecture: String,
    /// Whether each head of queries and keys is normalised, as in Qwen3.
    pub normalizes_heads: bool,
    /// How its weights are encoded, `"Q4_K_M"` for instance.
    pub quantization: String,
    /// Weights in all.
    pub parameters: u64,
    /// The longest conversation that the model was trained for, in tokens.
    pub trained_context: usize,
    /// The shape, with the context that was asked for.
    pub dimensions: Dimensions,
}

/// A bound on every size: far above any model that a browser holds, and low enough that 64 bits hold a product of three.
const LARGEST_SIZE: u64 = 1 << 20;

impl Config {
    /// Reads the metadata; the KV cache is the default one. `context` is the number of positions wanted, by default the smaller of 4096 and what the
    /// model was trained for. Keys: the "LLM" section of the GGUF specification.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedModel`] for another architecture than `qwen2` and `qwen3` or a variant that isn't computed here,
    /// [`ErrorKind::BadFile`] when sizes are missing or make no sense, [`ErrorKind::InvalidArgument`] for a context
    /// that the model wasn't trained for.
    pub fn from_header(header: &Header, context: Option<usize>) -> Result<Self> {
        let metadata = &header.metadata;
        let architecture = metadata.string("general.architecture")?.unwrap_or_default();
        let normalizes_heads = match architecture.as_str() {
            "qwen2" => false,
            "qwen3" => true,
            _ => {
                return Err(Error::new(ErrorKind::UnsupportedModel, "the model's architecture is not supported")
                    .at("general.architecture")
                    .got(format!("\"{architecture}\""))
                    .expected("\"qwen2\" or \"qwen3\""));
            }
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let size = |name: &str| {
            let value = metadata.unsigned(&key(name))?;
            match value {
                Some(value @ 1..=LARGEST_SIZE) => Ok(value as usize),
                _ => Err(Error::new(ErrorKind::BadFile, "a size in the metadata is missing or makes no sense")
                    .at(key(name))
                    .got(value.map_or("nothing".to_string(), |value| value.to_string()))
                    .expected(format!("1 to {LARGEST_SIZE}"))),
            }
        };
        let number = |name: &str, default: f64, range: RangeInclusive<f64>| {
            let value = metadata.float(&key(name))?.unwrap_or(default);
            match range.contains(&value) {
                true => Ok(value),
                false => Err(Error::new(ErrorKind::BadFile, "a number in the metadata makes no sense")
                    .at(key(name))
                    .got(value)
                    .expected(format!("{} to {}", range.start(), range.end()))),
            }
        };
        if let Some(scaling) = metadata.string(&key("rope.scaling.type"))?.filter(|scaling| scaling != "none") {
            return Err(Error::new(ErrorKind::UnsupportedModel, "a scaled rotary embedding is not supported")
                .at(key("rope.scaling.type"))
                .got(scaling)
                .expected("none"));
        }

        let (hidden, heads, kv_heads) =
            (size("embedding_length")?, size("attention.head_count")?, size("attention.head_count_kv")?);
        let head_dim = match metadata.unsigned(&key("attention.key_length"))? {
            Some(_) => size("attention.key_length")?,
            None => hidden / heads,
        };
        // Values are as wide as keys, and all of a head turns.
        for name in ["attention.value_length", "rope.dimension_count"] {
            if metadata.unsigned(&key(name))?.is_some() && size(name)? != head_dim {
                return Err(Error::new(ErrorKind::UnsupportedModel, "the attention heads have an unsupported shape")
                    .at(key(name))
                    .got(size(name)?)
                    .expected(format!("{head_dim}, as many as a key has")));
            }
        }
        if !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(64) || head_dim == 0 {
            return Err(Error::new(ErrorKind::UnsupportedModel, "the attention heads have an unsupported shape")
                .got(format!("{heads} query heads, {kv_heads} KV heads of {head_dim} dimensions"))
                .expected("whole groups of query heads, and a multiple of 64 dimensions"));
        }
        let embedding = header
            .tensor("token_embd.weight")
            .ok_or_else(|| Error::new(ErrorKind::BadFile, "a tensor is missing").at("token_embd.weight"))?;

        let trained_context = size("context_length")?;
        let context = context.unwrap_or(trained_context.min(4096));
        if !(2..=trained_context).contains(&context) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the context length is out of range")
                .at("contextLength")
                .got(context)
                .expected(format!("2 to {trained_context}, which the model was trained for")));
        }
        Ok(Self {
            name: metadata.string("general.name")?.unwrap_or_else(|| architecture.clone()),
            quantization: quantization(header)?,
            parameters: header.tensors.iter().map(|tensor| tensor.rows as u64 * tensor.columns as u64).sum(),
            normalizes_heads,
            trained_context,
            dimensions: Dimensions {
                layers: size("block_count")?,
                hidden,
                feed_forward: size("feed_forward_length")?,
                heads,
                kv_heads,
                head_dim,
                vocabulary: embedding.rows,
                context,
                kv_cache: KvCacheFormat::default(),
                rms_epsilon: number("attention.layer_norm_rms_epsilon", 1e-6, 0.0..=1.0)? as f32,
                rope_base: number("rope.freq_base", 1e6, 1.0..=1e12)?,
            },
            architecture,
        })
    }
}

/// What the file calls its mix of types (`llama_ftype` of llama.cpp's `llama.h`); where it doesn't say, the type that
/// most of the matrices' bytes have.
fn quantization(header: &Header) -> Result<String> {
    const FILE_TYPES: [(u64, &str); 13] = [
        (0, "F32"),
        (1, "F16"),
        (2, "Q4_0"),
        (3, "Q4_1"),
        (7, "Q8_0"),
        (8, "Q5_0"),
        (9, "Q5_1"),
        (14, "Q4_K_S"),
        (15, "Q4_K_M"),
        (16, "Q5_K_S"),
        (17, "Q5_K_M"),
        (18, "Q6_K"),
        (32, "BF16"),
    ];
    let file_type = header.metadata.unsigned("general.file_type")?;
    if let Some((_, name)) = FILE_TYPES.iter().find(|(number, _)| Some(*number) == file_type) {
        return Ok(name.to_string());
    }
    let mut bytes_by_type = std::collections::BTreeMap::<&str, u64>::new();
    for tensor in header.tensors.iter().filter(|tensor| tensor.rows > 1) {
        *bytes_by_type.entry(tensor.tensor_type.name()).or_default() += tensor.bytes.end - tensor.bytes.start;
    }
    Ok(bytes_by_type.iter().max_by_key(|&(_, bytes)| bytes).map_or("none", |(name, _)| name).to_string())
}
