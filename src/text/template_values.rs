//! Messages as a template sees them.

use std::borrow::Cow;

use minijinja::value::Value;
use serde_json::Value as Json;

use super::abilities::ToolCallForm;
use super::content_guard::ContentGuard;
use super::json;
use super::message::{FunctionCall, Message, Role, ToolCall};
use crate::error::{Error, ErrorKind, Result};

/// How deeply tools and arguments may nest.
const MAX_DEPTH: usize = 48;

/// A message, guarded. What is not given is not there.
pub(super) fn message_value(message: &Message, calls: Option<ToolCallForm>, guard: &ContentGuard<'_>) -> Value {
    let Message { role, content, reasoning_content, tool_calls, tool_call_id, name } = message;
    let text = |text: &String| Value::from(guard.protect(text));
    let wants_null = calls.is_some_and(|form| form.null_content) && !tool_calls.is_empty();
    let content = match role {
        _ if wants_null && content.is_empty() => Value::from(()),
        Role::Assistant => Value::from(guard.protect_answer(content)),
        _ => text(content),
    };
    let mut entries = vec![("role", Value::from(role.as_str())), ("content", content)];
    let optional = [("reasoning_content", reasoning_content), ("tool_call_id", tool_call_id), ("name", name)];
    entries.extend(optional.into_iter().filter_map(|(key, value)| Some((key, text(value.as_ref()?)))));
    if !tool_calls.is_empty() {
        let calls: Vec<Value> = tool_calls.iter().map(|call| tool_call_value(call, guard)).collect();
        entries.push(("tool_calls", Value::from(calls)));
    }
    Value::from_pairs(entries)
}

fn tool_call_value(call: &ToolCall, guard: &ContentGuard<'_>) -> Value {
    let ToolCall { id, function: FunctionCall { name, arguments } } = call;
    let function = Value::from_pairs([
        ("name", Value::from(guard.protect(name))),
        ("arguments", json::to_value(&guard.protect_json(arguments))),
    ]);
    let id = id.iter().map(|id| ("id", Value::from(guard.protect(id))));
    Value::from_pairs(id.chain([("type", Value::from("function")), ("function", function)]))
}

/// The messages with the arguments of calls in the form that the template wants, an object or the JSON of one; none are an
/// empty object. This comes
/// before anything is marked: what an escape in the JSON stands for is a text like any other.
///
/// # Errors
/// `InvalidArgument` for a string that is no JSON, and for arguments that nest too deeply.
pub(super) fn with_wanted_arguments(messages: &[Message], calls: Option<ToolCallForm>) -> Result<Cow<'_, [Message]>> {
    let Some(form) = calls else { return Ok(Cow::Borrowed(messages)) };
    let mut messages = messages.to_vec();
    let calls = messages.iter_mut().flat_map(|message| &mut message.tool_calls);
    for FunctionCall { arguments, .. } in calls.map(|call| &mut call.function) {
        let wrong = |what: &str| Error::new(ErrorKind::InvalidArgument, what).at("arguments of a tool call");
        if arguments.is_null() {
            *arguments = Json::Object(serde_json::Map::new());
        }
        match arguments {
            Json::String(json) if !form.string_arguments => {
                let parsed = serde_json::from_str(json).map_err(|error| wrong("they are no JSON").got(error))?;
                if nests_too_deeply(&parsed) {
                    return Err(wrong("they nest too deeply"));
                }
                *arguments = parsed;
            }
            Json::String(_) => {}
            _ if !form.object_arguments => {
                let json = json::to_line(arguments).map_err(|error| wrong("they can't be written").got(error))?;
                *arguments = Json::String(json);
            }
            _ => {}
        }
    }
    Ok(Cow::Owned(messages))
}

/// Whether arrays and objects nest deeper than what is taken.
pub(super) fn nests_too_deeply(value: &Json) -> bool {
    nests_deeper(value, MAX_DEPTH)
}

fn nests_deeper(value: &Json, depth: usize) -> bool {
    match (value, depth.checked_sub(1)) {
        (Json::Array(items), Some(depth)) => items.iter().any(|item| nests_deeper(item, depth)),
        (Json::Object(entries), Some(depth)) => entries.values().any(|value| nests_deeper(value, depth)),
        (Json::Array(_) | Json::Object(_), None) => true,
        _ => false,
    }
}
