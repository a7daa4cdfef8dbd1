// Softmax over a tile of positions, for several rows of queries that share a KV head: a row is a query head of a token. A
// vec4 holds the same of four rows, so that one load from workgroup memory serves four multiply-adds.
// The running maximum and sum follow Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018).
// The kernel declares HEAD_DIM, ROWS, THREADS and TILE, the positions of a tile.

const ROW_QUADS: u32 = (ROWS + 3u) / 4u;       // at most 8, which share the threads of a softmax
const HEAD_QUADS: u32 = HEAD_DIM / 4u;
const LANES: u32 = THREADS / 8u;               // threads that share the softmax of four rows
const MASKED: f32 = -3.4e38;                   // not -inf, whose difference with itself is not a number

var<workgroup> scores: array<vec4<f32>, TILE * ROW_QUADS>;              // [position, row / 4], then their exponentials
var<workgroup> lanes: array<vec4<f32>, ROW_QUADS * LANES>;              // each lane's maximum, in the end its sum
var<workgroup> corrections: array<vec4<f32>, ROW_QUADS>;                // for what was summed before this tile

// Of the four rows that the thread works on in a softmax; the sum is over the thread's own positions.
var<private> maximum: vec4<f32> = vec4<f32>(MASKED);
var<private> sum: vec4<f32>;

// Turns the tile's scores into exponentials, relative to the largest score so far. Starts and ends with a barrier.
fn exponentiate(thread: u32, positions: u32) {
    let quad = thread / LANES;
    let lane = thread % LANES;
    workgroupBarrier();
    if (quad < ROW_QUADS) {
        var largest = vec4<f32>(MASKED);
        for (var i = lane; i < positions; i += LANES) {
            largest = max(largest, scores[i * ROW_QUADS + quad]);
        }
        lanes[thread] = largest;
    }
    workgroupBarrier();
    if (quad < ROW_QUADS) {
        let before = maximum;
        for (var i = 0u; i < LANES; i++) {
            maximum = max(maximum, lanes[quad * LANES + i]);
        }
        let correction = exp(before - maximum);
        sum *= correction;
        for (var i = lane; i < positions; i += LANES) {
            let exponential = exp(scores[i * ROW_QUADS + quad] - maximum);
            scores[i * ROW_QUADS + quad] = exponential;
            sum += exponential;
        }
        if (lane == 0u) {
            corrections[quad] = correction;
        }
    }
    workgroupBarrier();
}

// Hands each thread's sum to all; `total` may be called after the next barrier.
fn share_sum(thread: u32) {
    if (thread < ROW_QUADS * LANES) {
        lanes[thread] = sum;
    }
}

// The sum of all exponentials of four rows.
fn total(quad: u32) -> vec4<f32> {
    var all = vec4<f32>();
    for (var i = 0u; i < LANES; i++) {
        all += lanes[quad * LANES + i];
    }
    return all;
}
