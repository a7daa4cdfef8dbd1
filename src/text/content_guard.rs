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

use super::message::Role;
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

    /// The content with its marks.
    ///
    /// In what the model itself said, user-defined tokens stay whole: templates look for `</think>` there, and
    /// `<tool_call>` was that very token when the model wrote it. They carry no structure of the conversation.
    pub(super) fn protect(&self, content: &str, role: Role) -> String {
        let mut protected = String::with_capacity(content.len() + content.len() / 8);
        let mut rest = content;
        while let Some(char) = rest.chars().next() {
            let kept = if role == Role::Assistant { self.user_defined_prefix(rest) } else { None };
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
