//! `shaders/rope_append.wgsl`.

use std::iter::repeat_n;

use qwisp::backend::gpu::operations::{RopeAppend, rotations};
use qwisp::backend::{Dimensions, HeadNorms, KvCacheFormat};
use qwisp::generate::Random;

use super::reference::kv_cache::{kept, kept_key, key_reach};
use super::reference::rms_norm::rms_norm;
use super::reference::rope_append::rotate;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::kv_cache::{CacheBuffers, PackedCache};
use super::support::noise::normal;
use super::{F32, attention::shape, kept_tolerance, pass};

/// What positions that nothing was appended to must still hold: every format keeps it as it is.
const UNTOUCHED: f32 = 7.0;

struct Case {
    name: &'static str,
    dimensions: Dimensions,
    position: usize,
    tokens: usize,
    has_norms: bool,
}

#[test]
fn rope_append_normalizes_rotates_scales_and_appends() {
    let case = |name, [heads, kv_heads, head_dim]: [usize; 3], position, tokens| Case {
        name,
        dimensions: shape(heads, kv_heads, head_dim),
        position,
        tokens,
        has_norms: false,
    };
    let normalized = |name, heads, position, tokens| Case { has_norms: true, ..case(name, heads, position, tokens) };
    let (small, large, qwen3) = ([14, 2, 64], [12, 2, 128], [16, 8, 128]);
    let mut cases = [
        case("the first position", small, 0, 1),
        case("the second", small, 1, 1),
        case("the last", small, 4095, 1),
        case("a first pass", small, 0, 64),
        case("the last pass", small, 4095 - 32, 33),
        case("heads of 128 dimensions", large, 4095, 1),
        case("a pass of them", large, 100, 3),
        case("heads of 192 dimensions", [5, 1, 192], 100, 3),
        case("a single head", [1, 1, 64], 5, 2),
        normalized("norms, a first pass", qwen3, 0, 64),
        normalized("norms, the last pass", qwen3, 4095 - 32, 33),
        normalized("norms, heads of 64 dimensions", small, 100, 5),
        normalized("norms, heads of 192 dimensions", [5, 1, 192], 100, 3),
        normalized("norms, heads of 256 dimensions", [8, 2, 256], 100, 3),
        normalized("norms, a single head", [1, 1, 64], 5, 2),
    ];
    for mut gpu in Gpu::open_tiers() {
        let mut random = Random::new(1);
        for case in &mut cases {
            for format in KvCacheFormat::ALL {
                case.dimensions.kv_cache = format;
                check(&mut gpu, &mut random, case);
            }
        }
    }
}

fn check(gpu: &mut Gpu, random: &mut Random, case: &Case) {
    let &Case { name, ref dimensions, position, tokens, has_norms } = case;
    let &Dimensions { heads, kv_heads, head_dim, context, rope_base, rms_epsilon, kv_cache, .. } = dimensions;
    let name = &format!("{name}, {}, {}", kv_cache.name(), gpu.tier().name());
    let [query_norm, key_norm] = [0; 2].map(|_| normal(random, head_dim, 1.0));
    let key_bias = normal(random, kv_heads * head_dim, 1.0);
    let norm_buffers = [&query_norm, &key_norm].map(|norm| gpu.uniform_values(norm));
    let rotated = |head: &[f64], norm: &[f32], position| match has_norms {
        true => rotate(&rms_norm(head, &widen(norm), rms_epsilon.into()), position, rope_base),
        false => rotate(head, position, rope_base),
    };
    let columns = dimensions.qkv_columns();
    let input = normal(random, tokens * columns, 2.0);
    let qkv = gpu.buffer(&input);
    let empty_cache = PackedCache::pack(kv_cache, &vec![UNTOUCHED; kv_heads * context * head_dim], head_dim);
    let [keys, values] = [0; 2].map(|_| CacheBuffers::of(gpu, &empty_cache));
    RopeAppend {
        step: &gpu.step(pass(tokens, position)),
        qkv: &qkv,
        rotations: &gpu.buffer(&rotations(dimensions)),
        norms: has_norms.then_some(HeadNorms { query: &norm_buffers[0], key: &norm_buffers[1] }),
        keys: &keys.numbers,
        values: &values.numbers,
        scales: CacheBuffers::scales(&keys, &values),
        key_bias: &gpu.uniform_values(&key_bias),
        tokens,
        dimensions,
    }
    .record(&mut gpu.recorder);

    // Position after position, as in the cache.
    let appended = |first_head: usize, transform: &dyn Fn(&[f64], usize) -> Vec<f64>| -> Vec<f64> {
        let head = |token: usize, head: usize| &input[token * columns + (first_head + head) * head_dim..][..head_dim];
        (0..tokens)
            .flat_map(|token| (0..kv_heads).map(move |kv_head| (kv_head, token)))
            .flat_map(|(kv_head, token)| transform(&widen(head(token, kv_head)), position + token))
            .collect()
    };
    let key_biases = widen(&key_bias);
    let expected_keys: Vec<f64> = appended(heads, &|head, position| rotated(head, &key_norm, position))
        .chunks(head_dim)
        .zip(key_biases.chunks(head_dim).cycle())
        .flat_map(|(key, bias)| kept_key(kv_cache, key, bias, rope_base, context))
        .collect();
    let expected_values = kept(kv_cache, &appended(heads + kv_heads, &|head, _| head.to_vec()));
    for (what, buffer, expected) in [("keys", keys, expected_keys), ("values", values, expected_values)] {
        let cache = buffer.read(gpu).unpack(kv_cache, head_dim);
        let (before, rest) = cache.split_at(position * kv_heads * head_dim);
        let (here, after) = rest.split_at(tokens * kv_heads * head_dim);
        assert!(before.iter().chain(after).all(|&value| value == UNTOUCHED), "{name}: other positions of {what}");
        assert_close(&format!("{name}: {what}"), here, &expected, kept_tolerance(kv_cache));
    }

    let queries =
        |rows: &[f32]| -> Vec<f32> { rows.chunks(columns).flat_map(|row| &row[..heads * head_dim]).copied().collect() };
    let scale = 1.0 / (head_dim as f64).sqrt();
    let positions = (position..position + tokens).flat_map(|position| repeat_n(position, heads));
    let expected: Vec<f64> = queries(&input)
        .chunks(head_dim)
        .zip(positions)
        .enumerate()
        .flat_map(|(at, (head, position))| {
            let kv_head = at % heads / (heads / kv_heads);
            let bias = &key_biases[kv_head * head_dim..][..head_dim];
            let query = rotated(&widen(head), &query_norm, position);
            query.into_iter().zip(key_reach(kv_cache, bias, rope_base, context)).map(|(value, reach)| value * reach)
        })
        .map(|value| value * scale)
        .collect();
    assert_close(&format!("{name}: queries"), &queries(&gpu.read(&qkv)), &expected, F32);
}
