//! The tokens that are matched whole instead of being built by merges.

use std::cmp::Ordering;

use super::vocabulary::TokenType;

/// The special tokens of a vocabulary: its control tokens (`<|im_end|>`) and its user-defined ones (`<tool_call>`).
/// [`super::Tokenizer::special_tokens`] has those of a model.
#[derive(Debug, Clone)]
pub struct SpecialTokens {
    /// Sorted by text, which is what the search for the longest match relies on.
    tokens: Vec<SpecialToken>,
    /// Whether a token begins with the byte, so that most of a text is passed over quickly.
    is_first_byte: [bool; 256],
}

/// One special token.
#[derive(Debug, Clone)]
pub(super) struct SpecialToken {
    pub(super) text: String,
    pub(super) id: u32,
    pub(super) is_control: bool,
}

/// A stretch of a text: see [`SpecialTokens::split`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment<'a> {
    Text(&'a str),
    Special(&'a SpecialToken),
}

impl SpecialTokens {
    /// Collects the tokens of a special type among `(id, text, type)`; texts must not be empty.
    pub(super) fn new(tokens: impl Iterator<Item = (u32, String, TokenType)>) -> Self {
        let mut tokens: Vec<SpecialToken> = tokens
            .map(|(id, text, token_type)| SpecialToken { text, id, is_control: token_type == TokenType::Control })
            .collect();
        tokens.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        let mut is_first_byte = [false; 256];
        for token in &tokens {
            is_first_byte[usize::from(token.text.as_bytes()[0])] = true;
        }
        Self { tokens, is_first_byte }
    }

    /// Every special token, sorted by text.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SpecialToken> {
        self.tokens.iter()
    }

    /// The special token that is written exactly so.
    pub(super) fn by_text(&self, text: &str) -> Option<&SpecialToken> {
        self.tokens.binary_search_by(|token| token.text.as_str().cmp(text)).ok().map(|index| &self.tokens[index])
    }

    /// The special token of that id.
    pub(super) fn by_id(&self, id: u32) -> Option<&SpecialToken> {
        self.tokens.iter().find(|token| token.id == id)
    }

    /// The longest special token that `text` begins with.
    pub(super) fn longest_prefix_of(&self, text: &str) -> Option<&SpecialToken> {
        let mut bytes = text.as_bytes();
        if !bytes.first().is_some_and(|first| self.is_first_byte[usize::from(*first)]) {
            return None;
        }
        // Tokens that are prefixes of the text sort before it, the longest of them last. What lies between the
        // longest and the text shares some shorter beginning with it, and so does the longest: look there next.
        while !bytes.is_empty() {
            let index = self.tokens.partition_point(|token| token.text.as_bytes().cmp(bytes) != Ordering::Greater);
            let candidate = &self.tokens[index.checked_sub(1)?];
            let common = candidate.text.bytes().zip(bytes).take_while(|(a, b)| a == *b).count();
            if common == candidate.text.len() {
                return Some(candidate);
            }
            bytes = &bytes[..common];
        }
        None
    }

    /// Splits a text into special tokens, the longest first where several match, and what lies between them.
    pub(super) fn split<'a>(&'a self, text: &'a str) -> Vec<Segment<'a>> {
        let mut segments = Vec::new();
        let (mut plain_start, mut position) = (0, 0);
        while position < text.len() {
            match text.get(position..).and_then(|rest| self.longest_prefix_of(rest)) {
                Some(token) => {
                    if plain_start < position {
                        segments.push(Segment::Text(&text[plain_start..position]));
                    }
                    segments.push(Segment::Special(token));
                    position += token.text.len();
                    plain_start = position;
                }
                None => position += 1,
            }
        }
        if plain_start < text.len() {
            segments.push(Segment::Text(&text[plain_start..]));
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special_tokens(texts: &[&str]) -> SpecialTokens {
        SpecialTokens::new((0..).zip(texts).map(|(id, text)| (id, (*text).to_owned(), TokenType::Control)))
    }

    #[test]
    fn the_longest_prefix_is_found_among_misleading_neighbours() {
        let tokens = special_tokens(&["<a", "<ab>", "<ab>c1", "<abz", "b"]);
        for (text, expected) in [
            ("<ab>cz", Some("<ab>")),
            ("<ab>c1", Some("<ab>c1")),
            ("<ab", Some("<a")),
            ("<abzz", Some("<abz")),
            ("<", None),
            ("", None),
            ("a", None),
            ("zzz", None),
            ("\u{10FFFF}", None),
        ] {
            assert_eq!(tokens.longest_prefix_of(text).map(|token| token.text.as_str()), expected, "{text}");
        }
    }

    #[test]
    fn a_split_loses_nothing() {
        let tokens = special_tokens(&["<a>", "<a><b>", "é"]);
        let text = "x<a<a>y<a><b><a>eéè<";
        let written = |segment: &Segment<'_>| match segment {
            Segment::Text(text) => format!("{text}|"),
            Segment::Special(token) => format!("[{}]|", token.text),
        };
        let segments = tokens.split(text);
        assert_eq!(segments.iter().map(written).collect::<String>(), "x<a|[<a>]|y|[<a><b>]|[<a>]|e|[é]|è<|");
        assert!(tokens.split("").is_empty());
    }
}
