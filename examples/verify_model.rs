//! Compares a model on this machine's GPU with reference answers, by teacher forcing.
//!
//! ```sh
//! cargo run --release --example verify_model -- --model FILE --golden FILE.json [--long-context]
//! ```
//! A golden file is a list of cases. Each has `messages`, the `prompt` and `prompt_ids` that the model's template makes
//! of them, and `steps`: for each token `id` of a greedy continuation its exact log-probability `logprob_f32` and the
//! exact five most likely tokens `f32`, as `[id, logprob]`. Exact means: the same weights, textbook mathematics in f32.
//!
//! A case passes when prompt text and token ids are the same, the choice is the same at every step where the exact
//! margin between the first and the second is over 0.1, and the log-probabilities of the chosen tokens differ by at most
//! 0.01 on average, which leaves room for a KV cache in f16.

mod common;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use qwisp::backend::gpu::GpuBackend;
use qwisp::engine::{ChatOptions, Engine};
use qwisp::text::Message;
use serde::Deserialize;

use self::common::load_engine;

/// The case that takes long, and its flag.
const LONG_CONTEXT: &str = "long-context";
/// From this difference between the two most likely tokens on, the choice must be the exact one.
const MARGIN: f32 = 0.1;
/// The largest mean difference of log-probabilities.
const MEAN_DIFFERENCE: f32 = 0.01;

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
struct Outcome {
    prompt_is_same: bool,
    ids_are_same: bool,
    decided_steps: usize,
    wrong_choices: usize,
    mean_difference: f32,
    largest_difference: f32,
}

impl Outcome {
    fn passed(&self) -> bool {
        self.prompt_is_same && self.ids_are_same && self.wrong_choices == 0 && self.mean_difference <= MEAN_DIFFERENCE
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (model, golden, long_context) = arguments()?;
    let mut cases: Vec<Case> = serde_json::from_slice(&std::fs::read(golden)?)?;
    cases.retain(|case| long_context || case.name != LONG_CONTEXT);
    if cases.is_empty() || cases.iter().any(|case| case.steps.is_empty()) {
        return Err("the golden file has no cases, or one without steps: nothing would be verified".into());
    }
    let mut engine = pollster::block_on(load_engine(&model, None))?;

    println!("| case | prompt | ids | tokens | decided | wrong | mean difference | largest | seconds | |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut failed = 0;
    for case in &cases {
        let started = Instant::now();
        let outcome = pollster::block_on(compare(&mut engine, case))?;
        let same = |is_same| if is_same { "same" } else { "DIFFERS" };
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.5} | {:.5} | {:.1} | {} |",
            case.name,
            same(outcome.prompt_is_same),
            same(outcome.ids_are_same),
            case.prompt_ids.len() + case.steps.len(),
            outcome.decided_steps,
            outcome.wrong_choices,
            outcome.mean_difference,
            outcome.largest_difference,
            started.elapsed().as_secs_f64(),
            if outcome.passed() { "ok" } else { "FAILED" },
        );
        failed += usize::from(!outcome.passed());
    }
    println!("\n{} passed, {failed} failed", cases.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn compare(engine: &mut Engine<GpuBackend>, case: &Case) -> qwisp::Result<Outcome> {
    let prompt_is_same = engine.prompt_text(&case.messages)? == case.prompt;
    let ids_are_same = engine.prompt_tokens(&case.messages, &ChatOptions::default())? == case.prompt_ids;

    let mut ids = case.prompt_ids.clone();
    ids.extend(case.steps.iter().map(|step| step.id));
    let scores = engine.score(&ids, case.prompt_ids.len(), 1, || false).await?;

    let mut outcome = Outcome {
        prompt_is_same,
        ids_are_same,
        decided_steps: 0,
        wrong_choices: 0,
        mean_difference: 0.0,
        largest_difference: 0.0,
    };
    for (step, score) in case.steps.iter().zip(&scores) {
        let (best, second) = (step.f32[0], step.f32[1]);
        if best.1 - second.1 > MARGIN {
            outcome.decided_steps += 1;
            outcome.wrong_choices += usize::from(score.top[0].id != best.0);
        }
        let difference = (score.logprob - step.logprob_f32).abs();
        outcome.mean_difference += difference / case.steps.len() as f32;
        outcome.largest_difference = outcome.largest_difference.max(difference);
    }
    Ok(outcome)
}

fn arguments() -> Result<(PathBuf, PathBuf, bool), Box<dyn Error>> {
    let (mut model, mut golden, mut long_context) = (None, None, false);
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        match name.as_str() {
            "--model" => model = words.next().map(PathBuf::from),
            "--golden" => golden = words.next().map(PathBuf::from),
            "--long-context" => long_context = true,
            _ => return Err(format!("there is no option {name}").into()),
        }
    }
    Ok((model.ok_or("--model FILE is needed")?, golden.ok_or("--golden FILE.json is needed")?, long_context))
}
