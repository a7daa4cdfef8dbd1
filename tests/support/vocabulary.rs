//! Real tokenizers and chat templates without their models: `vocabulary/`, which `scripts/make_text_fixtures.py` made.

use std::path::Path;
use std::sync::LazyLock;

use qwisp::text::{ChatTemplate, Message, Prompt, TemplateOptions, Tokenizer, Vocabulary};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The first special token of every Qwen: all ids below it are text.
pub(crate) const FIRST_SPECIAL: u32 = 151_643;

pub(crate) fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_json<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `vocabulary/<model>.json`.
#[derive(Deserialize)]
struct ModelFixture {
    pre_tokenizer: String,
    special_tokens: Vec<SpecialTokenFixture>,
    token_count: usize,
    bos_token: String,
    eos_token: String,
    chat_template: String,
}

#[derive(Deserialize)]
struct SpecialTokenFixture {
    text: String,
    #[serde(rename = "type")]
    token_type: i32,
}

impl ModelFixture {
    /// The vocabulary as it stands in the GGUF file: the script checked that it follows from the merges so.
    fn vocabulary(&self) -> Vocabulary {
        let merges: Vec<String> = read("vocabulary/merges.txt").lines().map(str::to_owned).collect();
        let mut tokens = byte_tokens();
        tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
        let mut token_types = vec![1; tokens.len()];
        for special in &self.special_tokens {
            tokens.push(special.text.clone());
            token_types.push(special.token_type);
        }
        for id in tokens.len()..self.token_count {
            tokens.push(format!("[PAD{id}]"));
            token_types.push(5);
        }
        Vocabulary { tokens, merges, token_types, pre_tokenizer: self.pre_tokenizer.clone() }
    }
}

/// The 256 tokens of single bytes in the order of GPT-2, which puts the printable ones first.
pub(crate) fn byte_tokens() -> Vec<String> {
    let printable = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ');
    printable.chain('\u{100}'..='\u{143}').map(String::from).collect()
}

/// A model's tokenizer and template, built from the fixtures.
pub(crate) struct TextModel {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: ChatTemplate,
    pub(crate) template_source: String,
}

impl TextModel {
    fn new(name: &str) -> Self {
        let fixture: ModelFixture = read_json(&format!("vocabulary/{name}.json"));
        let tokenizer = Tokenizer::new(fixture.vocabulary()).expect("the vocabulary is good");
        let template = ChatTemplate::new(
            &fixture.chat_template,
            tokenizer.special_tokens(),
            Some(&fixture.bos_token),
            Some(&fixture.eos_token),
        );
        Self { tokenizer, template: template.expect("the template is good"), template_source: fixture.chat_template }
    }

    /// The model of that name in the fixtures.
    pub(crate) fn named(name: &str) -> &'static Self {
        match name {
            "qwen2.5" => &QWEN2_5,
            "qwen3" => &QWEN3,
            "deepseek-r1-distill-qwen" => &DEEPSEEK_R1,
            _ => panic!("there is no fixture of {name}"),
        }
    }

    /// The prompt that the model's template makes with its defaults.
    pub(crate) fn render(&self, messages: &[Message]) -> Prompt {
        self.template.render(messages, &TemplateOptions::default()).expect("the template takes these messages")
    }

    /// The ids of a prompt.
    pub(crate) fn ids(&self, prompt: &Prompt) -> Vec<u32> {
        self.tokenizer.encode_prompt(prompt).expect("the prompt is for this model")
    }
}

pub(crate) static QWEN2_5: LazyLock<TextModel> = LazyLock::new(|| TextModel::new("qwen2.5"));
pub(crate) static QWEN3: LazyLock<TextModel> = LazyLock::new(|| TextModel::new("qwen3"));
pub(crate) static DEEPSEEK_R1: LazyLock<TextModel> = LazyLock::new(|| TextModel::new("deepseek-r1-distill-qwen"));

/// Those ids that no plain text has.
pub(crate) fn special_ids(ids: &[u32]) -> Vec<u32> {
    ids.iter().copied().filter(|id| *id >= FIRST_SPECIAL).collect()
}
