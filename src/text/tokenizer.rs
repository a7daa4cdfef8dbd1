//! Byte-level BPE over the vocabulary of a GGUF file.

use std::collections::hash_map::Entry;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{Model, NormalizedString};

use super::byte_level;
use super::pre_tokenizer::PreTokenizer;
use super::prompt::{Piece, Prompt};
use super::special_tokens::{Segment, SpecialToken, SpecialTokens};
use super::vocabulary::{TokenType, Vocabulary, split_merge};
use crate::error::{Error, ErrorKind, Result};

/// The first character that Unicode normalisation can change or join to the one before it.
const FIRST_COMBINING: char = '\u{300}';

/// Turns text into token ids and back, as Qwen's own tokenizer does: NFC, words, byte pairs.
///
/// Only normal tokens are known to the BPE model. So plain text can't become a special token, whatever the merges
/// of the file say.
pub struct Tokenizer {
    bpe: BPE,
    pre_tokenizer: PreTokenizer,
    special_tokens: SpecialTokens,
    token_count: usize,
}

impl Tokenizer {
    /// Builds the tokenizer of a model; takes the vocabulary apart instead of copying it.
    ///
    /// # Errors
    /// `UnsupportedModel` for a pre-tokenizer other than Qwen's, a type of token that byte-level BPE does not
    /// have, or a special token of a single character. `BadFile` if tokens or merges are missing or malformed,
    /// a token is there twice, lengths differ, a byte has no token, or a merge names tokens that don't exist.
    pub fn new(vocabulary: Vocabulary) -> Result<Self> {
        let Vocabulary { tokens, merges, token_types, pre_tokenizer } = vocabulary;
        let pre_tokenizer = PreTokenizer::new(&pre_tokenizer)?;
        let token_count = tokens.len();
        if token_types.len() != token_count {
            return Err(Error::new(ErrorKind::BadFile, "the types of the tokens are not as many as the tokens")
                .at("tokenizer.ggml.token_type")
                .got(token_types.len())
                .expected(token_count));
        }
        for (name, is_empty) in
            [("tokenizer.ggml.tokens", tokens.is_empty()), ("tokenizer.ggml.merges", merges.is_empty())]
        {
            if is_empty {
                return Err(Error::new(ErrorKind::BadFile, "the vocabulary is empty").at(name));
            }
        }
        let (vocab, special_tokens) = sort_tokens(tokens, &token_types)?;
        drop(token_types);
        check_alphabet(&vocab)?;

        let longest = vocab.keys().map(String::len).max().unwrap_or_default();
        let split = |(rank, merge)| split_merge(merge, rank, longest);
        let merges = merges.into_iter().enumerate().map(split).collect::<Result<Vec<_>>>()?;
        // Prompts are short, and a cache could grow to 80 MB on hostile text.
        let bpe = BPE::builder().vocab_and_merges(vocab, merges).cache_capacity(0).build().map_err(|error| {
            Error::new(ErrorKind::BadFile, "the merges do not fit the tokens").at("tokenizer.ggml.merges").got(error)
        })?;
        Ok(Self { bpe, pre_tokenizer, special_tokens, token_count })
    }

    /// How many tokens there are; ids are below it.
    #[expect(clippy::len_without_is_empty, reason = "a tokenizer is never empty")]
    pub fn len(&self) -> usize {
        self.token_count
    }

    /// The ids of a text. With `special`, special tokens that are written in the text are recognised; without it
    /// they are plain text like any other.
    ///
    /// # Errors
    /// `Internal` if the BPE library fails.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        if special {
            for segment in self.special_tokens.split(text) {
                match segment {
                    Segment::Text(text) => self.encode_plain(text, &mut ids)?,
                    Segment::Special(token) => ids.push(token.id),
                }
            }
        } else {
            self.encode_plain(text, &mut ids)?;
        }
        Ok(ids)
    }

    /// The ids of a prompt.
    ///
    /// # Errors
    /// `InvalidArgument` if the prompt was made for another model and holds a special token that this one lacks.
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for piece in prompt.pieces() {
            match piece {
                Piece::Text(text) => self.encode_plain(text, &mut ids)?,
                Piece::Special(text) => ids.push(self.special_token(text).ok_or_else(|| {
                    Error::new(ErrorKind::InvalidArgument, "the prompt was made for another model")
                        .at("special token")
                        .got(format_args!("{text:?}"))
                })?),
            }
        }
        Ok(ids)
    }

    /// The text of ids, special tokens written out. Bytes that are no UTF-8 become U+FFFD; to join the text of
    /// tokens that come one by one, use [`super::TextStream`].
    ///
    /// # Errors
    /// `InvalidArgument` for an id that is not below [`Tokenizer::len`].
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let mut bytes = Vec::new();
        for &id in ids {
            bytes.extend(self.token_bytes(id)?);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes that a token stands for: part of a text in UTF-8, which may begin or end inside a character. A
    /// special token's bytes are its name; an unused token has none.
    ///
    /// # Errors
    /// `InvalidArgument` for an id that is not below [`Tokenizer::len`].
    pub fn token_bytes(&self, id: u32) -> Result<Vec<u8>> {
        if id as usize >= self.token_count {
            return Err(Error::new(ErrorKind::InvalidArgument, "there is no such token")
                .at("token id")
                .got(id)
                .expected(format_args!("less than {}", self.token_count)));
        }
        if let Some(token) = self.special_tokens.by_id(id) {
            return Ok(token.text.clone().into_bytes());
        }
        Ok(self.bpe.id_to_token(id).map(|text| byte_level::decode(&text)).unwrap_or_default())
    }

    /// The id of the control token that is written exactly so: `<|im_end|>`.
    pub fn control_token(&self, text: &str) -> Option<u32> {
        self.special_tokens.by_text(text).filter(|token| token.is_control).map(|token| token.id)
    }

    /// The id of the control token or user-defined token that is written exactly so: `<think>`.
    pub fn special_token(&self, text: &str) -> Option<u32> {
        self.special_tokens.by_text(text).map(|token| token.id)
    }

    /// Whether the id is a control token, which is no part of what a person gets to read.
    pub fn is_control(&self, id: u32) -> bool {
        self.special_tokens.by_id(id).is_some_and(|token| token.is_control)
    }

    /// The control tokens and user-defined tokens: what a [`super::ChatTemplate`] must keep apart from contents.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special_tokens
    }

    /// Appends the ids of a text in which nothing is special.
    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let composed;
        let text = if text.chars().all(|char| char < FIRST_COMBINING) {
            text
        } else {
            let mut normalized = NormalizedString::from(text);
            normalized.nfc();
            composed = normalized.get().to_owned();
            &composed
        };
        let mut encoded = String::new();
        for word in self.pre_tokenizer.words(text) {
            encoded.clear();
            byte_level::encode(word, &mut encoded);
            let tokens = self.bpe.tokenize(&encoded).map_err(|error| {
                Error::new(ErrorKind::Internal, "the tokenizer failed").at(format_args!("{word:?}")).got(error)
            })?;
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }
}

/// Sorts the tokens by what they are for: normal ones for the BPE model, special ones apart.
fn sort_tokens(tokens: Vec<String>, token_types: &[i32]) -> Result<(Vocab, SpecialTokens)> {
    let mut normal = Vocab::with_capacity(tokens.len());
    let mut special: Vec<(u32, String, TokenType)> = Vec::new();
    for (id, (text, &type_number)) in (0u32..).zip(tokens.into_iter().zip(token_types)) {
        match TokenType::from_number(type_number, id)? {
            TokenType::Normal => match normal.entry(text) {
                Entry::Vacant(vacant) => {
                    vacant.insert(id);
                }
                Entry::Occupied(first) => return Err(duplicate_token(first.key(), *first.get(), id)),
            },
            token_type @ (TokenType::Control | TokenType::UserDefined) => special.push((id, text, token_type)),
            TokenType::Unused => {}
        }
    }
    for (id, text, _) in &special {
        // A mark inside it is what keeps the same text in a message from being this token: see `content_guard`.
        if text.chars().nth(1).is_none() {
            return Err(Error::new(ErrorKind::UnsupportedModel, "a special token is a single character or empty")
                .at(format_args!("tokenizer.ggml.tokens, token {id}"))
                .got(format_args!("{text:?}"))
                .expected("at least two characters"));
        }
        if let Some(&first) = normal.get(text) {
            return Err(duplicate_token(text, first, *id));
        }
    }
    let special_tokens = SpecialTokens::new(special.into_iter());
    let mut previous: Option<&SpecialToken> = None;
    for token in special_tokens.iter() {
        if let Some(previous) = previous.filter(|previous| previous.text == token.text) {
            return Err(duplicate_token(&token.text, previous.id, token.id));
        }
        previous = Some(token);
    }
    Ok((normal, special_tokens))
}

fn duplicate_token(text: &str, first_id: u32, second_id: u32) -> Error {
    Error::new(ErrorKind::BadFile, "a token is there twice")
        .at("tokenizer.ggml.tokens")
        .got(format_args!("{text:?} as token {first_id} and as token {second_id}"))
}

/// The BPE model drops what it has no token for, so every byte must have one.
fn check_alphabet(vocab: &Vocab) -> Result<()> {
    match (0..=255u8)
        .zip(byte_level::alphabet())
        .find(|(_, char)| !vocab.contains_key(char.encode_utf8(&mut [0; 4]) as &str))
    {
        None => Ok(()),
        Some((byte, char)) => Err(Error::new(ErrorKind::BadFile, "a byte has no token")
            .at("tokenizer.ggml.tokens")
            .got(format_args!("none for byte {byte:#04x}"))
            .expected(format_args!("a normal token {:?}", char.to_string()))),
    }
}
