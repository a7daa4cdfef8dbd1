// Penalises logits that are computed already, and keeps the largest of each block of BLOCK: for one of several conversations what
// `head.wgsl` does where there is only one. One thread a logit, whole blocks a workgroup.
//
// Constants: VOCABULARY, BLOCK.
#import sampling_settings

@group(0) @binding(0) var<uniform> settings: SamplingSettings;
@group(0) @binding(1) var<storage, read> occurrences: array<u32>;          // [VOCABULARY]
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;         // [VOCABULARY]
@group(0) @binding(3) var<storage, read_write> block_maxima: array<u32>;   // f32 [VOCABULARY / BLOCK, rounded up]

const BLOCKS_PER_WORKGROUP: u32 = 8u;
const THREADS: u32 = BLOCKS_PER_WORKGROUP * BLOCK;

var<workgroup> block: array<f32, THREADS>;

#import penalize
#import block_maximum

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let token = workgroup.x * THREADS + thread;
    block[thread] = MASKED;
    if (token < VOCABULARY) {
        let logit = penalize(logits[token], occurrences[token]);
        logits[token] = logit;
        if (token < settings.choices) {
            block[thread] = logit;
        }
    }
    workgroupBarrier();
    if (thread % BLOCK == 0u && token < VOCABULARY) {
        block_maxima[token / BLOCK] = block_maximum(thread, BLOCK);
    }
}
