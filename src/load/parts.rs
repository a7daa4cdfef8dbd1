//! From the head of a file to the parts of an engine.

use super::LoadOptions;
use crate::backend::{Backend, Dimensions};
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{Header, Metadata};
use crate::model::{Config, Model, Weights, WeightsLoader};
use crate::text::{ChatTemplate, Tokenizer, Vocabulary};

/// What the head of a file gives: all parts of an engine, the weights still to be filled.
pub(super) struct Parts<B: Backend> {
    pub(super) model: Model<B>,
    pub(super) loader: WeightsLoader<B::Tensor>,
    pub(super) tokenizer: Tokenizer,
    pub(super) template: ChatTemplate,
    pub(super) stop_tokens: Vec<u32>,
}

impl<B: Backend> Parts<B> {
    /// Builds everything but the weights' contents, and starts compiling the kernels: they will be ready before the weights.
    ///
    /// # Errors
    /// `unsupported-model` or `bad-file` for what the head says, `invalid-argument` for a context out of range.
    pub(super) fn build(
        new_backend: impl Fn(Dimensions) -> Result<B>,
        mut header: Header,
        options: &LoadOptions,
    ) -> Result<Self> {
        let config = Config::from_header(&header, options.context_length)?;
        let (tokenizer, template, stop_tokens) = text_parts(&mut header.metadata, &config.dimensions)?;
        let mut backend = new_backend(config.dimensions.clone())?;
        let (weights, loader) = Weights::allocate(&mut backend, &header, &config.dimensions)?;
        let mut model = Model::new(config, backend, weights)?;
        model.compile();
        Ok(Self { model, loader, tokenizer, template, stop_tokens })
    }

    /// Takes the next bytes of the file, from its very first on.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.loader.feed(self.model.backend_mut(), bytes);
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

    let source = metadata.string("tokenizer.chat_template")?.ok_or_else(|| {
        Error::new(ErrorKind::UnsupportedModel, "the file has no chat template").at("tokenizer.chat_template")
    })?;
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
    let template =
        ChatTemplate::new(&source, tokenizer.special_tokens(), text_of(&bos).as_deref(), text_of(&eos).as_deref())?;
    // Files disagree on which of these is the end of a turn; an instruction-tuned Qwen writes no other after one.
    let mut stop_tokens: Vec<u32> = [eos, eot].into_iter().flatten().map(|(id, _)| id).collect();
    stop_tokens.extend(["<|im_end|>", "<|endoftext|>"].into_iter().filter_map(|text| tokenizer.control_token(text)));
    stop_tokens.sort_unstable();
    stop_tokens.dedup();
    Ok((tokenizer, template, stop_tokens))
}
