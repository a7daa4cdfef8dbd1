//! `shaders/attention.wgsl`.

use qwisp::backend::gpu::operations::Attention;
use qwisp::backend::{Dimensions, KvCacheFormat};
use qwisp::generate::Random;

use super::reference::attention::attention;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::kv_cache::{CacheBuffers, PackedCache};
use super::support::noise::normal;
use super::{F32, pass};

/// A model of these heads. Only what attention depends on is real.
pub(super) fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> Dimensions {
    Dimensions {
        layers: 1,
        hidden: heads * head_dim,
        feed_forward: 32,
        heads,
        kv_heads,
        head_dim,
        vocabulary: 1,
        context: 4096,
        kv_cache: KvCacheFormat::F16,
        rms_epsilon: 1e-6,
        rope_base: 1e6,
    }
}

/// What the numbers are like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    /// Standard deviation of queries that have been scaled.
    pub(super) query_deviation: f32,
    /// What is added to every key: Qwen2.5's keys have biases of hundreds.
    pub(super) key_bias: f32,
    /// The squared error to stay below.
    pub(super) tolerance: f64,
}

/// Scores around one, as they are in most heads.
pub(super) const ORDINARY: Values = Values { query_deviation: 0.125, key_bias: 0.0, tolerance: F32 };
/// Scores so large that a single position takes all. An error of a score is one of its exponential, and a score of 100
/// is rounded to some 1e-5.
pub(super) const LARGE_SCORES: Values = Values { query_deviation: 10.0, key_bias: 0.0, tolerance: 1e-8 };
/// Scores of some hundreds that are nearly alike: rounded to some 1e-4.
pub(super) const KEY_BIAS: Values = Values { query_deviation: 0.125, key_bias: 300.0, tolerance: 1e-7 };

/// A head's part of a cache `[positions, kv_heads, head_dim]`, for the first `positions`.
pub(super) fn rows_of_head<'a>(
    cache: &'a [f64],
    &Dimensions { kv_heads, head_dim, .. }: &Dimensions,
    kv_head: usize,
    positions: usize,
) -> Vec<&'a [f64]> {
    cache.chunks(head_dim).skip(kv_head).step_by(kv_heads).take(positions).collect()
}

struct Case {
    name: &'static str,
    dimensions: Dimensions,
    position: usize,
    tokens: usize,
    values: Values,
}

#[test]
fn attention_is_the_softmax_over_all_positions_so_far() {
    let case = |name, heads: [usize; 3], position, tokens, values| {
        let [heads, kv_heads, head_dim] = heads;
        Case { name, dimensions: shape(heads, kv_heads, head_dim), position, tokens, values }
    };
    let small = [14, 2, 64]; // the heads of the 0.5B model: groups of 7
    let large = [12, 2, 128]; // of the 1.5B model: groups of 6
    let cases = [
        case("the first position", small, 0, 1, ORDINARY),
        case("the second", small, 1, 1, ORDINARY),
        case("a full tile", small, 63, 1, ORDINARY),
        case("one more than a tile", small, 64, 1, ORDINARY),
        case("two more", small, 65, 1, ORDINARY),
        case("several tiles", small, 300, 1, ORDINARY),
        case("the last position", small, 4095, 1, ORDINARY),
        case("a first pass", small, 0, 64, ORDINARY),
        case("a pass across tiles", small, 37, 33, ORDINARY),
        case("a pass far on", small, 300, 2, ORDINARY),
        case("workgroups of fewer tokens than others", small, 62, 5, ORDINARY),
        case("tokens on both sides of a tile", small, 126, 4, ORDINARY),
        case("heads of 128 dimensions", large, 300, 1, ORDINARY),
        case("heads of 256 dimensions", [8, 2, 256], 63, 5, ORDINARY),
        case("a pass of them", large, 63, 3, ORDINARY),
        case("groups of 2", [4, 2, 64], 65, 3, ORDINARY),
        case("groups of 2 with 128 dimensions", [16, 8, 128], 60, 23, ORDINARY),
        case("groups of 28", [28, 1, 64], 65, 3, ORDINARY),
        case("a KV head for each query", [3, 3, 64], 65, 3, ORDINARY),
        case("the same with 128 dimensions", [2, 2, 128], 65, 3, ORDINARY),
        case("one head", [1, 1, 64], 130, 1, ORDINARY),
        case("large scores", small, 300, 3, LARGE_SCORES),
        case("large scores with 128 dimensions", large, 300, 3, LARGE_SCORES),
        case("key biases", small, 300, 3, KEY_BIAS),
        case("key biases with 128 dimensions", large, 300, 3, KEY_BIAS),
    ];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for mut case in cases {
        for format in KvCacheFormat::ALL {
            case.dimensions.kv_cache = format;
            check(&mut gpu, &mut random, &case);
        }
    }
}

fn check(gpu: &mut Gpu, random: &mut Random, case: &Case) {
    let &Case { name, ref dimensions, position, tokens, values: Values { query_deviation, key_bias, tolerance } } =
        case;
    let &Dimensions { heads, kv_heads, head_dim, context, kv_cache, .. } = dimensions;
    let name = &format!("{name}, {}", kv_cache.name());
    let columns = dimensions.qkv_columns();
    let qkv = normal(random, tokens * columns, query_deviation);

    // What lies behind the last position is not a number: reading it would show.
    let filled = (position + tokens) * kv_heads * head_dim;
    let mut cache = |bias: f32| {
        let mut cache = vec![f32::NAN; context * kv_heads * head_dim];
        let biased: Vec<f32> = normal(random, filled, 1.0).iter().map(|value| value + bias).collect();
        cache[..filled].copy_from_slice(&biased);
        PackedCache::pack(kv_cache, &cache, head_dim)
    };
    let (keys, values) = (cache(key_bias), cache(0.0));

    let [key_buffers, value_buffers] = [&keys, &values].map(|cache| CacheBuffers::of(gpu, cache));
    let output = gpu.buffer(&vec![f32::NAN; tokens * heads * head_dim]);
    Attention {
        step: &gpu.step(pass(tokens, position)),
        qkv: &gpu.buffer(&qkv),
        keys: &key_buffers.numbers,
        values: &value_buffers.numbers,
        scales: CacheBuffers::scales(&key_buffers, &value_buffers),
        output: &output,
        tokens,
        position,
        dimensions,
    }
    .record(&mut gpu.recorder);
    let got = gpu.read(&output);

    let [keys, values] = [keys, values].map(|cache| widen(&cache.unpack(kv_cache, head_dim)));
    // The kernel's queries are scaled already, the reference scales them itself.
    let scale = (head_dim as f64).sqrt();
    let mut expected = Vec::with_capacity(got.len());
    for (token, row) in qkv.chunks(columns).enumerate() {
        for head in 0..heads {
            let query: Vec<f64> = widen(&row[head * head_dim..][..head_dim]).iter().map(|q| q * scale).collect();
            let kv_head = head / (heads / kv_heads);
            let keys = rows_of_head(&keys, dimensions, kv_head, position + token + 1);
            let values = rows_of_head(&values, dimensions, kv_head, position + token + 1);
            expected.extend(attention(&query, &keys, &values));
        }
    }
    assert_close(name, &got, &expected, tolerance);
}
