//! Compares a model on this machine's GPU, or on its processor, with reference answers.
//!
//! ```sh
//! cargo run --release --example verify_model -- --model FILE --golden FILE.json [--long-context] [--tier NAME] [--backend cpu]
//!     [--kv-cache q8] [--rounded] [--json]
//! ```
//! A golden file is a list of cases. Each has `messages`, the `prompt` and `prompt_ids` that the model's template makes
//! of them, and `steps`: for each token `id` of a greedy continuation its exact log-probability `logprob_f32` and the
//! exact five most likely tokens `f32`, as `[id, logprob]`. Exact means: the same weights, textbook mathematics in f32.
//!
//! Each case is computed twice. By teacher forcing, in passes over many tokens: its choice must be the same at every step
//! where the exact margin between the first and the second is over 0.1, and the log-probabilities of the chosen tokens must
//! differ by at most 0.01 on average, which leaves room for a KV cache in f16. And by the token loop, greedily, as an answer
//! is written: the first token that is another one must be at a step within the margin. What comes after it can't be
//! compared. The tier `packed` quantises activations to 8 bits, as llama.cpp does on CPUs, and a KV cache in Q8 keys and
//! values; both are held to that one's own accuracy, a margin of 0.5 and a mean of 0.05. `--rounded` says that the reference itself is such a computation. `--json`
//! prints the outcomes as JSON.
//!
//! Before all that the file's own tokenizer reads the texts of `tests/vocabulary/reference-corpus.json`, to which every
//! Qwen2, Qwen2.5 and Qwen3 gives the same ids.

mod common;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use qwisp::backend::gpu::tier::Tier;
use qwisp::backend::{Backend, KvCacheFormat};
use qwisp::engine::{ChatOptions, Engine};
use qwisp::generate::{Generator, Sampling};
use qwisp::text::Message;
use serde::{Deserialize, Serialize};

use self::common::{kv_cache_format, load_engine, load_engine_on_cpu};
use self::corpus::check_corpus;

#[allow(dead_code, reason = "tests use more of it")]
#[path = "../tests/support/corpus.rs"]
mod corpus;

/// The case that takes long, and its flag.
const LONG_CONTEXT: &str = "long-context";
/// How near to the exact numbers a computation has to be.
#[derive(Clone, Copy)]
struct Tolerance {
    /// From this difference between the two most likely tokens on, the choice must be the exact one.
    margin: f32,
    /// The largest mean difference of log-probabilities.
    mean_difference: f32,
}

const F32_ACTIVATIONS: Tolerance = Tolerance { margin: 0.1, mean_difference: 0.01 };
const I8_ACTIVATIONS: Tolerance = Tolerance { margin: 0.5, mean_difference: 0.05 };

#[derive(Deserialize)]
struct Case {
    name: String,
    messages: Vec<Message>,
    prompt: String,
    prompt_ids: Vec<u32>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    id: u32,
    f32: Vec<(u32, f32)>,
    logprob_f32: f32,
}

/// What comparing one case gives.
#[derive(Serialize)]
struct Outcome {
    name: String,
    tokens: usize,
    steps: usize,
    prompt_is_same: bool,
    ids_are_same: bool,
    decided_steps: usize,
    wrong_choices: usize,
    mean_difference: f32,
    largest_difference: f32,
    /// Tokens of the token loop that are those of the reference.
    same_tokens: usize,
    /// Whether the one after them had to be as well.
    strays: bool,
    seconds: f32,
    passed: bool,
}

impl Outcome {
    fn is_within(&self, tolerance: Tolerance) -> bool {
        self.prompt_is_same
            && self.ids_are_same
            && self.wrong_choices == 0
            && self.mean_difference <= tolerance.mean_difference
            && !self.strays
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { model, golden, long_context, tier, kv_cache, rounded, json, on_cpu } = Arguments::parse()?;
    let rounded = rounded || kv_cache == KvCacheFormat::Q8;
    let mut cases: Vec<Case> = serde_json::from_slice(&std::fs::read(golden)?)?;
    cases.retain(|case| long_context || case.name != LONG_CONTEXT);
    if cases.is_empty() || cases.iter().any(|case| case.steps.is_empty()) {
        return Err("the golden file has no cases, or one without steps: nothing would be verified".into());
    }
    if on_cpu {
        let mut engine = pollster::block_on(load_engine_on_cpu(&model, None, kv_cache))?;
        return verify(&mut engine, &cases, if rounded { I8_ACTIVATIONS } else { F32_ACTIVATIONS }, json);
    }
    let mut engine = pollster::block_on(load_engine(&model, None, tier.as_deref(), kv_cache))?;
    let is_packed = engine.model().backend().device().tier == Tier::Packed;
    let tolerance = if is_packed || rounded { I8_ACTIVATIONS } else { F32_ACTIVATIONS };
    verify(&mut engine, &cases, tolerance, json)
}

/// Compares all cases, and prints what came of it.
fn verify<B: Backend>(
    engine: &mut Engine<B>,
    cases: &[Case],
    tolerance: Tolerance,
    json: bool,
) -> Result<ExitCode, Box<dyn Error>> {
    let (texts, wrong_texts) = check_corpus(engine.tokenizer());
    eprintln!("tokenizer: {texts} texts, {} with other ids or another way back", wrong_texts.len());
    for text in wrong_texts.iter().take(10) {
        eprintln!("    {text}");
    }

    let mut outcomes = Vec::new();
    for case in cases {
        outcomes.push(pollster::block_on(compare(engine, case, tolerance))?);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if json {
        println!("{}", serde_json::to_string(&outcomes)?);
    } else {
        print_table(&outcomes);
        println!("\n{} passed, {failed} failed", cases.len() - failed);
    }
    Ok(if failed == 0 && wrong_texts.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_table(outcomes: &[Outcome]) {
    println!("| case | prompt | ids | tokens | decided | wrong | mean difference | largest | token loop | seconds | |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for outcome in outcomes {
        let same = |is_same| if is_same { "same" } else { "DIFFERS" };
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.5} | {:.5} | {} of {} the same | {:.1} | {} |",
            outcome.name,
            same(outcome.prompt_is_same),
            same(outcome.ids_are_same),
            outcome.tokens,
            outcome.decided_steps,
            outcome.wrong_choices,
            outcome.mean_difference,
            outcome.largest_difference,
            outcome.same_tokens,
            outcome.steps,
            outcome.seconds,
            if outcome.passed { "ok" } else { "FAILED" },
        );
    }
}

async fn compare<B: Backend>(engine: &mut Engine<B>, case: &Case, tolerance: Tolerance) -> qwisp::Result<Outcome> {
    let started = Instant::now();
    let prompt_is_same = engine.prompt_text(&case.messages)? == case.prompt;
    let ids_are_same = engine.prompt_tokens(&case.messages, &ChatOptions::default())? == case.prompt_ids;

    let mut ids = case.prompt_ids.clone();
    ids.extend(case.steps.iter().map(|step| step.id));
    let scores = engine.score(&ids, case.prompt_ids.len(), 1, || false).await?;

    let is_decided = |step: &Step| step.f32[0].1 - step.f32[1].1 > tolerance.margin;
    let (mut decided_steps, mut wrong_choices) = (0, 0);
    let (mut mean_difference, mut largest_difference) = (0.0, 0.0f32);
    for (step, score) in case.steps.iter().zip(&scores) {
        if is_decided(step) {
            decided_steps += 1;
            wrong_choices += usize::from(score.top[0].id != step.f32[0].0);
        }
        let difference = (score.logprob - step.logprob_f32).abs();
        mean_difference += difference / case.steps.len() as f32;
        largest_difference = largest_difference.max(difference);
    }

    let tokens = continue_greedily(engine, &case.prompt_ids, case.steps.len()).await?;
    let same_tokens = tokens.iter().zip(&case.steps).take_while(|(token, step)| **token == step.id).count();
    let first_other = tokens.get(same_tokens).zip(case.steps.get(same_tokens));
    let strays = first_other.is_some_and(|(token, step)| is_decided(step) && *token != step.f32[0].0);
    let mut outcome = Outcome {
        name: case.name.clone(),
        tokens: ids.len(),
        steps: case.steps.len(),
        prompt_is_same,
        ids_are_same,
        decided_steps,
        wrong_choices,
        mean_difference,
        largest_difference,
        same_tokens,
        strays,
        seconds: started.elapsed().as_secs_f32(),
        passed: false,
    };
    outcome.passed = outcome.is_within(tolerance);
    Ok(outcome)
}

/// What the token loop writes after a prompt. The last token of the prompt is computed alone, like those that follow.
async fn continue_greedily<B: Backend>(
    engine: &mut Engine<B>,
    prompt: &[u32],
    max_tokens: usize,
) -> qwisp::Result<Vec<u32>> {
    let choices = engine.tokenizer().len();
    let greedy = Sampling::greedy();
    let start = Generator::start(engine.model_mut(), prompt, &greedy, choices, Some(max_tokens), || false);
    let (mut generator, _) = start.await?;
    let mut tokens = Vec::with_capacity(max_tokens);
    while let Some(token) = generator.next_token().await? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// The command line.
struct Arguments {
    model: PathBuf,
    golden: PathBuf,
    long_context: bool,
    tier: Option<String>,
    kv_cache: KvCacheFormat,
    rounded: bool,
    json: bool,
    on_cpu: bool,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let (mut model, mut golden, mut tier) = (None, None, None);
        let mut kv_cache = KvCacheFormat::F16;
        let (mut long_context, mut rounded, mut json, mut on_cpu) = (false, false, false, false);
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            match name.as_str() {
                "--model" => model = words.next().map(PathBuf::from),
                "--golden" => golden = words.next().map(PathBuf::from),
                "--tier" => tier = words.next(),
                "--kv-cache" => kv_cache = kv_cache_format(words.next())?,
                "--long-context" => long_context = true,
                "--rounded" => rounded = true,
                "--json" => json = true,
                "--backend" => match words.next().as_deref() {
                    Some("cpu") => on_cpu = true,
                    Some("webgpu") => on_cpu = false,
                    other => return Err(format!("--backend: expected webgpu or cpu, got {other:?}").into()),
                },
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        let model = model.ok_or("--model FILE is needed")?;
        let golden = golden.ok_or("--golden FILE.json is needed")?;
        Ok(Self { model, golden, long_context, tier, kv_cache, rounded, json, on_cpu })
    }
}
