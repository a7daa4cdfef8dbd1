//! Text in, tokens out, and back: the tokenizer and the chat template that a GGUF file carries.
//!
//! [`ChatTemplate`] renders [`Message`]s into a [`Prompt`], [`Tokenizer`] turns that into token ids, and
//! [`TextStream`] turns the bytes of generated tokens into text that never shows half a character.
//!
//! Special tokens (those that structure a conversation, such as `<|im_end|>`) come from the template alone: what
//! people type is plain text, whatever it looks like. A [`Prompt`] keeps the two apart, and the private
//! `content_guard` module makes sure that they can be told apart.

mod byte_level;
mod chat_template;
mod content_guard;
mod message;
mod pre_tokenizer;
mod prompt;
mod special_tokens;
mod text_stream;
mod tokenizer;
mod vocabulary;

pub use chat_template::{ChatTemplate, TemplateOptions};
pub use message::{Message, Role};
pub use prompt::Prompt;
pub use special_tokens::SpecialTokens;
pub use text_stream::TextStream;
pub use tokenizer::Tokenizer;
pub use vocabulary::Vocabulary;
