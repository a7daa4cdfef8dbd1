//! What holds tokens back that occurred: Keskar et al., "CTRL" (2019), and what OpenAI calls presence and frequency penalties.

use qwisp::sampling::Sampling;

/// A logit of a token that occurred in prompt or answer, so often in the answer.
pub(crate) fn penalized(logit: f64, occurred: bool, in_answer: u32, sampling: &Sampling) -> f64 {
    let &Sampling { repetition_penalty, presence_penalty, frequency_penalty, .. } = sampling;
    let [repetition, presence, frequency] = [repetition_penalty, presence_penalty, frequency_penalty].map(f64::from);
    let repeated = match (occurred, logit > 0.0) {
        (false, _) => logit,
        (true, true) => logit / repetition,
        (true, false) => logit * repetition,
    };
    if in_answer == 0 { repeated } else { repeated - presence - frequency * f64::from(in_answer) }
}
