//! From the head of a file to the parts of an engine.

use super::LoadOptions;
use crate::backend::{Backend, Dimensions, Platform};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{Header, Metadata, TensorInfo};
use crate::model::{Config, Model, Weights, WeightsLoader};
use crate::text::{ChatTemplate, Tokenizer, Vocabulary};

/// What the head of a file gives: all parts of an engine, the weights still to be filled.
pub(super) struct Parts<B: Backend> {
    pub(super) model: Model<B>,
    pub(super) loader: WeightsLoader<B::Tensor>,
    pub(super) tokenizer: Tokenizer,
    pub(super) template: ChatTemplate,
    pub(super) stop_tokens: Vec<u32>,
    memory: MemoryNeed,
}

impl<B: Backend> Parts<B> {
    /// Builds everything but the weights' contents, and starts compiling the kernels: they will be ready before the weights.
    ///
    /// # Errors
    /// `unsupported-model` or `bad-file` for what the head says, `invalid-argument` for a context out of range,
    /// `out-of-memory` when the device has no room for weights and KV cache: nothing more of the file is needed to know.
    pub(super) async fn build<P: Platform<Backend = B>>(
        platform: &P,
        mut header: Header,
        options: &LoadOptions,
    ) -> Result<Self> {
        let mut config = Config::from_header(&header, options.context_length)?;
        config.dimensions.kv_cache = options.kv_cache;
        let (tokenizer, template, stop_tokens) = text_parts(&mut header.metadata, &config.dimensions)?;
        let memory = MemoryNeed::new(&header, &config.dimensions);
        let make_buffers = || {
            let mut backend = platform.open(config.dimensions.clone())?;
            let (weights, loader) = Weights::allocate(&mut backend, &header, &config)?;
            let mut model = Model::new(config, backend, weights)?;
            model.try_capacity()?;
            Ok((model, loader))
        };
        let made = platform.make_room(make_buffers).await;
        let (mut model, loader) = made.map_err(|error| memory.explain(error))?;
        model.compile();
        Ok(Self { model, loader, tokenizer, template, stop_tokens, memory })
    }

    /// Takes the next bytes of the file, from its very first on.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.loader.feed(self.model.backend_mut(), bytes);
    }

    /// Waits until the device has everything that it was given so far.
    pub(super) async fn wait(&mut self) -> Result<()> {
        self.model.backend_mut().wait().await.map_err(|error| self.memory.explain(error))
    }
}

/// What a model needs of a device's memory, activations not counted: they are few.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryNeed {
    weights_bytes: u64,
    kv_cache_bytes: u64,
    /// Positions of the KV cache when it is full.
    context: usize,
}

impl MemoryNeed {
    fn new(header: &Header, dimensions: &Dimensions) -> Self {
        let bytes = |tensor: &TensorInfo| tensor.bytes.end - tensor.bytes.start;
        Self {
            weights_bytes: header.tensors.iter().map(bytes).sum(),
            kv_cache_bytes: dimensions.kv_cache_bytes(),
            context: dimensions.context,
        }
    }

    /// Says of an `out-of-memory` error how much it was that found no room.
    pub(super) fn explain(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::OutOfMemory {
            return error;
        }
        let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
        let (weights, cache) = (megabytes(self.weights_bytes), megabytes(self.kv_cache_bytes));
        Error::new(ErrorKind::OutOfMemory, "the device has no room for this model")
            .got(format!("{weights} MB of weights and {cache} MB of keys and values for {} tokens", self.context))
            .expected("less: a smaller model, a smaller context length, or keys and values in Q8")
    }
}

/// The tokenizer, the chat template and the tokens that end a turn, from the "tokenizer" section of the metadata.
fn text_parts(metadata: &mut Metadata, dimensions: &Dimensions) -> Result<(Tokenizer, ChatTemplate, Vec<u32>)> {
    let missing = |key: &str| Error::new(ErrorKind::BadFile, "the tokenizer is incomplete").at(key).got("nothing");
    let model = metadata.string("tokenizer.ggml.model")?.unwrap_or_default();
    if model != "gpt2" {
        return Err(Error::new(ErrorKind::UnsupportedModel, "the kind of tokenizer is not supported")
            .at("tokenizer.ggml.model")
            .got(format!("\"{model}\""))
            .expected("\"gpt2\": byte-level BPE"));
    }
    let tokens = metadata.take_strings("tokenizer.ggml.tokens")?.ok_or_else(|| missing("tokenizer.ggml.tokens"))?;
    if tokens.len() > dimensions.vocabulary {
        return Err(Error::new(ErrorKind::BadFile, "there are more tokens than embeddings")
            .at("tokenizer.ggml.tokens")
            .got(tokens.len())
            .expected(format!("at most {}", dimensions.vocabulary)));
    }
    let token_at = |key: &str| -> Result<Option<(u32, String)>> {
        let Some(id) = metadata.unsigned(key)? else { return Ok(None) };
        let text = usize::try_from(id).ok().and_then(|id| tokens.get(id)).ok_or_else(|| {
            Error::new(ErrorKind::BadFile, "a special token is not in the vocabulary").at(key).got(id)
        })?;
        Ok(Some((id as u32, text.clone())))
    };
    let bos = token_at("tokenizer.ggml.bos_token_id")?;
    let eos = token_at("tokenizer.ggml.eos_token_id")?;
    let eot = token_at("tokenizer.ggml.eot_token_id")?;

    let source = metadata.string("tokenizer.chat_template")?;
    let vocabulary = Vocabulary {
        merges: metadata.take_strings("tokenizer.ggml.merges")?.ok_or_else(|| missing("tokenizer.ggml.merges"))?,
        token_types: metadata
            .take_integers("tokenizer.ggml.token_type")?
            .ok_or_else(|| missing("tokenizer.ggml.token_type"))?,
        pre_tokenizer: metadata.string("tokenizer.ggml.pre")?.ok_or_else(|| missing("tokenizer.ggml.pre"))?,
        tokens,
    };
    let tokenizer = Tokenizer::new(vocabulary)?;

    let text_of = |token: &Option<(u32, String)>| token.as_ref().map(|(_, text)| text.clone());
    let template = match source {
        Some(source) => {
            ChatTemplate::new(&source, tokenizer.special_tokens(), text_of(&bos).as_deref(), text_of(&eos).as_deref())?
        }
        None => ChatTemplate::chatml(tokenizer.special_tokens())?,
    };
    // Files disagree on which of these is the end of a turn; an instruction-tuned Qwen writes no other after one.
    let mut stop_tokens: Vec<u32> = [eos, eot].into_iter().flatten().map(|(id, _)| id).collect();
    stop_tokens.extend(["<|im_end|>", "<|endoftext|>"].into_iter().filter_map(|text| tokenizer.control_token(text)));
    stop_tokens.sort_unstable();
    stop_tokens.dedup();
    Ok((tokenizer, template, stop_tokens))
}
