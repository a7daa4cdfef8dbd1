// A KV cache in signed bytes, to read.
#import kv_q8

@group(0) @binding(10) var<storage, read> key_scales: array<u32>;    // [positions, KV_HEADS, HEAD_DIM / 64], two bf16 each
@group(0) @binding(11) var<storage, read> value_scales: array<u32>;  // [positions, KV_HEADS, HEAD_DIM / 64], two bf16 each
