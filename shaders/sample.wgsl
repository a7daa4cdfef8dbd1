// Chooses the next token from logits that bear their penalties already: temperature, top-k, top-p (Holtzman et al.,
// "The Curious Case of Neural Text Degeneration", 2019), min-p (Nguyen et al., "Turning Up the Heat", 2024), then a draw.
// It also leaves everything as the next pass needs it, so nothing comes from the host between two tokens.
//
// One workgroup. Only few logits are read: the k most likely tokens all lie in the k blocks with the largest maxima,
// because each of these blocks holds a token that comes before whatever the other blocks hold. Of equal tokens, and of
// equal blocks, the first one in the vocabulary comes first.
//
// Constants: BLOCK, the tokens that share a maximum; MAX_TOP_K, the largest top-k.
#import penalize
#import random
#import select_top
#import step

// What the host reads back, and the count of the random numbers.
struct Sampled {
    token: u32,
    is_finite: u32, // 0 where a logit isn't: then the token means nothing
    draws: u32,     // random numbers used up so far
    padding: u32,
}

@group(0) @binding(0) var<uniform> settings: SamplingSettings;
@group(0) @binding(1) var<storage, read> logits: array<f32>;             // [vocabulary]
// Of the tokens below `choices`; +inf where a logit isn't finite. As bits: compilers may assume that no f32 is infinite.
@group(0) @binding(2) var<storage, read> block_maxima: array<u32>;       // [ceil(vocabulary / BLOCK)]
@group(0) @binding(3) var<storage, read_write> occurrences: array<u32>;  // [vocabulary], see `penalize`
@group(0) @binding(4) var<storage, read_write> step: Step;               // of the pass before, then of the next one
@group(0) @binding(5) var<storage, read_write> tokens: array<u32>;       // [1] or more, the first one written
@group(0) @binding(6) var<storage, read_write> sampled: Sampled;

const THREADS: u32 = SELECT_THREADS;

// The lists that tokens are selected from.
const BLOCKS: u32 = 0u;           // every block: its maximum
const TOKENS_OF_BLOCKS: u32 = 1u; // the tokens of `chosen_blocks`: their logits

// Of `sortable` numbers, the smallest that is not finite.
const SORTABLE_INFINITY: u32 = 0xff800000u;
// exp(-EXPONENT_RANGE) adds nothing to the 1 of the most likely token.
const EXPONENT_RANGE: f32 = 100.0;

var<workgroup> chosen_blocks: array<u32, MAX_TOP_K>;     // in no order
var<workgroup> chosen_block_count: atomic<u32>;
var<workgroup> is_not_finite: atomic<u32>;
var<workgroup> candidates: array<vec2<u32>, MAX_TOP_K>;  // sort keys of the k most likely tokens, in no order
var<workgroup> candidate_count: atomic<u32>;
var<workgroup> sorted_tokens: array<u32, MAX_TOP_K>;     // most likely first
var<workgroup> weights: array<f32, MAX_TOP_K>;           // exp((logit - largest) / temperature), in the same order

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let blocks = (settings.choices + BLOCK - 1u) / BLOCK;
    let wanted_blocks = min(settings.top_k, blocks);
    choose_blocks(blocks, wanted_blocks, thread);
    workgroupBarrier();

    let wanted = min(settings.top_k, settings.choices);
    choose_candidates(wanted_blocks * BLOCK, wanted, thread);
    workgroupBarrier();
    sort_candidates(wanted, thread);
    workgroupBarrier();

    if (thread < wanted) {
        weights[thread] = weight(logits[sorted_tokens[thread]] - logits[sorted_tokens[0]]);
    }
    workgroupBarrier();
    if (thread == 0u) {
        var index = 0u;
        if (settings.is_random != 0u) {
            index = draw(wanted);
        }
        hand_on(sorted_tokens[index]);
    }
}

// The sort key of a block or token: the larger number first, then the lower index.
fn sort_key(list: u32, item: u32) -> vec2<u32> {
    if (list == BLOCKS) {
        return vec2<u32>(sortable(block_maxima[item]), ~item);
    }
    let token = chosen_blocks[item / BLOCK] * BLOCK + item % BLOCK;
    if (token >= settings.choices) {
        return vec2<u32>(0u, ~token); // after every number
    }
    return vec2<u32>(sortable(bitcast<u32>(logits[token])), ~token);
}

fn choose_blocks(blocks: u32, wanted: u32, thread: u32) {
    let smallest = select_top(BLOCKS, blocks, wanted, thread);
    for (var block = thread; block < blocks; block += THREADS) {
        let key = sort_key(BLOCKS, block);
        if (is_selected(key, smallest)) {
            chosen_blocks[atomicAdd(&chosen_block_count, 1u)] = block;
            // A maximum that is not finite comes before all others, so it is among these.
            if (key.x >= SORTABLE_INFINITY) {
                atomicStore(&is_not_finite, 1u);
            }
        }
    }
}

fn choose_candidates(items: u32, wanted: u32, thread: u32) {
    let smallest = select_top(TOKENS_OF_BLOCKS, items, wanted, thread);
    for (var item = thread; item < items; item += THREADS) {
        let key = sort_key(TOKENS_OF_BLOCKS, item);
        if (is_selected(key, smallest)) {
            candidates[atomicAdd(&candidate_count, 1u)] = key;
        }
    }
}

// A candidate's place is the number of those that come before it.
fn sort_candidates(count: u32, thread: u32) {
    if (thread < count) {
        let key = candidates[thread];
        var place = 0u;
        for (var other = 0u; other < count; other++) {
            let before = candidates[other];
            place += select(0u, 1u, before.x > key.x || (before.x == key.x && before.y > key.y));
        }
        sorted_tokens[place] = ~key.y;
    }
}

// What a token weighs in the draw, from its logit less the largest one.
fn weight(difference: f32) -> f32 {
    // Exactly, as exp need not be: a min-p of 1 keeps those that equal the first.
    if (difference == 0.0) {
        return 1.0;
    }
    // Divided by a tiny temperature, a difference could become infinite.
    if (difference < -EXPONENT_RANGE * settings.temperature) {
        return 0.0;
    }
    return exp(difference / settings.temperature);
}

// Which of the sorted tokens is taken: those that top-p and min-p keep are drawn by their weights.
fn draw(count: u32) -> u32 {
    var total = 0.0;
    for (var index = 0u; index < count; index++) {
        total += weights[index];
    }
    // The most likely token always stays.
    var cumulative = weights[0];
    var kept = 1u;
    while (kept < count && cumulative < settings.top_p * total && weights[kept] >= settings.min_p) {
        cumulative += weights[kept];
        kept++;
    }

    let word = random_word(vec2<u32>(settings.seed_low, settings.seed_high), sampled.draws);
    sampled.draws += 1u;
    // The sum is taken as before, so it ends at the same value: above what is a part of it.
    let threshold = random_unit(word) * cumulative;
    var index = 0u;
    var sum = weights[0];
    while (sum <= threshold && index + 1u < kept) {
        index++;
        sum += weights[index];
    }
    return index;
}

// Leaves the token to the host and to the next pass.
fn hand_on(token: u32) {
    sampled.token = token;
    sampled.is_finite = 1u - atomicLoad(&is_not_finite);
    occurrences[token] = (occurrences[token] | OCCURRED) + 1u;
    tokens[0] = token;
    step = Step(1u, 0u, step.position + step.rows, 0u);
}
