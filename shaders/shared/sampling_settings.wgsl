// How tokens are chosen, for one answer: `SamplingSettings` of `src/backend/gpu/operations/sample.rs`.
struct SamplingSettings {
    temperature: f32,        // never below 2⁻¹²⁶; irrelevant where top_k is 1
    top_k: u32,              // 1 to MAX_TOP_K; 1 takes the most likely
    top_p: f32,              // above 0, at most 1
    min_p: f32,              // 0 to 1
    repetition_penalty: f32, // 1 is off
    presence_penalty: f32,   // 0 is off
    frequency_penalty: f32,  // 0 is off
    choices: u32,            // tokens from here on pad the vocabulary and are never chosen
    seed_low: u32,
    seed_high: u32,
    is_random: u32,          // 0 where the temperature is 0, and no random number is used up
    padding: u32,
}
