//! The byte-level alphabet of GPT-2, in which vocabularies and merges are written: each of the 256 bytes is one
//! printable character, so that every token can be written down. A space is `Ġ`, a newline `Ċ`.

/// One past the last character of the alphabet: 68 bytes have no printable character of their own and are given
/// those from U+0100 on.
const ALPHABET_END: usize = 0x100 + 68;

/// Whether the byte stands for itself: the printable part of Latin-1.
const fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF)
}

const BYTE_TO_CHAR: [char; 256] = {
    let mut table = ['\0'; 256];
    let mut unprintable_count = 0u8;
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if is_printable(byte as u8) {
            byte as u8 as char
        } else {
            unprintable_count += 1;
            match char::from_u32(0x100 + unprintable_count as u32 - 1) {
                Some(char) => char,
                None => unreachable!(),
            }
        };
        byte += 1;
    }
    table
};

const CHAR_TO_BYTE: [Option<u8>; ALPHABET_END] = {
    let mut table = [None; ALPHABET_END];
    let mut byte = 0;
    while byte < 256 {
        table[BYTE_TO_CHAR[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    table
};

/// The 256 characters of the alphabet, in the order of their bytes.
pub(super) fn alphabet() -> impl Iterator<Item = char> {
    BYTE_TO_CHAR.into_iter()
}

/// Appends `text`, written in the alphabet, to `encoded`.
pub(super) fn encode(text: &str, encoded: &mut String) {
    encoded.extend(text.bytes().map(|byte| BYTE_TO_CHAR[usize::from(byte)]));
}

/// The bytes that `encoded` stands for. A text that holds a character from outside the alphabet is not encoded: it
/// stands for itself, as in the tokenizers library.
pub(super) fn decode(encoded: &str) -> Vec<u8> {
    let byte = |char| CHAR_TO_BYTE.get(char as usize).copied().flatten();
    encoded.chars().map(byte).collect::<Option<Vec<u8>>>().unwrap_or_else(|| encoded.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_characters_stand_for_their_bytes() {
        let mut encoded = String::new();
        encode(" a\n\u{e9}", &mut encoded);
        assert_eq!(encoded, "ĠaĊÃ©");
    }

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&alphabet().collect::<String>()), all);
    }

    #[test]
    fn text_from_outside_the_alphabet_stands_for_itself() {
        assert_eq!(decode("a b"), b"a b");
        assert_eq!(decode("中"), "中".as_bytes());
    }
}
