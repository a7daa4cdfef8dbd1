//! What a GGUF file says about its tokenizer, and the checks that it makes sense.

use crate::error::{Error, ErrorKind, Result};

/// The tokenizer metadata of a GGUF file, as it stands there.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// `tokenizer.ggml.tokens`: the text of each token, in the order of ids. Normal tokens are written in the
    /// byte-level alphabet of GPT-2.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.merges`: pairs of tokens such as `Ġ t`, the most urgent first.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.token_type`, one for each token: 1 normal, 3 control, 4 user defined, 5 unused.
    pub token_types: Vec<i32>,
    /// `tokenizer.ggml.pre`: the name of the rule that splits text into words, `qwen2` or `deepseek-r1-qwen`.
    pub pre_tokenizer: String,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    /// A piece of text, made by merging.
    Normal,
    /// Structure that no text shows: `<|im_end|>`.
    Control,
    /// Visible text that is one token whatever the merges say: `<tool_call>`.
    UserDefined,
    /// A place that pads the vocabulary to a round number.
    Unused,
}

impl TokenType {
    /// The type of token `id`, from its number in the file.
    pub(super) fn from_number(number: i32, id: u32) -> Result<Self> {
        match number {
            1 => Ok(Self::Normal),
            3 => Ok(Self::Control),
            4 => Ok(Self::UserDefined),
            5 => Ok(Self::Unused),
            _ => Err(Error::new(ErrorKind::UnsupportedModel, "a token has a type that byte-level BPE does not know")
                .at(format_args!("tokenizer.ggml.token_type, token {id}"))
                .got(number)
                .expected("1 (normal), 3 (control), 4 (user defined) or 5 (unused)")),
        }
    }
}

/// Splits a merge, `Ġ t`, into its two tokens, which together are no longer than the `longest` one. The allocation of the merge
/// is used again for the first one: there are 151,387 of them.
pub(super) fn split_merge(mut merge: String, rank: usize, longest: usize) -> Result<(String, String)> {
    let place = format_args!("tokenizer.ggml.merges, merge {rank}");
    let (left, right) = merge
        .split_once(' ')
        .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
        .ok_or_else(|| {
            Error::new(ErrorKind::BadFile, "a merge is malformed")
                .at(place)
                .got(format_args!("{merge:?}"))
                .expected("two tokens with a space between them")
        })?;
    // The BPE library takes for granted that there is room for it.
    if left.len() + right.len() > longest {
        return Err(Error::new(ErrorKind::BadFile, "a merge makes a token that is not there")
            .at(place)
            .got(format_args!("\"{left}{right}\"")));
    }
    let right = right.to_owned();
    merge.truncate(merge.len() - right.len() - 1);
    Ok((merge, right))
}
