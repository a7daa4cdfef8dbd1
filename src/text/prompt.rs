//! What the model is given to read.

use super::abilities::Beginning;
use super::special_tokens::{Segment, SpecialTokens};

/// A rendered conversation in which special tokens and plain text are told apart:
/// [`super::ChatTemplate::render`] makes it, [`super::Tokenizer::encode_prompt`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pieces: Vec<Piece>,
    begins_thinking: bool,
}

/// A stretch of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Plain text, even where it looks like a special token.
    Text(String),
    /// The text of one special token.
    Special(String),
}

impl Prompt {
    /// The prompt of a text in which special tokens count, except where `mark` breaks them. The mark itself is left
    /// out.
    pub(super) fn from_marked(marked: &str, mark: char, special_tokens: &SpecialTokens) -> Self {
        let piece = |segment| match segment {
            Segment::Text(text) => Piece::Text(text.replace(mark, "")),
            Segment::Special(token) => Piece::Special(token.text.clone()),
        };
        Self {
            pieces: special_tokens.split(marked).into_iter().map(piece).collect(),
            // The marks keep contents from looking like a tag.
            begins_thinking: Beginning::of(marked) == Beginning::Thinking,
        }
    }

    /// Whether the prompt ends with `<think>`, so that the model goes on within its thinking.
    pub fn begins_thinking(&self) -> bool {
        self.begins_thinking
    }

    /// The pieces in their order.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The prompt as text, exactly what the template makes of the messages.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|(Piece::Text(text) | Piece::Special(text))| text.as_str()).collect()
    }
}
