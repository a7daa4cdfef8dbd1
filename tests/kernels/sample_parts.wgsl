// What `random_word` and `penalize` make of a list of inputs. For tests only.
//
// The files of both functions are put in front.

@group(0) @binding(0) var<uniform> settings: SamplingSettings;
@group(0) @binding(1) var<storage, read> counters: array<u32>;            // [cases]
@group(0) @binding(2) var<storage, read> logits: array<f32>;              // [cases]
@group(0) @binding(3) var<storage, read> occurrences: array<u32>;         // [cases]
@group(0) @binding(4) var<storage, read_write> words: array<u32>;         // [cases]
@group(0) @binding(5) var<storage, read_write> penalized: array<f32>;     // [cases]

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
    let index = workgroup.x;
    words[index] = random_word(vec2<u32>(settings.seed_low, settings.seed_high), counters[index]);
    penalized[index] = penalize(logits[index], occurrences[index]);
}
