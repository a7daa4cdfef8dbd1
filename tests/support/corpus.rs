//! Thousands of texts and what the original tokenizers make of them: `vocabulary/reference-corpus.json`, which
//! `scripts/make_text_fixtures.py` made.

use std::path::Path;

use qwisp::text::Tokenizer;
use serde::Deserialize;

/// A text, or one that is repeated so many times.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Once(String),
    Repeated(String, usize),
}

impl Text {
    fn whole(&self) -> String {
        match self {
            Self::Once(text) => text.clone(),
            Self::Repeated(text, count) => text.repeat(*count),
        }
    }
}

/// A text, the hash of its ids, and its composed form where that is another text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Case {
    Composed(Text, String),
    Decomposed(Text, String, Text),
}

/// FNV-1a of token ids, in 64 bits, as hexadecimal digits.
pub(crate) fn hash_ids(ids: &[u32]) -> String {
    let bytes = ids.iter().flat_map(|id| id.to_le_bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Gives every text of the corpus its ids and turns them back. Returns how many texts there are, and those whose ids are
/// not the original's, or which don't come back as what NFC makes of them.
pub(crate) fn check_corpus(tokenizer: &Tokenizer) -> (usize, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vocabulary/reference-corpus.json");
    let corpus = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Vec<Case> = serde_json::from_slice(&corpus).expect("the corpus is JSON");
    let mut wrong = Vec::new();
    for case in &cases {
        let (text, hash, composed) = match case {
            Case::Composed(text, hash) => (text, hash, text),
            Case::Decomposed(text, hash, composed) => (text, hash, composed),
        };
        let ids = tokenizer.encode(&text.whole(), true).expect("every text has tokens");
        let decoded = tokenizer.decode(&ids).expect("the tokens exist");
        if hash_ids(&ids) != *hash || decoded != composed.whole() {
            wrong.push(format!("{text:?}"));
        }
    }
    (cases.len(), wrong)
}
