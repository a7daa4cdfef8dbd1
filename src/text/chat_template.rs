//! The chat template of a model: the program in its file that writes a conversation down as the model learned it.

use std::error::Error as StdError;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind as TemplateErrorKind, context, filters};
use minijinja_contrib::pycompat;

use super::content_guard::ContentGuard;
use super::message::Message;
use super::prompt::Prompt;
use super::special_tokens::SpecialTokens;
use crate::error::{Error, ErrorKind, Result};

/// The name under which the one template is kept; it appears in messages.
const NAME: &str = "tokenizer.chat_template";

/// How deeply macros and blocks may nest. The stack of a browser's worker is small.
const RECURSION_LIMIT: usize = 64;

/// What a rendering may cost: about one unit an instruction and one for each 64 bytes that it makes, which bounds
/// its time and its memory alike. Qwen's templates take up to 75 units a message and a tenth of one a byte.
const BASE_FUEL: u64 = 200_000;
const FUEL_PER_MESSAGE: u64 = 2_000;
const FUEL_PER_CONTENT_BYTE: u64 = 1;

/// A compiled chat template: Jinja as the transformers library runs it, with Python's methods of strings and lists.
///
/// A template comes from a stranger's file, so it is given nothing to reach out with, and a budget of work.
pub struct ChatTemplate {
    environment: Environment<'static>,
    special_tokens: SpecialTokens,
    bos_token: Option<String>,
    eos_token: Option<String>,
}

/// What a template is told besides the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateOptions {
    /// Whether the prompt ends with the beginning of the model's own turn. Default: true.
    pub add_generation_prompt: bool,
    /// Whether a model that can think before it answers shall; `None` leaves it to the template. Default: `None`.
    pub enable_thinking: Option<bool>,
}

impl Default for TemplateOptions {
    fn default() -> Self {
        Self { add_generation_prompt: true, enable_thinking: None }
    }
}

impl ChatTemplate {
    /// Compiles the `source` of a template, `tokenizer.chat_template` in a GGUF file. `special_tokens` are those of
    /// the model's tokenizer; the text of `bos_token` and `eos_token` is given to the template if there is one.
    ///
    /// # Errors
    /// `BadFile` if the template is not valid Jinja.
    pub fn new(
        source: &str,
        special_tokens: &SpecialTokens,
        bos_token: Option<&str>,
        eos_token: Option<&str>,
    ) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(template_error)?;
        environment.set_syntax(syntax);
        environment.set_recursion_limit(RECURSION_LIMIT);
        environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", raise_exception);
        environment.add_template_owned(NAME, source.to_owned()).map_err(template_error)?;
        Ok(Self {
            environment,
            special_tokens: special_tokens.clone(),
            bos_token: bos_token.map(str::to_owned),
            eos_token: eos_token.map(str::to_owned),
        })
    }

    /// Writes a conversation down. Special tokens in contents stay plain text, but for user-defined ones
    /// (`</think>`) in what the assistant said.
    ///
    /// # Errors
    /// `InvalidArgument` if there are no messages or the template refuses them, `UnsupportedModel` if it uses
    /// something that is not there, `BadFile` if it fails otherwise or does not come to an end.
    pub fn render(&self, messages: &[Message], options: &TemplateOptions) -> Result<Prompt> {
        if messages.is_empty() {
            return Err(
                Error::new(ErrorKind::InvalidArgument, "a conversation needs at least one message").at("messages")
            );
        }
        let content_bytes: usize = messages.iter().map(|message| message.content.len()).sum();
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(
            BASE_FUEL + FUEL_PER_MESSAGE * messages.len() as u64 + FUEL_PER_CONTENT_BYTE * content_bytes as u64,
        ));
        let template = environment.get_template(NAME).map_err(template_error)?;
        let texts = messages.iter().map(|message| message.content.as_str());
        let guard = ContentGuard::new(&self.special_tokens, texts.chain([template.source()]))?;
        let protected = |message: &Message| {
            context! {
                role => message.role.as_str(),
                content => guard.protect(&message.content, message.role),
            }
        };
        let context = self.context(messages.iter().map(protected).collect(), options);
        let marked = template.render(context).map_err(template_error)?;
        Ok(Prompt::from_marked(&marked, guard.mark(), &self.special_tokens))
    }

    /// The variables of the template. As in transformers, `tools` and `documents` are there but none, and an option
    /// that nobody chose is not defined.
    fn context(&self, messages: Value, options: &TemplateOptions) -> Value {
        let optional = |value: Option<Value>| value.unwrap_or(Value::UNDEFINED);
        context! {
            messages,
            tools => Value::from(()),
            documents => Value::from(()),
            add_generation_prompt => options.add_generation_prompt,
            enable_thinking => optional(options.enable_thinking.map(Value::from)),
            bos_token => optional(self.bos_token.as_deref().map(Value::from)),
            eos_token => optional(self.eos_token.as_deref().map(Value::from)),
        }
    }
}

/// Jinja's `tojson` as transformers has it: nothing is escaped for HTML, nothing for ASCII.
fn to_json(value: &Value, indent: Option<Value>, options: Kwargs) -> std::result::Result<String, minijinja::Error> {
    // Asked for by some templates, and what happens anyway.
    options.get::<Option<bool>>("ensure_ascii")?;
    let escaped = filters::tojson(value, indent, options)?;
    Ok(without_html_escapes(escaped.as_str().unwrap_or_default()))
}

/// Undoes the escapes that minijinja adds to JSON for the sake of HTML.
fn without_html_escapes(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(backslash) = rest.find('\\') {
        plain.push_str(&rest[..backslash]);
        let (replacement, length) = match rest.get(backslash..backslash + 6) {
            Some("\\u003c") => ("<", 6),
            Some("\\u003e") => (">", 6),
            Some("\\u0026") => ("&", 6),
            Some("\\u0027") => ("'", 6),
            // Both characters of any other escape, so that the second half of `\\\\` begins none.
            _ => (&rest[backslash..backslash + 2], 2),
        };
        plain.push_str(replacement);
        rest = &rest[backslash + length..];
    }
    plain.push_str(rest);
    plain
}

/// A template refuses a conversation: `raise_exception('roles must alternate')`.
#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Refusal {}

fn raise_exception(message: String) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(TemplateErrorKind::InvalidOperation, "the template refuses")
        .with_source(Refusal(message)))
}

/// What a failure of the template means to the caller.
fn template_error(error: minijinja::Error) -> Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(refusal) = current.downcast_ref::<Refusal>() {
            return Error::new(ErrorKind::InvalidArgument, "the chat template refuses the messages")
                .at("messages")
                .got(refusal);
        }
        cause = current.source();
    }
    let (kind, what) = match error.kind() {
        TemplateErrorKind::UnknownFilter
        | TemplateErrorKind::UnknownTest
        | TemplateErrorKind::UnknownFunction
        | TemplateErrorKind::UnknownMethod => {
            (ErrorKind::UnsupportedModel, "the chat template uses what is not supported")
        }
        TemplateErrorKind::OutOfFuel => (ErrorKind::BadFile, "the chat template does more work than any should"),
        TemplateErrorKind::SyntaxError => (ErrorKind::BadFile, "the chat template is malformed"),
        _ => (ErrorKind::BadFile, "the chat template fails"),
    };
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    Error::new(kind, what).at(format_args!("{NAME}{line}")).got(error.detail().unwrap_or("no details"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_escapes_are_undone_and_no_others() {
        for (json, expected) in [
            (r#""\u003ca\u003e \u0026\u0027""#, r#""<a> &'""#),
            (r#""\\u003c \n\"\u0041""#, r#""\\u003c \n\"\u0041""#),
            ("中\\n中", "中\\n中"),
            ("", ""),
        ] {
            assert_eq!(without_html_escapes(json), expected);
        }
    }
}
