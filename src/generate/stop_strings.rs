//! Ending an answer at a string, wherever the borders of tokens fall.

/// Passes text on until one of the strings occurs in it; holds back an end that could become one.
#[derive(Debug, Default)]
pub struct StopStrings {
    strings: Vec<String>,
    held_back: String,
}

impl StopStrings {
    /// Stops at any of `strings`; empty ones are ignored.
    pub fn new(strings: Vec<String>) -> Self {
        Self { strings: strings.into_iter().filter(|string| !string.is_empty()).collect(), held_back: String::new() }
    }

    /// Takes more text; returns what can be shown, and whether a stop string occurred. What is shown ends before it.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held_back.push_str(text);
        let first = self.strings.iter().filter_map(|string| self.held_back.find(string.as_str())).min();
        if let Some(start) = first {
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

    #[test]
    fn text_ends_before_the_first_stop_string_whatever_the_pieces() {
        let cases: [(&[&str], &[&str], &str, bool); 7] = [
            (&["END"], &["a EN", "D b"], "a ", true),
            (&["END"], &["a E", "N", "d b"], "a ENd b", false),
            (&["END", "a"], &["xEND a"], "x", true),
            (&["\n\n"], &["one\n", "two\n", "\nthree"], "one\ntwo", true),
            (&["ééé"], &["éé", "x"], "ééx", false),
            (&["aab"], &["aa", "ab"], "a", true),
            (&["", "never"], &["text", " n"], "text n", false),
        ];
        for (strings, pieces, expected, expected_stop) in cases {
            let mut stop_strings = StopStrings::new(strings.iter().map(|string| string.to_string()).collect());
            let mut shown = String::new();
            let mut stopped = false;
            for piece in pieces {
                let (text, stop) = stop_strings.push(piece);
                shown += &text;
                stopped = stop;
                if stop {
                    break;
                }
            }
            if !stopped {
                shown += &stop_strings.finish();
            }
            assert_eq!((shown.as_str(), stopped), (expected, expected_stop), "{strings:?} in {pieces:?}");
        }
    }
}
