//! The chat template of a model: the program in its file that writes a conversation down as the model learned it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind as TemplateErrorKind, context};
use minijinja_contrib::pycompat;
use serde_json::Value as Json;

use super::abilities::Abilities;
use super::content_guard::ContentGuard;
use super::json;
use super::message::{Message, Role, texts_of};
use super::prompt::Prompt;
use super::special_tokens::SpecialTokens;
use super::template_values::{message_value, nests_too_deeply, with_wanted_arguments};
use super::thinking::{CLOSING, OPENING};
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
    abilities: OnceLock<Abilities>,
}

/// What a template is told besides the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateOptions<'a> {
    /// The tools that the model may call, each an object with a `function` that has a `name`. Default: none.
    pub tools: &'a [Json],
    /// Whether the prompt ends with the beginning of the model's own turn. Default: true.
    pub add_generation_prompt: bool,
    /// Whether a model that can think before it answers shall; `None` leaves it to the template. Default: `None`.
    pub enable_thinking: Option<bool>,
}

impl Default for TemplateOptions<'_> {
    fn default() -> Self {
        Self { tools: &[], add_generation_prompt: true, enable_thinking: None }
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
        environment.add_filter("tojson", json::to_json);
        environment.add_function("raise_exception", raise_exception);
        environment.add_template_owned(NAME, source.to_owned()).map_err(template_error)?;
        Ok(Self {
            environment,
            special_tokens: special_tokens.clone(),
            bos_token: bos_token.map(str::to_owned),
            eos_token: eos_token.map(str::to_owned),
            abilities: OnceLock::new(),
        })
    }

    /// ChatML, for a file without a template: how every Qwen was trained to read a conversation. It knows no tools.
    ///
    /// # Errors
    /// `UnsupportedModel` if the vocabulary has not the tokens for it.
    pub fn chatml(special_tokens: &SpecialTokens) -> Result<Self> {
        if let Some(missing) =
            ["<|im_start|>", "<|im_end|>"].into_iter().find(|text| special_tokens.by_text(text).is_none())
        {
            return Err(Error::new(
                ErrorKind::UnsupportedModel,
                "the file has no chat template, nor tokens to do without",
            )
            .at(NAME)
            .got(format_args!("no token {missing}")));
        }
        Self::new(include_str!("chatml.jinja"), special_tokens, None, None)
    }

    /// Whether the model thinks before it answers, with this value of [`TemplateOptions::enable_thinking`].
    pub fn thinks(&self, enable_thinking: Option<bool>) -> bool {
        self.abilities().thinking.with(enable_thinking)
    }

    /// Whether the template has a place for [`TemplateOptions::tools`].
    pub fn takes_tools(&self) -> bool {
        self.abilities().tools
    }

    /// Whether the template knows of thinking, which may then be marked by plain text.
    pub(super) fn mentions_thinking(&self) -> bool {
        let mentions = |source: &str| [OPENING, CLOSING].iter().any(|tag| source.contains(tag));
        self.environment.get_template(NAME).is_ok_and(|template| mentions(template.source()))
    }

    /// Writes a conversation down. Special tokens in what is given stay plain text, but for user-defined ones
    /// (`</think>`) in what the assistant said.
    ///
    /// # Errors
    /// `InvalidArgument` if there are no messages or the template refuses them, or if it has no use for tools, calls,
    /// results or a mode of thinking that it is given. `UnsupportedModel` if it uses something that is not there,
    /// `BadFile` if it fails otherwise or does not come to an end.
    pub fn render(&self, messages: &[Message], options: &TemplateOptions<'_>) -> Result<Prompt> {
        if messages.is_empty() {
            return Err(
                Error::new(ErrorKind::InvalidArgument, "a conversation needs at least one message").at("messages")
            );
        }
        self.check(messages, options)?;
        let calls = if messages.iter().all(|message| message.tool_calls.is_empty()) {
            None
        } else {
            self.abilities().tool_calls
        };
        let messages = &*with_wanted_arguments(messages, calls)?;
        let source = self.environment.get_template(NAME).map_err(template_error)?.source().to_owned();
        let of_tools = options.tools.iter().flat_map(texts_of);
        let guard = {
            let texts = messages.iter().flat_map(Message::texts).chain(of_tools.clone());
            ContentGuard::new(&self.special_tokens, texts.chain([source.as_str()]))?
        };
        let given: Vec<Value> = messages.iter().map(|message| message_value(message, calls, &guard)).collect();
        let tools = match options.tools {
            // As transformers has it: there, but none.
            [] => Value::from(()),
            tools => tools.iter().map(|tool| json::to_value(&guard.protect_json(tool))).collect(),
        };
        let bytes: usize = messages.iter().flat_map(Message::texts).chain(of_tools).map(str::len).sum();
        let context = self.context(Value::from(given), tools, options.add_generation_prompt, options.enable_thinking);
        let marked = self.run(context, messages.len(), bytes).map_err(|error| {
            let error = template_error(error);
            match error.kind() {
                // What takes a plain question is sound, so it is the messages that are unusual.
                ErrorKind::BadFile if self.abilities().questions => {
                    Error::new(ErrorKind::InvalidArgument, "the chat template can't take these messages")
                        .at("messages")
                        .got(error)
                }
                _ => error,
            }
        })?;
        Ok(Prompt::from_marked(&marked, guard.mark(), &self.special_tokens))
    }

    /// Runs the template, with a budget for so many messages and bytes.
    fn run(&self, context: Value, messages: usize, bytes: usize) -> std::result::Result<String, minijinja::Error> {
        let mut environment = self.environment.clone();
        environment
            .set_fuel(Some(BASE_FUEL + FUEL_PER_MESSAGE * messages as u64 + FUEL_PER_CONTENT_BYTE * bytes as u64));
        environment.get_template(NAME)?.render(context)
    }

    /// What the template can take, which is found out once.
    fn abilities(&self) -> &Abilities {
        self.abilities.get_or_init(|| {
            Abilities::find(|messages, tools, enable_thinking| {
                let context = self.context(messages, tools, true, enable_thinking);
                self.run(context, 1, 0).ok()
            })
        })
    }

    /// Checks that the template has a use for what it is given.
    fn check(&self, messages: &[Message], options: &TemplateOptions<'_>) -> Result<()> {
        let refuse = |what: &str, place: &str| Err(Error::new(ErrorKind::InvalidArgument, what).at(place));
        let arguments = messages.iter().flat_map(|message| &message.tool_calls).map(|call| &call.function.arguments);
        if options.tools.iter().chain(arguments).any(nests_too_deeply) {
            return refuse("tools or arguments nest too deeply", "tools and tool_calls");
        }
        let is_function = |tool: &Json| tool.get("function").is_some_and(|function| function["name"].is_string());
        if let Some(index) = options.tools.iter().position(|tool| !is_function(tool)) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a tool is no function with a name")
                .at(format_args!("tools[{index}]"))
                .expected("{ type: \"function\", function: { name, … } }"));
        }
        if let Some(call) =
            messages.iter().find(|message| message.role != Role::Assistant && !message.tool_calls.is_empty())
        {
            return Err(Error::new(ErrorKind::InvalidArgument, "only the assistant calls tools")
                .at("tool_calls")
                .got(format_args!("a message of role \"{}\"", call.role)));
        }
        if !options.tools.is_empty() && !self.abilities().tools {
            return refuse("the model's chat template has no place for tools", "tools");
        }
        if messages.iter().any(|message| !message.tool_calls.is_empty()) && self.abilities().tool_calls.is_none() {
            return refuse("the model's chat template has no place for calls of tools", "tool_calls");
        }
        if messages.iter().any(|message| message.role == Role::Tool) && !self.abilities().tool_results {
            return refuse("the model's chat template has no place for results of tools", "messages");
        }
        match options.enable_thinking {
            Some(true) if !self.thinks(Some(true)) => refuse("this model has no thinking mode", "thinking"),
            Some(false) if self.thinks(Some(false)) => refuse("this model can't be kept from thinking", "thinking"),
            _ => Ok(()),
        }
    }

    /// The variables of the template. As in transformers, `documents` are there but none, and an option that nobody
    /// chose is not defined.
    fn context(
        &self,
        messages: Value,
        tools: Value,
        add_generation_prompt: bool,
        enable_thinking: Option<bool>,
    ) -> Value {
        let optional = |value: Option<Value>| value.unwrap_or(Value::UNDEFINED);
        context! {
            messages,
            tools,
            documents => Value::from(()),
            add_generation_prompt,
            enable_thinking => optional(enable_thinking.map(Value::from)),
            bos_token => optional(self.bos_token.as_deref().map(Value::from)),
            eos_token => optional(self.eos_token.as_deref().map(Value::from)),
        }
    }
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
