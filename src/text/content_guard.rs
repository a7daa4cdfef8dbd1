//! Keeps the contents of messages from becoming special tokens.
//!
//! A chat template is a program that mixes its own text with the contents of messages, and the special tokens of
//! the result are found in the mixture. So that only the template's own count, contents are marked before they are
//! rendered: a character that occurs nowhere else is put behind every character that begins a special token, and
//! before every one that ends one. Whatever the template then trims, splits or joins, no special token can begin or
//! end within a content. The marks are taken out again afterwards.
//!
//! Marks sit beside brackets (`<` and `>` in Qwen's vocabulary) and nowhere else, so templates can still trim
//! contents and look at how they begin. What this cannot prevent is a template that writes both ends of a token
//! around a content by itself (`'<|' + content + '|>'`); none does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::special_tokens::SpecialTokens;
use crate::error::{Error, ErrorKind, Result};

/// Marks contents for one rendering.
pub(super) struct ContentGuard<'a> {
    special_tokens: &'a SpecialTokens,
    opening: BTreeSet<char>,
    closing: BTreeSet<char>,
    mark: char,
}

impl<'a> ContentGuard<'a> {
    /// A guard whose mark occurs in none of the `texts`.
    ///
    /// # Errors
    /// `InvalidArgument` if the texts hold every character that could be the mark, all 137,502 of them.
    pub(super) fn new<'t>(special_tokens: &'a SpecialTokens, texts: impl Iterator<Item = &'t str>) -> Result<Self> {
        // Noncharacters and private use: no template has a meaning for them.
        let candidates = || ('\u{FDD0}'..='\u{FDEF}').chain('\u{E000}'..='\u{F8FF}').chain('\u{F0000}'..='\u{10FFFD}');
        let taken: BTreeSet<char> =
            texts.flat_map(str::chars).filter(|char| matches!(char, '\u{E000}'..='\u{FDEF}' | '\u{F0000}'..)).collect();
        let mark = candidates().find(|candidate| !taken.contains(candidate)).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the messages hold every private character of Unicode")
                .at("content of the messages")
                .expected("one that is free")
        })?;
        let texts = || special_tokens.iter().map(|token| token.text.as_str());
        Ok(Self {
            special_tokens,
            opening: texts().filter_map(|text| text.chars().next()).collect(),
            closing: texts().filter_map(|text| text.chars().next_back()).collect(),
            mark,
        })
    }

    /// The character that stands nowhere but in the marked contents.
    pub(super) fn mark(&self) -> char {
        self.mark
    }

    /// The text with its marks.
    pub(super) fn protect(&self, text: &str) -> String {
        self.mark_brackets(text, false)
    }

    /// What the model itself said, with its marks. User-defined tokens stay whole there: templates look for `</think>`,
    /// and `<tool_call>` was that very token when the model wrote it. They carry no structure of the conversation.
    pub(super) fn protect_answer(&self, content: &str) -> String {
        self.mark_brackets(content, true)
    }

    /// A JSON value with marks in all its texts, the keys of objects among them.
    pub(super) fn protect_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.protect(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.protect_json(item)).collect()),
            Value::Object(entries) => {
                entries.iter().map(|(key, value)| (self.protect(key), self.protect_json(value))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn mark_brackets(&self, content: &str, keep_user_defined: bool) -> String {
        let mut protected = String::with_capacity(content.len() + content.len() / 8);
        let mut rest = content;
        while let Some(char) = rest.chars().next() {
            let kept = if keep_user_defined { self.user_defined_prefix(rest) } else { None };
            let length = if let Some(token) = kept {
                protected.push_str(token);
                token.len()
            } else {
                if self.closing.contains(&char) {
                    protected.push(self.mark);
                }
                protected.push(char);
                if self.opening.contains(&char) {
                    protected.push(self.mark);
                }
                char.len_utf8()
            };
            rest = &rest[length..];
        }
        protected
    }

    /// The user-defined token that the text begins with, unless it could grow into a control token.
    fn user_defined_prefix(&self, text: &str) -> Option<&str> {
        let token = self.special_tokens.longest_prefix_of(text)?;
        let is_part_of_control =
            || self.special_tokens.iter().any(|other| other.is_control && other.text.contains(&token.text));
        (!token.is_control && !is_part_of_control()).then_some(token.text.as_str())
    }
}
