//! What a conversation is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Role {
    /// Instructions for the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The answer of a tool that the model called.
    Tool,
}

impl Role {
    /// The role as templates and JavaScript know it: `"user"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    /// # Errors
    /// `InvalidArgument` if there is no such role.
    fn from_str(role: &str) -> Result<Self, Error> {
        [Self::System, Self::User, Self::Assistant, Self::Tool]
            .into_iter()
            .find(|known| known.as_str() == role)
            .ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "there is no such role")
                    .at("role of a message")
                    .got(format_args!("{role:?}"))
                    .expected("\"system\", \"user\", \"assistant\" or \"tool\"")
            })
    }
}

impl TryFrom<String> for Role {
    type Error = Error;

    fn try_from(role: String) -> Result<Self, Error> {
        role.parse()
    }
}

/// One turn of a conversation, as OpenAI's chat completions and transformers write it down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; may be empty, missing or null beside tool calls.
    #[serde(default, deserialize_with = "null_as_default")]
    pub content: String,
    /// What the assistant thought before it said so. Templates that know it decide what becomes of it; Qwen3's leaves it
    /// out but for what belongs to the question that is being answered.
    #[serde(default)]
    pub reasoning_content: Option<String>,
    /// The tools that the assistant called.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool's result answers.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// The tool whose result it is.
    #[serde(default)]
    pub name: Option<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToolCall {
    /// What tells it apart from others.
    #[serde(default)]
    pub id: Option<String>,
    /// The call. There are no other tools than functions.
    pub function: FunctionCall,
}

/// A function and what it is called with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FunctionCall {
    /// The function.
    pub name: String,
    /// Its arguments: an object, as in transformers, or the JSON of one, as OpenAI has it. Null is none.
    #[serde(default)]
    pub arguments: Value,
}

impl Message {
    /// A message of that role and content.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            reasoning_content: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
        }
    }

    /// Every text of the message: what people may have written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.reasoning_content, &self.tool_call_id, &self.name].into_iter().flatten();
        let of_calls = self.tool_calls.iter().flat_map(|ToolCall { id, function }| {
            let texts = id.iter().chain([&function.name]).map(String::as_str);
            texts.chain(texts_of(&function.arguments))
        });
        std::iter::once(&self.content).chain(optional).map(String::as_str).chain(of_calls)
    }
}

/// Every text of a JSON value, the keys of objects among them.
pub fn texts_of(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        Value::Object(entries) => {
            entries.iter().flat_map(|(key, value)| [vec![key.as_str()], texts_of(value)].concat()).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// JSON's null, which stands for nothing, as the empty value of a type.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
