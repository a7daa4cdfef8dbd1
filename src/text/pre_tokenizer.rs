//! Qwen2's rule that splits text into words before byte pairs are merged.

use tokenizers::utils::SysRegex;

use crate::error::{Error, ErrorKind, Result};

/// Qwen publishes the rule as
///
/// ```text
/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
/// ```
///
/// A pattern with a look-ahead needs a backtracking matcher, which gives up on very long runs of spaces. So this is
/// the rule without `\s+(?!\S)`, and [`PreTokenizer::words`] does what that part would: a run of spaces leaves its
/// last one to the word behind it.
const WORD: &str = concat!(
    r"\A(?:(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+)"
);

/// Splits text into words as Qwen2 does.
pub(super) struct PreTokenizer {
    word: SysRegex,
}

impl PreTokenizer {
    /// The pre-tokenizer that a GGUF file names.
    ///
    /// # Errors
    /// `UnsupportedModel` if it is not `qwen2`, or that under the name that DeepSeek's distilled Qwens have it.
    pub(super) fn new(name: &str) -> Result<Self> {
        if !matches!(name, "qwen2" | "deepseek-r1-qwen") {
            return Err(Error::new(ErrorKind::UnsupportedModel, "the pre-tokenizer is not supported")
                .at("tokenizer.ggml.pre")
                .got(format_args!("{name:?}"))
                .expected("\"qwen2\" or \"deepseek-r1-qwen\""));
        }
        let word = SysRegex::new(WORD).map_err(|error| {
            Error::new(ErrorKind::Internal, "the pre-tokenizer's pattern does not compile").got(error)
        })?;
        Ok(Self { word })
    }

    /// The words of a text; joined they are the text.
    pub(super) fn words<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let mut rest = text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            // Every character begins one of the alternatives, so there always is a match.
            let end = self.word.find_iter(rest).next().map_or(rest.len(), |(_, end)| end);
            let (word, behind) = rest.split_at(self.without_last_space(rest, end));
            rest = behind;
            Some(word)
        })
    }

    /// Where the word that matched up to `end` really ends: `\s+(?!\S)`. Only the last alternative of the pattern
    /// matches something that ends with a space other than a line break.
    fn without_last_space(&self, text: &str, end: usize) -> usize {
        match text[..end].char_indices().next_back() {
            Some((start, last))
                if start > 0 && end < text.len() && last.is_whitespace() && !matches!(last, '\r' | '\n') =>
            {
                start
            }
            _ => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_qwen2_splits_them() {
        let pre_tokenizer = PreTokenizer::new("qwen2").expect("it is supported");
        let cases: &[(&str, &[&str])] = &[
            ("Hello, world", &["Hello", ",", " world"]),
            ("it's I'LL", &["it", "'s", " I", "'LL"]),
            ("2024", &["2", "0", "2", "4"]),
            ("a   b", &["a", "  ", " b"]),
            ("a   ", &["a", "   "]),
            ("a \n  b", &["a", " \n", " ", " b"]),
            ("a  \r\n\r\n", &["a", "  \r\n\r\n"]),
            ("if(x)\n\treturn", &["if", "(x", ")\n", "\treturn"]),
            (" \u{3000}\u{a0}x", &[" \u{3000}", "\u{a0}x"]),
            ("\t\t1", &["\t", "\t", "1"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(pre_tokenizer.words(text).collect::<Vec<_>>(), *expected, "{text:?}");
        }
    }

    #[test]
    fn another_pre_tokenizer_is_refused_by_name() {
        let error = PreTokenizer::new("llama-bpe").err().expect("it is not supported");
        assert_eq!(error.kind(), ErrorKind::UnsupportedModel);
        assert!(error.to_string().contains("llama-bpe"), "{error}");
    }
}
