// Holds back tokens that occurred: Keskar et al., "CTRL" (2019), for the repetition penalty. The kernel that imports
// this binds `settings: SamplingSettings`.
#import sampling_settings

// Of an occurrence: the token occurred in prompt or answer. The other bits say how often in the answer.
const OCCURRED: u32 = 0x80000000u;

// The logit of a token with this occurrence.
fn penalize(logit: f32, occurrence: u32) -> f32 {
    if (occurrence == 0u) {
        return logit;
    }
    let divided = logit / settings.repetition_penalty;
    let multiplied = logit * settings.repetition_penalty;
    let repeated = select(multiplied, divided, logit > 0.0);
    let count = occurrence & ~OCCURRED;
    if (count == 0u) {
        return repeated;
    }
    return repeated - (settings.presence_penalty + settings.frequency_penalty * f32(count));
}
