//! Chats with a model on the command line, on the same engine as in the browser.
//!
//! ```sh
//! cargo run --release --example chat -- --model FILE --prompt "What is WebGPU?"
//! cargo run --release --example chat -- --model FILE      # several turns, a line each
//! ```
//! Further options: `--system TEXT`, `--max-tokens N`, `--temperature T` (0 takes the most likely token),
//! `--repetition-penalty R`, `--seed N`, `--thinking true|false`, `--thinking-budget N`, `--context N`,
//! `--tier core|subgroups|f16|packed`. Thoughts go to the error output.

mod common;

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;

use qwisp::backend::KvCacheFormat;
use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{ChatOptions, Engine};
use qwisp::generate::Sampling;
use qwisp::text::{Message, Piece, Role};

use self::common::load_engine;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let mut engine = pollster::block_on(load_engine(
        &arguments.model,
        arguments.context,
        arguments.tier.as_deref(),
        KvCacheFormat::F16,
    ))?;

    let mut messages: Vec<Message> =
        arguments.system.iter().map(|system| Message::new(Role::System, system.as_str())).collect();
    if let Some(prompt) = &arguments.prompt {
        return answer(&mut engine, &mut messages, prompt, &arguments);
    }
    for line in std::io::stdin().lock().lines() {
        answer(&mut engine, &mut messages, &line?, &arguments)?;
    }
    Ok(())
}

/// Answers one prompt on standard output, and adds both to the conversation.
fn answer(
    engine: &mut Engine<GpuBackend>,
    messages: &mut Vec<Message>,
    prompt: &str,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    messages.push(Message::new(Role::User, prompt));
    let options = ChatOptions {
        max_tokens: arguments.max_tokens,
        thinking: arguments.thinking,
        thinking_budget: arguments.thinking_budget,
        ..ChatOptions::default()
    };
    let recommended = Sampling::recommended(engine.thinks(options.thinking));
    let sampling = Sampling {
        temperature: arguments.temperature.unwrap_or(recommended.temperature),
        repetition_penalty: arguments.repetition_penalty.unwrap_or(recommended.repetition_penalty),
        seed: arguments.seed.unwrap_or(recommended.seed),
        ..recommended
    };
    let show = |piece: &Piece| {
        // Thoughts are not part of the answer.
        eprint!("{}", piece.thinking);
        print!("{}", piece.text);
        // A closed pipe shows at the next line; there is nothing better to do about it here.
        let _ = std::io::stdout().flush();
    };
    let reply = pollster::block_on(engine.chat(messages, &options, &sampling, show, || false))?;
    println!();
    eprintln!(
        "[{} prompt tokens ({} cached) at {:.1} tok/s, {} answer tokens at {:.1} tok/s]",
        reply.usage.prompt_tokens,
        reply.usage.cached_tokens,
        reply.timings.prefill_tokens_per_second,
        reply.usage.completion_tokens,
        reply.timings.decode_tokens_per_second,
    );
    messages.push(Message::new(Role::Assistant, reply.text));
    Ok(())
}

/// The command line.
#[derive(Default)]
struct Arguments {
    model: PathBuf,
    prompt: Option<String>,
    system: Option<String>,
    max_tokens: Option<usize>,
    context: Option<usize>,
    tier: Option<String>,
    thinking: Option<bool>,
    thinking_budget: Option<usize>,
    temperature: Option<f32>,
    repetition_penalty: Option<f32>,
    seed: Option<u64>,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--model" => parsed.model = value.into(),
                "--prompt" => parsed.prompt = Some(value),
                "--system" => parsed.system = Some(value),
                "--max-tokens" => parsed.max_tokens = Some(value.parse()?),
                "--context" => parsed.context = Some(value.parse()?),
                "--tier" => parsed.tier = Some(value),
                "--thinking" => parsed.thinking = Some(value.parse()?),
                "--thinking-budget" => parsed.thinking_budget = Some(value.parse()?),
                "--temperature" => parsed.temperature = Some(value.parse()?),
                "--repetition-penalty" => parsed.repetition_penalty = Some(value.parse()?),
                "--seed" => parsed.seed = Some(value.parse()?),
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        if parsed.model.as_os_str().is_empty() {
            return Err("--model FILE is needed".into());
        }
        Ok(parsed)
    }
}
