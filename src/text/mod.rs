//! Text in, tokens out, and back: the tokenizer and the chat template that a GGUF file carries.
//!
//! [`ChatTemplate`] renders [`Message`]s into a [`Prompt`], [`Tokenizer`] turns that into token ids, and
//! [`ReplyStream`] turns generated tokens into what was thought and what was said, never showing half a character.
//!
//! Special tokens (those that structure a conversation, such as `<|im_end|>`) come from the template alone: what
//! people type is plain text, whatever it looks like. A [`Prompt`] keeps the two apart, and the private
//! `content_guard` module makes sure that they can be told apart.

mod abilities;
mod byte_level;
mod chat_template;
mod content_guard;
mod json;
mod message;
mod pre_tokenizer;
mod prompt;
mod reply_stream;
mod special_tokens;
mod template_values;
mod text_stream;
mod thinking;
mod tokenizer;
mod vocabulary;

pub use chat_template::{ChatTemplate, TemplateOptions};
pub use message::{FunctionCall, Message, Role, ToolCall, texts_of};
pub use prompt::Prompt;
pub use reply_stream::ReplyStream;
pub use special_tokens::SpecialTokens;
pub use text_stream::TextStream;
pub use thinking::Piece;
pub use tokenizer::Tokenizer;
pub use vocabulary::Vocabulary;
