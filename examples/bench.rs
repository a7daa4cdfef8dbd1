//! Measures a model on this machine's GPU, and prints what it found as one JSON object.
//!
//! ```sh
//! cargo run --release --example bench -- --model FILE [--prompts 64,256,1024] [--generate 32] [--runs 3] [--tier auto]
//!     [--patience 360] [--kv-cache f16]
//! ```
//! For each length of prompt: `runs` answers of `generate` tokens, the likeliest ones, to a prompt of exactly so many
//! tokens, of which none is in the KV cache. An answer that ends early counts with the tokens it has. The medians of
//! the runs are given, and the counters of the last one. `patience` is how many seconds one length may take: a slow device
//! gets fewer runs, and not the lengths of which even one would take longer; `notes` say so. `scripts/bench.mjs` makes a table of it, together with the
//! same measured in a browser by `www/bench/measure.js`.

mod common;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use pollster::block_on;
use qwisp::backend::gpu::GpuBackend;
use qwisp::backend::gpu::bandwidth::measure_bandwidth;
use qwisp::backend::{Counters, KvCacheFormat};
use qwisp::engine::{ChatOptions, Engine, Reply, ReplyCounters};
use qwisp::generate::Sampling;
use qwisp::text::{Message, Role};
use serde_json::{Value, json};

use self::common::{kv_cache_format, load_engine};

/// What every prompt begins with; `www/bench/measure.js` has the same.
const OPENING: &str = "Tell a long story about";
/// What fills a prompt up: one token of a Qwen each time.
const FILLER: &str = " a";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let started = Instant::now();
    let mut engine = block_on(load_engine(&arguments.model, None, arguments.tier.as_deref(), arguments.kv_cache))?;
    let load_ms = milliseconds(started);
    let device = engine.model().backend().device();
    let adapter = device.adapter_name.clone();
    let bandwidth = block_on(measure_bandwidth(device))?;
    eprintln!("loaded in {:.1} s; memory copies {:.1} GB/s", load_ms / 1000.0, bandwidth / 1e9);

    // Compiles what has not been compiled yet.
    answer(&mut engine, OPENING, arguments.generate.min(2))?;
    let mut measured: Vec<Length> = Vec::new();
    let mut notes = Vec::new();
    for &prompt_tokens in &arguments.prompts {
        let expected = measured.last().map_or(0.0, |before| before.expected_seconds(prompt_tokens, arguments.generate));
        if expected > arguments.patience {
            notes.push(format!("A prompt of {prompt_tokens} was left out: one run would take about {expected:.0} s."));
            continue;
        }
        let length = measure(&mut engine, prompt_tokens, &arguments)?;
        if length.runs < arguments.runs {
            notes
                .push(format!("A prompt of {prompt_tokens} was measured {} of {} times.", length.runs, arguments.runs));
        }
        measured.push(length);
    }

    let report = json!({
        "model": engine.model().config.name,
        "adapter": adapter,
        "tier": engine.model().backend().device().tier.name(),
        "loadMs": load_ms,
        "bandwidth": bandwidth,
        "lengths": measured.iter().map(Length::to_json).collect::<Vec<_>>(),
        "notes": notes,
    });
    println!("{report}");
    Ok(())
}

/// What the runs of one length of prompt gave.
struct Length {
    prompt_tokens: usize,
    /// Of the last run.
    completion_tokens: usize,
    runs: usize,
    /// Median, in tokens per second.
    prefill: f64,
    /// Median, in tokens per second.
    decode: f64,
    /// Of the last run.
    counters: ReplyCounters,
}

impl Length {
    /// How long a run of another length will take, in seconds.
    fn expected_seconds(&self, prompt_tokens: usize, generate: usize) -> f64 {
        let decode_seconds = if self.decode > 0.0 { generate as f64 / self.decode } else { 0.0 };
        prompt_tokens as f64 / self.prefill + decode_seconds
    }

    fn to_json(&self) -> Value {
        json!({
            "promptTokens": self.prompt_tokens,
            "completionTokens": self.completion_tokens,
            "runs": self.runs,
            "prefill": self.prefill,
            "decode": self.decode,
            "counters": {
                "prefill": counters_json(self.counters.prefill),
                "decode": counters_json(self.counters.decode),
            },
        })
    }
}

/// Runs one length of prompt as often as wanted, but not past the patience.
fn measure(
    engine: &mut Engine<GpuBackend>,
    prompt_tokens: usize,
    arguments: &Arguments,
) -> Result<Length, Box<dyn Error>> {
    let text = prompt_of(engine, prompt_tokens)?;
    let started = Instant::now();
    let mut replies = Vec::new();
    while replies.len() < arguments.runs && has_time(started, replies.len(), arguments.patience) {
        let reply = answer(engine, &text, arguments.generate)?;
        if (reply.usage.prompt_tokens, reply.usage.cached_tokens) != (prompt_tokens, 0) {
            return Err(format!("the prompt was not computed as a whole: {:?}", reply.usage).into());
        }
        eprintln!(
            "prompt of {prompt_tokens}, run {} of {}: prefill {:.2} tok/s, decode {:.2} tok/s",
            replies.len() + 1,
            arguments.runs,
            reply.timings.prefill_tokens_per_second,
            reply.timings.decode_tokens_per_second
        );
        replies.push(reply);
    }
    let median_of = |rate: fn(&Reply) -> f64| median(replies.iter().map(rate).collect());
    Ok(Length {
        prompt_tokens,
        completion_tokens: replies.last().map_or(0, |reply| reply.usage.completion_tokens),
        runs: replies.len(),
        prefill: median_of(|reply| reply.timings.prefill_tokens_per_second),
        decode: median_of(|reply| reply.timings.decode_tokens_per_second),
        counters: engine.counters(),
    })
}

/// Whether one more run, as long as those before, ends within `patience` seconds. The first is always made.
fn has_time(started: Instant, runs: usize, patience: f64) -> bool {
    let spent = started.elapsed().as_secs_f64();
    runs == 0 || spent + spent / runs as f64 <= patience
}

/// Answers a prompt of which nothing is in the KV cache.
fn answer(engine: &mut Engine<GpuBackend>, text: &str, max_tokens: usize) -> Result<Reply, Box<dyn Error>> {
    // Scoring leaves the cache with its own first token, and no prompt begins with a digit.
    let ids = engine.tokenizer().encode("01", false)?;
    block_on(engine.score(&ids, 1, 0, || false))?;
    let options = ChatOptions { max_tokens: Some(max_tokens), ..ChatOptions::default() };
    Ok(block_on(engine.chat(&[Message::new(Role::User, text)], &options, &Sampling::greedy(), |_| (), || false))?)
}

/// A text whose prompt, with all that the template adds, has exactly so many tokens.
fn prompt_of(engine: &Engine<GpuBackend>, tokens: usize) -> Result<String, Box<dyn Error>> {
    let count = |text: &str| {
        engine.prompt_tokens(&[Message::new(Role::User, text)], &ChatOptions::default()).map(|ids| ids.len())
    };
    let least = count(OPENING)?;
    let missing =
        tokens.checked_sub(least).ok_or_else(|| format!("a prompt has at least {least} tokens, not {tokens}"))?;
    let text = format!("{OPENING}{}", FILLER.repeat(missing));
    match count(&text)? {
        got if got == tokens => Ok(text),
        got => Err(format!("a prompt of {tokens} tokens came out as one of {got}").into()),
    }
}

/// [`Counters`] as `www/engine/qwisp.d.ts` spells them.
fn counters_json(counters: Counters) -> Value {
    json!({
        "tokens": counters.tokens,
        "dispatches": counters.dispatches,
        "passes": counters.passes,
        "submits": counters.submits,
        "bytesWritten": counters.bytes_written,
        "bytesRead": counters.bytes_read,
        "bindGroupsCreated": counters.bind_groups_created,
        "weightBytesRead": counters.weight_bytes_read,
    })
}

/// The middle value, or the mean of the two in the middle; 0 for none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The command line.
struct Arguments {
    model: PathBuf,
    /// Lengths of prompts, in tokens.
    prompts: Vec<usize>,
    /// Tokens of an answer.
    generate: usize,
    runs: usize,
    /// Seconds that one length may take.
    patience: f64,
    /// The tier to use instead of the best.
    tier: Option<String>,
    kv_cache: KvCacheFormat,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self {
            model: PathBuf::new(),
            prompts: vec![64, 256, 1024],
            generate: 32,
            runs: 3,
            patience: 360.0,
            tier: None,
            kv_cache: KvCacheFormat::F16,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--model" => parsed.model = value.into(),
                "--prompts" => parsed.prompts = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--generate" => parsed.generate = value.parse()?,
                "--runs" => parsed.runs = value.parse()?,
                "--patience" => parsed.patience = value.parse()?,
                "--tier" => parsed.tier = Some(value).filter(|tier| tier != "auto"),
                "--kv-cache" => parsed.kv_cache = kv_cache_format(Some(value))?,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        if parsed.model.as_os_str().is_empty() {
            return Err("--model FILE is needed".into());
        }
        if parsed.generate == 0 || parsed.runs == 0 || parsed.prompts.is_empty() {
            return Err("--prompts, --generate and --runs must ask for something".into());
        }
        Ok(parsed)
    }
}
