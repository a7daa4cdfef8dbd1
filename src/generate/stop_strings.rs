//! Ending an answer at a string, wherever the borders of tokens fall.

use crate::error::{Error, ErrorKind, Result};

/// Passes text on until one of the strings is complete in it; holds back an end that could become one.
///
/// The string that is complete first ends the text, and of those that end in the same place the longest: so it makes no
/// difference in which pieces the text comes.
#[derive(Debug, Default)]
pub struct StopStrings {
    strings: Vec<String>,
    held_back: String,
}

impl StopStrings {
    /// Stops at any of `strings`.
    ///
    /// # Errors
    /// `invalid-argument` for an empty one, which would end every answer before it begins.
    pub fn new(strings: Vec<String>) -> Result<Self> {
        match strings.iter().position(String::is_empty) {
            Some(index) => Err(Error::new(ErrorKind::InvalidArgument, "a stop string is empty")
                .at(format!("stop[{index}]"))
                .got("\"\"")
                .expected("at least one character")),
            None => Ok(Self { strings, held_back: String::new() }),
        }
    }

    /// Takes more text; returns what can be shown, and whether a stop string occurred. What is shown ends before it.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held_back.push_str(text);
        let find = |string: &String| self.held_back.find(string).map(|start| (start + string.len(), start));
        if let Some((_, start)) = self.strings.iter().filter_map(find).min() {
            self.held_back.truncate(start);
            return (std::mem::take(&mut self.held_back), true); // nothing is held back any more
        }
        let held_bytes = self.strings.iter().map(|string| overlap_bytes(&self.held_back, string)).max().unwrap_or(0);
        let later = self.held_back.split_off(self.held_back.len() - held_bytes);
        (std::mem::replace(&mut self.held_back, later), false)
    }

    /// What was held back, when nothing more comes.
    pub fn finish(self) -> String {
        self.held_back
    }
}

/// How many bytes at the end of `text` are a beginning of `string`.
fn overlap_bytes(text: &str, string: &str) -> usize {
    let prefixes = string.char_indices().map(|(end, _)| &string[..end]);
    prefixes.rev().find(|prefix| text.ends_with(prefix)).map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a text that comes in these pieces, and whether a stop string ended it.
    fn shown<'a>(strings: &[&str], pieces: impl IntoIterator<Item = &'a str>) -> (String, bool) {
        let mut stop_strings = StopStrings::new(strings.iter().map(|string| string.to_string()).collect()).unwrap();
        let mut shown = String::new();
        for piece in pieces {
            let (text, stop) = stop_strings.push(piece);
            shown += &text;
            if stop {
                return (shown, true);
            }
        }
        (shown + &stop_strings.finish(), false)
    }

    /// The text in every way to cut it into three pieces, and character by character.
    #[test]
    fn text_ends_before_the_stop_string_that_is_complete_first_whatever_the_pieces() {
        let cases: [(&[&str], &str, &str, bool); 16] = [
            (&["END"], "a END b", "a ", true),
            (&["END"], "a ENd b", "a ENd b", false),
            (&["END"], "a EEND b", "a E", true),
            (&["END", "a"], "xEND a", "x", true),
            (&["\n\n"], "one\ntwo\n\nthree", "one\ntwo", true),
            (&["aab"], "aaab", "a", true),
            (&["never"], "text n", "text n", false),
            (&[], "text", "text", false),
            // Nested: the inner one is complete before the outer one.
            (&["abc", "b"], "abc", "a", true),
            (&["b", "abc"], "abc", "a", true),
            // Both end in the same place.
            (&["c", "abc", "bc"], "xabc", "x", true),
            // One is the beginning of another.
            (&["<|", "<|end|>"], "x<|end|>", "x", true),
            // They overlap: the end of one is the beginning of another.
            (&["abab", "bac"], "ababac", "", true),
            (&["abc", "cde"], "abdcde", "abd", true),
            // Characters of several bytes that share their first ones.
            (&["ééé", "èé"], "ééèx", "ééèx", false),
            (&["👋🏽", "中"], "é👋👋🏽中", "é👋", true),
        ];
        for (strings, text, expected, expected_stop) in cases {
            let expected = (expected.to_string(), expected_stop);
            let borders: Vec<usize> = text.char_indices().map(|(index, _)| index).chain([text.len()]).collect();
            for (index, &first) in borders.iter().enumerate() {
                for &second in &borders[index..] {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    assert_eq!(shown(strings, pieces), expected, "{strings:?} in {pieces:?}");
                }
            }
            let characters = borders.windows(2).map(|pair| &text[pair[0]..pair[1]]);
            assert_eq!(shown(strings, characters), expected, "{strings:?} in {text:?}, character by character");
        }
    }

    #[test]
    fn there_may_be_many_stop_strings() {
        let strings: Vec<String> = (0..1000).map(|number| format!("<{number:03}>")).collect();
        let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
        assert_eq!(shown(&strings, ["a<99", "9", ">", "b"]), ("a".to_string(), true));
        assert_eq!(shown(&strings, ["a<99", "9", "<", "b"]), ("a<999<b".to_string(), false));
    }

    #[test]
    fn an_empty_stop_string_is_refused_by_its_place() {
        let error = StopStrings::new(vec!["a".to_string(), String::new()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("stop[1]"), "{error}");
    }
}
