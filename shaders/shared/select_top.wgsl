// Which items of a list come first: radix selection (Alabi et al., "Fast k-Selection Algorithms for Graphics Processing
// Units", 2012), by one workgroup of SELECT_THREADS.
//
// A sort key is two words, the first one more significant; larger keys come first. No two items may have the same key:
// the second word settles ties. The selection finds the smallest key that belongs to the first `wanted`, digit by digit
// from the top: a histogram of the keys that agree with the digits so far shows the next digit. It ends when all keys
// that agree belong, mostly after three or four of the eight digits.
//
// The kernel that imports this has `fn sort_key(list: u32, item: u32) -> vec2<u32>`, which reads a key.

const SELECT_THREADS: u32 = 256u;
const DIGIT_BITS: u32 = 8u;
const DIGITS: u32 = 256u;
const DIGIT_GROUP: u32 = 16u;

// How far a selection has come.
struct Selection {
    smallest: vec2<u32>, // the digits found, then zeros
    wanted: u32,         // of the keys that agree with these digits, so many belong
    agreeing: u32,       // how many keys agree
}

var<workgroup> selection: Selection;
var<workgroup> histogram: array<atomic<u32>, DIGITS>;
var<workgroup> group_sums: array<u32, DIGITS / DIGIT_GROUP>;

// The smallest key of the `wanted` first of `items` items. 0 < wanted <= items, both the same for all threads.
fn select_top(list: u32, items: u32, wanted: u32, thread: u32) -> vec2<u32> {
    if (thread == 0u) {
        selection = Selection(vec2<u32>(0u), wanted, items);
    }
    var known_bits = vec2<u32>(0u);
    for (var digit_index = 0u; digit_index < 64u / DIGIT_BITS; digit_index++) {
        let so_far = workgroupUniformLoad(&selection);
        if (so_far.wanted == so_far.agreeing) {
            return so_far.smallest;
        }
        atomicStore(&histogram[thread], 0u);
        workgroupBarrier();
        let is_second_word = digit_index * DIGIT_BITS >= 32u;
        let shift = 32u - DIGIT_BITS - (digit_index * DIGIT_BITS) % 32u;
        for (var item = thread; item < items; item += SELECT_THREADS) {
            let key = sort_key(list, item);
            if (all(((key ^ so_far.smallest) & known_bits) == vec2<u32>(0u))) {
                atomicAdd(&histogram[digit_of(key, is_second_word, shift)], 1u);
            }
        }
        workgroupBarrier();

        find_digit(so_far, is_second_word, shift, thread);
        let digit_mask = (DIGITS - 1u) << shift;
        known_bits |= select(vec2<u32>(digit_mask, 0u), vec2<u32>(0u, digit_mask), is_second_word);
    }
    return workgroupUniformLoad(&selection).smallest;
}

// Whether a key is not smaller than `smallest`.
fn is_selected(key: vec2<u32>, smallest: vec2<u32>) -> bool {
    return key.x > smallest.x || (key.x == smallest.x && key.y >= smallest.y);
}

// The first word of a sort key by which larger numbers come first, from the bits of an f32. 0 and -0 are equals.
fn sortable(bits: u32) -> u32 {
    if ((bits & 0x80000000u) == 0u) {
        return bits | 0x80000000u;
    }
    // Of negative numbers the bits of larger ones are smaller; -0 becomes what 0 is.
    return select(~bits, 0x80000000u, bits == 0x80000000u);
}

fn digit_of(key: vec2<u32>, is_second_word: bool, shift: u32) -> u32 {
    return (select(key.x, key.y, is_second_word) >> shift) & (DIGITS - 1u);
}

// One thread a digit: that of the smallest key which belongs is the one whose keys complete the wanted ones.
fn find_digit(so_far: Selection, is_second_word: bool, shift: u32, thread: u32) {
    if (thread < DIGITS / DIGIT_GROUP) {
        var sum = 0u;
        for (var digit = thread * DIGIT_GROUP; digit < (thread + 1u) * DIGIT_GROUP; digit++) {
            sum += atomicLoad(&histogram[digit]);
        }
        group_sums[thread] = sum;
    }
    workgroupBarrier();
    let group = thread / DIGIT_GROUP;
    var above = 0u;
    for (var other = group + 1u; other < DIGITS / DIGIT_GROUP; other++) {
        above += group_sums[other];
    }
    for (var digit = thread + 1u; digit < (group + 1u) * DIGIT_GROUP; digit++) {
        above += atomicLoad(&histogram[digit]);
    }
    let agreeing = atomicLoad(&histogram[thread]);
    if (above < so_far.wanted && so_far.wanted <= above + agreeing) {
        let digit = thread << shift;
        let found = select(vec2<u32>(digit, 0u), vec2<u32>(0u, digit), is_second_word);
        selection = Selection(so_far.smallest | found, so_far.wanted - above, agreeing);
    }
}
