//! JSON as Python's `json.dumps` writes it, which is what chat templates were written for and models learned from:
//! `{"a": [1, 2.0]}`, with spaces, nothing escaped for ASCII or HTML, and keys in the order in which they were given.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error as TemplateError, ErrorKind as TemplateErrorKind, State};
use serde_json::Value as Json;

/// How deeply arrays and objects may nest. The stack of a browser's worker is small.
const MAX_DEPTH: usize = 64;

/// How many bytes a unit of a template's fuel stands for: what the template engine counts for text.
const BYTES_PER_FUEL: u64 = 64;

/// How JSON is laid out, and how long it may become.
struct Layout {
    /// Spaces for each level of nesting, each item on a line of its own; `None` puts all on one line.
    indent: Option<usize>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    /// A value that holds another many times is short, and its JSON is not.
    max_bytes: usize,
}

impl Default for Layout {
    fn default() -> Self {
        let [item_separator, key_separator] = [", ", ": "].map(String::from);
        Self { indent: None, item_separator, key_separator, sort_keys: false, max_bytes: usize::MAX }
    }
}

/// Jinja's `tojson` as transformers has it: `json.dumps` with `ensure_ascii=False`.
///
/// # Errors
/// For an undefined value, for what JSON has no form for, for more than the fuel that is left is good for, for
/// `ensure_ascii=true`, and for options that are not there.
pub(super) fn to_json(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<String, TemplateError> {
    let mut layout = layout(options)?;
    if let Some((_, fuel)) = state.fuel_levels() {
        layout.max_bytes = usize::try_from(fuel.saturating_mul(BYTES_PER_FUEL)).unwrap_or(usize::MAX);
    }
    write(value, &layout)
}

/// A value on one line.
///
/// # Errors
/// For values that nest too deeply.
pub(super) fn to_line(value: &Json) -> Result<String, TemplateError> {
    write(&to_value(value), &Layout::default())
}

/// A JSON value as templates see it.
pub(super) fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(to_value).collect(),
        Json::Object(entries) => Value::from_pairs(entries.iter().map(|(key, value)| (key.as_str(), to_value(value)))),
    }
}

/// The layout that the options of `json.dumps` ask for.
fn layout(options: Kwargs) -> Result<Layout, TemplateError> {
    let fail = |what: &str| TemplateError::new(TemplateErrorKind::InvalidOperation, format!("tojson: {what}"));
    // Escapes would hide the marks of the content guard from those who take them out again.
    if options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false) {
        return Err(fail("ensure_ascii is not supported"));
    }
    let indent = options.get::<Option<usize>>("indent")?;
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    let [item_separator, key_separator] = match separators {
        Some(separators) => <[String; 2]>::try_from(separators).map_err(|_| fail("separators are two strings"))?,
        // Python leaves no space at the end of a line.
        None => [if indent.is_some() { "," } else { ", " }, ": "].map(String::from),
    };
    let sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    Ok(Layout { indent, item_separator, key_separator, sort_keys, ..Layout::default() })
}

fn write(value: &Value, layout: &Layout) -> Result<String, TemplateError> {
    let mut json = String::new();
    write_value(value, layout, 0, &mut json)?;
    Ok(json)
}

fn write_value(value: &Value, layout: &Layout, depth: usize, json: &mut String) -> Result<(), TemplateError> {
    let fail = |what: &str| Err(TemplateError::new(TemplateErrorKind::InvalidOperation, format!("tojson: {what}")));
    if depth > MAX_DEPTH {
        return fail("the value nests too deeply");
    }
    if json.len() > layout.max_bytes {
        return Err(TemplateErrorKind::OutOfFuel.into());
    }
    match value.kind() {
        ValueKind::None => json.push_str("null"),
        ValueKind::Bool => json.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => write_number(value, json),
        ValueKind::String => write_string(value.as_str().unwrap_or_default(), json),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            write_items(['[', ']'], items.len(), layout, depth, json, |index, json| {
                write_value(&items[index], layout, depth + 1, json)
            })?;
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if layout.sort_keys {
                keys.sort();
            }
            write_items(['{', '}'], keys.len(), layout, depth, json, |index, json| {
                let key = &keys[index];
                match key.as_str() {
                    Some(key) => write_string(key, json),
                    None => write_string(&key.to_string(), json),
                }
                json.push_str(&layout.key_separator);
                write_value(&value.get_item(key)?, layout, depth + 1, json)
            })?;
        }
        _ => return fail(&format!("JSON has no form for {}", value.kind())),
    }
    Ok(())
}

/// Brackets around `count` items that `write_item` writes.
fn write_items(
    [opening, closing]: [char; 2],
    count: usize,
    layout: &Layout,
    depth: usize,
    json: &mut String,
    mut write_item: impl FnMut(usize, &mut String) -> Result<(), TemplateError>,
) -> Result<(), TemplateError> {
    let break_line = |depth: usize, json: &mut String| {
        if let Some(indent) = layout.indent {
            json.push('\n');
            json.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    json.push(opening);
    for index in 0..count {
        if index > 0 {
            json.push_str(&layout.item_separator);
        }
        break_line(depth + 1, json);
        write_item(index, json)?;
    }
    if count > 0 {
        break_line(depth, json);
    }
    json.push(closing);
    Ok(())
}

fn write_string(text: &str, json: &mut String) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", char as u32)),
            _ => json.push(char),
        }
    }
    json.push('"');
}

fn write_number(value: &Value, json: &mut String) {
    match f64::try_from(value.clone()) {
        Ok(number) if !value.is_integer() => write_float(number, json),
        _ => json.push_str(&value.to_string()),
    }
}

/// A number as Python's `repr` writes it: the fewest digits that mean it, with an exponent below 1e-4 and from 1e16 on.
fn write_float(number: f64, json: &mut String) {
    if !number.is_finite() {
        json.push_str(if number.is_nan() { "NaN" } else { ["Infinity", "-Infinity"][usize::from(number < 0.0)] });
        return;
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            json.push_str(&format!("{mantissa}e{sign}{:02}", exponent.abs()));
        }
        _ => json.push_str(&format!("{number:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        // The second of each is what Python 3 says: json.dumps(json.loads(first), ensure_ascii=False).
        for (given, expected) in [
            (r#"{"b":1,"a":[true,false,null],"é<>&'":{}}"#, r#"{"b": 1, "a": [true, false, null], "é<>&'": {}}"#),
            (r#"[]"#, "[]"),
            (
                r#"["\u0000\u001f\u007f\b\f\n\r\t\"\\\/\u2028"]"#,
                "[\"\\u0000\\u001f\u{7f}\\b\\f\\n\\r\\t\\\"\\\\/\u{2028}\"]",
            ),
            (
                "[1.0, -0.0, 0.1, 1e15, 1e16, 1.5e300, 1e-4, 1e-5, 1.25e-7]",
                "[1.0, -0.0, 0.1, 1000000000000000.0, 1e+16, 1.5e+300, 0.0001, 1e-05, 1.25e-07]",
            ),
            ("[0, -1, 9007199254740993, 18446744073709551615]", "[0, -1, 9007199254740993, 18446744073709551615]"),
        ] {
            let value: Json = serde_json::from_str(given).expect("it is JSON");
            assert_eq!(to_line(&value).expect("it can be written"), expected);
        }
    }

    #[test]
    fn options_lay_it_out() {
        let value: Json = serde_json::from_str(r#"{"b":[1,{}],"a":[]}"#).expect("it is JSON");
        let value = to_value(&value);
        let written = |options: &[(&str, Value)]| write(&value, &layout(options.iter().cloned().collect())?);
        assert_eq!(
            written(&[("indent", Value::from(2))]).expect("an indent is fine"),
            "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": []\n}"
        );
        let compact = [("separators", Value::from(vec![",", ":"])), ("sort_keys", Value::from(true))];
        assert_eq!(written(&compact).expect("separators are fine"), r#"{"a":[],"b":[1,{}]}"#);
        assert!(written(&[("ensure_ascii", Value::from(true))]).is_err());
        assert!(written(&[("no_such_option", Value::from(1))]).is_err());
        assert!(write(&Value::UNDEFINED, &Layout::default()).is_err());
    }

    #[test]
    fn what_nests_too_deeply_or_grows_too_long_is_refused() {
        let mut value = Json::Null;
        for _ in 0..100 {
            value = Json::Array(vec![value]);
        }
        assert!(to_line(&value).is_err());

        let mut value = Value::from("x");
        for _ in 0..60 {
            value = Value::from(vec![value.clone(), value]);
        }
        assert!(write(&value, &Layout { max_bytes: 1 << 20, ..Layout::default() }).is_err());
    }
}
