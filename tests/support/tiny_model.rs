//! A model of a real architecture with random weights: small enough that a test makes it on the spot.
//!
//! It has all that the file of a real Qwen2.5 or Qwen3 has: byte-level vocabulary, merges, control tokens, chat template,
//! QKV biases or norms of queries and keys, grouped-query attention, and by default several of the tensor types that Qwisp
//! computes with. With a head of its own it writes nonsense, but printable nonsense, and never ends its turn by itself: see
//! [`TinyModel::embedding`].

use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use qwisp::generate::Random;

use super::noise::normal;

/// Pairs that are merged, the most urgent first: common ones of English.
const MERGES: [&str; 20] = [
    "h e", "i n", "r e", "a n", "o n", "e r", "l l", "Ġ t", "Ġt he", "Ġ a", "o u", "Ġ w", "e n", "an d", "in g", "Ġ s",
    "he ll", "hell o", "Ġ in", "Ġt o",
];

/// The tokens that no text becomes; the last one ends a turn.
const CONTROL_TOKENS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// `tokenizer.ggml.token_type` of a normal and of a control token.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

/// ChatML as Qwen2.5 writes it, without the system message that Qwen's own template adds.
const CHAT_TEMPLATE: &str = "{%- for message in messages %}\
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\
    {%- endfor %}\
    {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

/// What the root mean square norm adds to the mean square.
pub(crate) const RMS_EPSILON: f32 = 1e-6;
/// The base of the rotary embedding's frequencies.
pub(crate) const ROPE_BASE: f32 = 1e6;

/// The value that every embedding has in column 0, many times that of other columns.
const CONSTANT_FEATURE: f32 = 8.0;
/// What the head makes of that feature for tokens that are not to be written.
const UNWANTED_WEIGHT: f32 = -4.0;

/// What the model is to be like.
#[derive(Debug, Clone)]
pub(crate) struct TinyModel {
    /// `general.architecture`, and the prefix of the hyperparameters' keys.
    pub(crate) architecture: String,
    /// Layers.
    pub(crate) layers: usize,
    /// Width of the residual stream.
    pub(crate) hidden: usize,
    /// Width of the feed-forward layer.
    pub(crate) feed_forward: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads.
    pub(crate) kv_heads: usize,
    /// Dimensions of a head.
    pub(crate) head_dim: usize,
    /// The longest conversation, in tokens.
    pub(crate) context: usize,
    /// The type of every matrix. Default: several, as [`TinyModel::matrix_type`] distributes them.
    pub(crate) tensor_type: Option<GgmlDType>,
    /// Whether the token embedding is the head, too, instead of a matrix of its own.
    pub(crate) tied_head: bool,
    /// Bytes of a tensor in front of all others that the model has no use for: makes a file of any size. A multiple of 4.
    pub(crate) padding_bytes: usize,
    /// What the weights depend on.
    pub(crate) seed: u64,
}

impl Default for TinyModel {
    fn default() -> Self {
        Self {
            architecture: "qwen2".to_string(),
            layers: 2,
            hidden: 256,
            feed_forward: 512,
            heads: 4,
            kv_heads: 2,
            head_dim: 64,
            context: 512,
            tensor_type: None,
            tied_head: false,
            padding_bytes: 0,
            // With a few others, 1 and 2 among them, some layers outweigh the constant feature: unprintable tokens are
            // written, too.
            seed: 3,
        }
    }
}

/// The contents of a GGUF file, which a test may still change.
pub(crate) struct GgufFile {
    /// Keys and values, in the order of the file.
    pub(crate) metadata: Vec<(String, Value)>,
    /// Names and tensors, in the order of the file.
    pub(crate) tensors: Vec<(String, QTensor)>,
}

impl GgufFile {
    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let metadata: Vec<_> = self.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let tensors: Vec<_> = self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let mut bytes = Cursor::new(Vec::new());
        gguf_file::write(&mut bytes, &metadata, &tensors).expect("memory can be written to");
        bytes.into_inner()
    }
}

impl TinyModel {
    /// The smallest model that there can be: rows of a single block.
    pub(crate) fn smallest() -> Self {
        let tensor_type = Some(GgmlDType::Q5_0);
        Self { layers: 1, hidden: 32, feed_forward: 32, heads: 1, kv_heads: 1, tensor_type, ..Self::default() }
    }

    /// A Qwen3: heads of 128 dimensions that are wider together than the residual stream, and a tied head.
    pub(crate) fn qwen3() -> Self {
        Self { architecture: "qwen3".to_string(), head_dim: 128, tied_head: true, ..Self::default() }
    }

    /// Whether it normalises queries and keys.
    pub(crate) fn is_qwen3(&self) -> bool {
        self.architecture == "qwen3"
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.file().bytes()
    }

    /// The file's contents.
    pub(crate) fn file(&self) -> GgufFile {
        GgufFile { metadata: self.metadata(), tensors: self.tensors() }
    }

    fn metadata(&self) -> Vec<(String, Value)> {
        let tokens = tokens();
        let id_of = |text: &str| {
            let id = tokens.iter().position(|token| token == text).expect("every control token is in the vocabulary");
            Value::U32(id as u32)
        };
        let strings = |texts: &[&str]| Value::Array(texts.iter().map(|text| Value::String(text.to_string())).collect());
        let token_type = |text: &String| Value::I32(if is_control(text) { CONTROL } else { NORMAL });
        let general = [
            ("general.architecture", Value::String(self.architecture.clone())),
            ("general.type", Value::String("model".to_string())),
            ("general.name", Value::String("Tiny random model".to_string())),
            ("general.quantization_version", Value::U32(2)),
        ];
        let hyperparameters = [
            ("block_count", Value::U32(self.layers as u32)),
            ("context_length", Value::U32(self.context as u32)),
            ("embedding_length", Value::U32(self.hidden as u32)),
            ("feed_forward_length", Value::U32(self.feed_forward as u32)),
            ("attention.head_count", Value::U32(self.heads as u32)),
            ("attention.head_count_kv", Value::U32(self.kv_heads as u32)),
            ("attention.key_length", Value::U32(self.head_dim as u32)),
            ("attention.value_length", Value::U32(self.head_dim as u32)),
            ("attention.layer_norm_rms_epsilon", Value::F32(RMS_EPSILON)),
            ("rope.freq_base", Value::F32(ROPE_BASE)),
        ];
        let tokenizer = [
            ("tokenizer.ggml.model", Value::String("gpt2".to_string())),
            ("tokenizer.ggml.pre", Value::String("qwen2".to_string())),
            ("tokenizer.ggml.tokens", strings(&tokens.iter().map(String::as_str).collect::<Vec<_>>())),
            ("tokenizer.ggml.token_type", Value::Array(tokens.iter().map(token_type).collect())),
            ("tokenizer.ggml.merges", strings(&MERGES)),
            ("tokenizer.ggml.bos_token_id", id_of("<|endoftext|>")),
            ("tokenizer.ggml.eos_token_id", id_of("<|im_end|>")),
            ("tokenizer.ggml.padding_token_id", id_of("<|endoftext|>")),
            ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
            ("tokenizer.chat_template", Value::String(CHAT_TEMPLATE.to_string())),
        ];
        let own = |(key, value): (&str, Value)| (key.to_string(), value);
        let prefixed = |(key, value)| (format!("{}.{key}", self.architecture), value);
        general
            .into_iter()
            .map(own)
            .chain(hyperparameters.into_iter().map(prefixed))
            .chain(tokenizer.map(own))
            .collect()
    }

    fn tensors(&self) -> Vec<(String, QTensor)> {
        let random = &mut Random::new(self.seed);
        let (query_rows, key_rows) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut tensors = Vec::new();
        if self.padding_bytes > 0 {
            let values = vec![0.0; self.padding_bytes / size_of::<f32>()];
            let columns = values.len();
            tensors.push(("padding.weight".to_string(), quantize(values, &[columns], GgmlDType::F32)));
        }
        let mut add = |name: String, tensor| tensors.push((name, tensor));

        add("token_embd.weight".to_string(), self.embedding(random));
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let mut matrix = |part: &str, rows, columns| {
                add(name(part), self.matrix(random, part, layer, [rows, columns]));
            };
            matrix("attn_q.weight", query_rows, self.hidden);
            matrix("attn_k.weight", key_rows, self.hidden);
            matrix("attn_v.weight", key_rows, self.hidden);
            matrix("attn_output.weight", self.hidden, query_rows);
            matrix("ffn_gate.weight", self.feed_forward, self.hidden);
            matrix("ffn_up.weight", self.feed_forward, self.hidden);
            matrix("ffn_down.weight", self.hidden, self.feed_forward);
            add(name("attn_norm.weight"), vector(random, self.hidden, 1.0));
            add(name("ffn_norm.weight"), vector(random, self.hidden, 1.0));
            if self.is_qwen3() {
                add(name("attn_q_norm.weight"), vector(random, self.head_dim, 1.0));
                add(name("attn_k_norm.weight"), vector(random, self.head_dim, 1.0));
            } else {
                add(name("attn_q.bias"), vector(random, query_rows, 0.0));
                add(name("attn_k.bias"), vector(random, key_rows, 0.0));
                add(name("attn_v.bias"), vector(random, key_rows, 0.0));
            }
        }
        add("output_norm.weight".to_string(), vector(random, self.hidden, 1.0));
        if !self.tied_head {
            add("output.weight".to_string(), self.head(random));
        }
        tensors
    }

    /// Column 0 is the same in every row, so that the head can count on it, as large models' heads do on their
    /// constant features.
    fn embedding(&self, random: &mut Random) -> QTensor {
        let vocabulary = tokens().len();
        let mut values = normal(random, vocabulary * self.hidden, 1.0);
        for row in values.chunks_mut(self.hidden) {
            row[0] = CONSTANT_FEATURE;
        }
        quantize(values, &[vocabulary, self.hidden], self.matrix_type("token_embd.weight", 0))
    }

    /// Tokens that are no printable text get a low logit from the constant feature.
    fn head(&self, random: &mut Random) -> QTensor {
        let tokens = tokens();
        let mut values = normal(random, tokens.len() * self.hidden, 2.0 / (self.hidden as f32).sqrt());
        for (token, row) in tokens.iter().zip(values.chunks_mut(self.hidden)) {
            row[0] = if is_printable(token) { 0.0 } else { UNWANTED_WEIGHT };
        }
        quantize(values, &[tokens.len(), self.hidden], self.matrix_type("output.weight", 0))
    }

    /// A matrix whose outputs are about as large as its inputs.
    fn matrix(&self, random: &mut Random, part: &str, layer: usize, shape: [usize; 2]) -> QTensor {
        let [rows, columns] = shape;
        let values = normal(random, rows * columns, 1.5 / (columns as f32).sqrt());
        quantize(values, &shape, self.matrix_type(part, layer))
    }

    /// The types are mixed as in the Q4_K_M file of Qwen2.5-0.5B.
    fn matrix_type(&self, part: &str, layer: usize) -> GgmlDType {
        self.tensor_type.unwrap_or(match part {
            "attn_v.weight" | "output.weight" => GgmlDType::Q8_0,
            "ffn_down.weight" if layer.is_multiple_of(2) => GgmlDType::Q6K,
            "ffn_down.weight" => GgmlDType::Q4K,
            _ => GgmlDType::Q5_0,
        })
    }
}

/// A norm (around 1) or a bias (around 0).
fn vector(random: &mut Random, columns: usize, mean: f32) -> QTensor {
    let values = normal(random, columns, 0.3).into_iter().map(|value| mean + value).collect();
    quantize(values, &[columns], GgmlDType::F32)
}

fn quantize(values: Vec<f32>, shape: &[usize], tensor_type: GgmlDType) -> QTensor {
    let tensor = Tensor::from_vec(values, shape, &Device::Cpu).expect("there are as many values as the shape says");
    QTensor::quantize(&tensor, tensor_type).expect("rows are whole blocks")
}

/// The vocabulary in the order of ids: the 256 bytes in GPT-2's order and alphabet, merged tokens, control tokens.
fn tokens() -> Vec<String> {
    let printable = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ');
    let bytes = printable.chain('\u{100}'..='\u{143}').map(String::from);
    let merged = MERGES.iter().map(|merge| merge.replace(' ', ""));
    bytes.chain(merged).chain(CONTROL_TOKENS.map(str::to_string)).collect()
}

fn is_control(token: &str) -> bool {
    CONTROL_TOKENS.contains(&token)
}

/// Whether a token is text of ASCII's printable characters alone; `Ġ` is the space.
fn is_printable(token: &str) -> bool {
    !is_control(token) && token.chars().all(|character| character.is_ascii_graphic() || character == 'Ġ')
}
