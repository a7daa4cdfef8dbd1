//! What a chat template can take besides plain messages. Templates don't say so, and most pass over what they don't know
//! without a word; so each is tried with texts that occur nowhere else, and what comes out is searched for them.

use minijinja::Value;
use serde_json::{Value as Json, json};

use super::json::to_value;
use super::thinking::{CLOSING, OPENING};

/// Letters alone, which no template escapes.
const NAME: &str = "qwispprobename";
const KEY: &str = "qwispprobekey";
const VALUE: &str = "qwispprobevalue";
const RESULT: &str = "qwispproberesult";

/// What a template makes use of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Abilities {
    /// A plain question.
    pub(super) questions: bool,
    /// Definitions of tools.
    pub(super) tools: bool,
    /// Messages of the role `tool`.
    pub(super) tool_results: bool,
    /// Calls of tools in what the assistant said.
    pub(super) tool_calls: Option<ToolCallForm>,
    /// Thinking before an answer.
    pub(super) thinking: Thinking,
}

/// How a template wants calls of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ToolCallForm {
    /// Whether the arguments may be an object.
    pub(super) object_arguments: bool,
    /// Whether the arguments may be the JSON of an object, in a string.
    pub(super) string_arguments: bool,
    /// Whether content that is not there has to be null.
    pub(super) null_content: bool,
}

/// Whether the model thinks before it answers, by what `enable_thinking` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Thinking {
    unset: bool,
    on: bool,
    off: bool,
}

impl Thinking {
    /// Whether the model thinks with this value of `enable_thinking`.
    pub(super) fn with(self, enable_thinking: Option<bool>) -> bool {
        match enable_thinking {
            None => self.unset,
            Some(true) => self.on,
            Some(false) => self.off,
        }
    }
}

impl Abilities {
    /// Finds them out. `render` gives what the template makes of messages, tools and `enable_thinking`, or nothing if it
    /// fails.
    pub(super) fn find(render: impl Fn(Value, Value, Option<bool>) -> Option<String>) -> Self {
        let with_messages = |messages: Json| render(to_value(&messages), Value::from(()), None);
        let question = || json!({ "role": "user", "content": "x" });
        let result = || json!({ "role": "tool", "content": RESULT, "name": NAME, "tool_call_id": "call00001" });

        let questions = |thinking| render(to_value(&json!([question()])), Value::from(()), thinking);
        let tool = json!([{
            "type": "function",
            "function": { "name": NAME, "description": "x", "parameters": { "type": "object", "properties": {} } },
        }]);
        let tools = render(to_value(&json!([question()])), to_value(&tool), None);
        let tool_results = with_messages(json!([question(), { "role": "assistant", "content": "x" }, result()]));
        let tool_calls = [json!(""), Json::Null].into_iter().find_map(|content| {
            let takes = |arguments: Json, expected: &str| {
                let function = json!({ "name": NAME, "arguments": arguments });
                let calls = json!([{ "id": "call00001", "type": "function", "function": function }]);
                let answer = json!({ "role": "assistant", "content": content, "tool_calls": calls });
                let prompt = with_messages(json!([question(), answer, result()])).unwrap_or_default();
                // The name of the result doesn't count.
                prompt.split(RESULT).next().is_some_and(|prompt| prompt.contains(NAME) && prompt.contains(expected))
            };
            let string = format!("{{\"{KEY}\": \"{VALUE}\"}}");
            let form = ToolCallForm {
                object_arguments: takes(json!({ KEY: VALUE }), VALUE),
                string_arguments: takes(json!(string), &string),
                null_content: content.is_null(),
            };
            (form.object_arguments || form.string_arguments).then_some(form)
        });
        let has = |prompt: Option<String>, text| prompt.is_some_and(|prompt| prompt.contains(text));
        Self {
            questions: questions(None).is_some(),
            tools: has(tools, NAME),
            tool_results: has(tool_results, RESULT),
            tool_calls,
            thinking: Self::find_thinking(|enable_thinking| questions(enable_thinking).unwrap_or_default()),
        }
    }

    /// A prompt that ends with `<think>` makes the model think, and one that ends with `</think>` makes it not to. Where the
    /// prompt does neither, a model that can be kept from thinking thinks by itself.
    fn find_thinking(prompt: impl Fn(Option<bool>) -> String) -> Thinking {
        let beginnings = [None, Some(true), Some(false)].map(|enable_thinking| Beginning::of(&prompt(enable_thinking)));
        let can_be_kept_from_it = beginnings.contains(&Beginning::Thought);
        let [unset, on, off] = beginnings.map(|beginning| match beginning {
            Beginning::Thinking => true,
            Beginning::Thought => false,
            Beginning::Open => can_be_kept_from_it,
        });
        Thinking { unset, on, off }
    }
}

/// How a prompt makes the model begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// As it likes.
    Open,
    /// Within its thinking.
    Thinking,
    /// Behind it.
    Thought,
}

impl Beginning {
    /// That of a prompt in which no content looks like a tag.
    pub(super) fn of(prompt: &str) -> Self {
        let end = prompt.trim_end();
        if end.ends_with(OPENING) {
            Self::Thinking
        } else if end.ends_with(CLOSING) {
            Self::Thought
        } else {
            Self::Open
        }
    }
}
