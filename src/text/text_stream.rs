//! Text out of tokens that need not end where characters do.

/// Turns bytes that arrive in arbitrary pieces into text. A character that is still incomplete is held back until
/// the rest of it comes; bytes that can be no character become U+FFFD.
#[derive(Debug, Default)]
pub struct TextStream {
    /// The beginning of a character, at most three bytes.
    incomplete: Vec<u8>,
}

impl TextStream {
    /// A stream that nothing was pushed to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and returns the text that is complete by now, which may be empty.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let mut pending = std::mem::take(&mut self.incomplete);
        pending.extend_from_slice(bytes);
        let mut text = String::with_capacity(pending.len());
        let mut chunks = pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            if chunks.peek().is_none() && may_continue(chunk.invalid()) {
                self.incomplete = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

/// Whether the bytes are wrong only in that they end too early.
fn may_continue(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_of_a_text_gives_the_text() {
        let text = "aé中👩‍💻\u{10FFFF}";
        for cut in 0..=text.len() {
            let mut stream = TextStream::new();
            let pieces = [stream.push(&text.as_bytes()[..cut]), stream.push(&text.as_bytes()[cut..])];
            assert_eq!(pieces.concat(), text, "cut at byte {cut}");
        }
        let mut stream = TextStream::new();
        let one_by_one: String = text.bytes().map(|byte| stream.push(&[byte])).collect();
        assert_eq!(one_by_one, text);
    }

    #[test]
    fn broken_bytes_become_replacement_characters_as_soon_as_they_are_known_to_be_broken() {
        let cases: &[(&[&[u8]], &str)] = &[
            (&[b"\xff"], "\u{fffd}"),
            (&[b"\x80a"], "\u{fffd}a"),
            (&[b"\xe4\xb8", b"a"], "\u{fffd}a"),
            (&[b"\xe4", b"\xe4\xb8\xad"], "\u{fffd}中"),
            (&[b"a\xf0\x9f\x91"], "a"),
            (&[b"\xed\xa0\x80"], "\u{fffd}\u{fffd}\u{fffd}"),
            (&[b"", b""], ""),
        ];
        for (pushes, pushed) in cases {
            let mut stream = TextStream::new();
            let text: String = pushes.iter().map(|bytes| stream.push(bytes)).collect();
            assert_eq!(text, *pushed, "{pushes:x?}");
        }
    }
}
