//! From generated tokens to what is shown.

use super::chat_template::ChatTemplate;
use super::prompt::Prompt;
use super::text_stream::TextStream;
use super::thinking::{CLOSING, OPENING, Piece, Tag, ThinkingSplitter};
use super::tokenizer::Tokenizer;
use crate::error::Result;

/// Qwen's own words for thinking that took long enough, from the documentation of Qwen3 ("Thinking Budget"; also section
/// 4.3 of the technical report). `</think>` and a blank line follow.
const ENOUGH: &str = "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking \
    directly now.\n";

/// Turns the tokens of a reply into text, and tells what is thought from what is said.
pub struct ReplyStream {
    characters: TextStream,
    splitter: ThinkingSplitter,
    /// The tokens `<think>` and `</think>`, where the vocabulary has both.
    tags: Option<[u32; 2]>,
}

impl ReplyStream {
    /// The stream of a reply to `prompt`, which `template` rendered for the vocabulary of `tokenizer`.
    pub fn new(tokenizer: &Tokenizer, template: &ChatTemplate, prompt: &Prompt) -> Self {
        let tags = tokenizer.special_token(OPENING).zip(tokenizer.special_token(CLOSING)).map(<[u32; 2]>::from);
        let splitter = if tags.is_some() || template.mentions_thinking() {
            ThinkingSplitter::new(prompt.begins_thinking(), tags.is_none())
        } else {
            ThinkingSplitter::answer_only()
        };
        Self { characters: TextStream::new(), splitter, tags }
    }

    /// Whether the next token belongs to the thinking, unless it ends it.
    pub fn is_thinking(&self) -> bool {
        self.splitter.is_thinking()
    }

    /// Takes a token and returns what is complete by now. A control token is structure and shows nothing.
    ///
    /// # Errors
    /// Those of [`Tokenizer::token_bytes`].
    pub fn push(&mut self, token: u32, tokenizer: &Tokenizer) -> Result<Piece> {
        let tag = match self.tags {
            Some([opening, _]) if token == opening => Some(Tag::Opening),
            Some([_, closing]) if token == closing => Some(Tag::Closing),
            _ => None,
        };
        match tag {
            Some(tag) => {
                // Half a character before a tag stays half.
                self.characters = TextStream::new();
                Ok(self.splitter.push_tag(tag))
            }
            None if tokenizer.is_control(token) => Ok(Piece::default()),
            None => {
                let text = self.characters.push(&tokenizer.token_bytes(token)?);
                Ok(self.splitter.push_text(&text))
            }
        }
    }

    /// What was held back, when nothing more comes. Half a character is left out.
    pub fn finish(&mut self) -> Piece {
        self.splitter.finish()
    }

    /// The tokens that end thinking from outside, as if the model had thought them.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn tokens_to_end_thinking(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let mut tokens = tokenizer.encode(ENOUGH, false)?;
        match self.tags {
            Some([_, closing]) => tokens.push(closing),
            None => tokens.extend(tokenizer.encode(CLOSING, false)?),
        }
        tokens.extend(tokenizer.encode("\n\n", false)?);
        Ok(tokens)
    }
}
