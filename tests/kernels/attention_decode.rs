//! `shaders/attention_decode.wgsl`, and with it `shaders/attention_reduce.wgsl` where the cache is split.

use qwisp::backend::gpu::operations::{AttentionDecode, rotations};
use qwisp::backend::{Dimensions, HeadNorms, KvCacheFormat};
use qwisp::generate::Random;

use super::attention::{KEY_BIAS, LARGE_SCORES, ORDINARY, Values, rows_of_head, shape};
use super::reference::attention::attention;
use super::reference::kv_cache::{kept, kept_key, key_reach};
use super::reference::rms_norm::rms_norm;
use super::reference::rope_append::rotate;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::kv_cache::{CacheBuffers, PackedCache};
use super::support::noise::normal;
use super::{kept_tolerance, pass};

struct Case {
    name: &'static str,
    dimensions: Dimensions,
    position: usize,
    values: Values,
    has_norms: bool,
}

#[test]
fn attention_decode_appends_and_attends() {
    let case = |name, [heads, kv_heads, head_dim]: [usize; 3], position, values| Case {
        name,
        dimensions: shape(heads, kv_heads, head_dim),
        position,
        values,
        has_norms: false,
    };
    let normalized = |name, heads, position| Case { has_norms: true, ..case(name, heads, position, ORDINARY) };
    let small = [14, 2, 64]; // the heads of the 0.5B model: groups of 7
    let large = [12, 2, 128]; // of the 1.5B model: groups of 6
    let mut cases = [
        case("the first position", small, 0, ORDINARY),
        case("the second", small, 1, ORDINARY),
        case("fewer positions than threads", small, 100, ORDINARY),
        case("one more than threads", small, 128, ORDINARY),
        case("one less than a split", small, 254, ORDINARY),
        case("a full split", small, 255, ORDINARY),
        case("one more than a split", small, 256, ORDINARY),
        case("two more", small, 257, ORDINARY),
        case("two full splits", small, 511, ORDINARY),
        case("one more than two splits", small, 512, ORDINARY),
        case("the last position", small, 4095, ORDINARY),
        case("heads of 128 dimensions", large, 3, ORDINARY),
        case("a full split of them", large, 255, ORDINARY),
        case("one more than a split of them", large, 256, ORDINARY),
        case("the last position of them", large, 4095, ORDINARY),
        case("heads of 192 dimensions", [4, 2, 192], 300, ORDINARY),
        case("heads of 256 dimensions", [8, 2, 256], 300, ORDINARY),
        case("groups of 2", [16, 8, 128], 300, ORDINARY),
        case("groups of 8", [16, 2, 128], 300, ORDINARY),
        case("a KV head for each query", [3, 3, 64], 130, ORDINARY),
        case("the same, split", [3, 3, 64], 300, ORDINARY),
        case("one head", [1, 1, 64], 70, ORDINARY),
        case("large scores", small, 200, LARGE_SCORES),
        case("large scores, split", small, 700, LARGE_SCORES),
        case("large scores with 128 dimensions", large, 700, LARGE_SCORES),
        case("key biases", small, 200, KEY_BIAS),
        case("key biases, split", small, 700, KEY_BIAS),
        case("key biases with 128 dimensions", large, 700, KEY_BIAS),
        normalized("norms, the first position", [16, 8, 128], 0), // the heads of Qwen3
        normalized("norms, a full split", [16, 8, 128], 255),
        normalized("norms, one more than a split", [16, 8, 128], 256),
        normalized("norms, the last position", [16, 8, 128], 4095),
        normalized("norms, heads of 64 dimensions", small, 100),
        normalized("norms, the same, split", small, 600),
        normalized("norms, heads of 192 dimensions", [4, 2, 192], 100),
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
    let &Case { name, ref dimensions, position, values, has_norms } = case;
    let Values { query_deviation, key_bias, tolerance } = values;
    let &Dimensions { heads, kv_heads, head_dim, context, rope_base, rms_epsilon, kv_cache, .. } = dimensions;
    let name = &format!("{name}, {}, {}", kv_cache.name(), gpu.tier().name());
    let [query_norm, key_norm] = [0; 2].map(|_| normal(random, head_dim, 1.0));
    let projection_bias = normal(random, kv_heads * head_dim, 1.0);
    let norm_buffers = [&query_norm, &key_norm].map(|norm| gpu.uniform_values(norm));
    let mut qkv = normal(random, heads * head_dim, query_deviation * (head_dim as f32).sqrt());
    qkv.extend(normal(random, kv_heads * head_dim, 1.0).iter().map(|value| value + key_bias));
    qkv.extend(normal(random, kv_heads * head_dim, 1.0));

    // What lies behind the positions so far is not a number: reading it would show.
    let mut cache = |bias: f32| {
        let mut cache = vec![f32::NAN; context * kv_heads * head_dim];
        let noise = normal(random, position * kv_heads * head_dim, 1.0);
        cache.iter_mut().zip(noise).for_each(|(number, noise)| *number = noise + bias);
        PackedCache::pack(kv_cache, &cache, head_dim)
    };
    let caches = [cache(key_bias), cache(0.0)];
    let buffers = caches.each_ref().map(|cache| CacheBuffers::of(gpu, cache));
    let output = gpu.buffer(&vec![f32::NAN; heads * head_dim]);
    let splits = AttentionDecode::splits(position + 1);
    AttentionDecode {
        step: &gpu.step(pass(1, position)),
        qkv: &gpu.buffer(&qkv),
        rotations: &gpu.buffer(&rotations(dimensions)),
        norms: has_norms.then_some(HeadNorms { query: &norm_buffers[0], key: &norm_buffers[1] }),
        keys: &buffers[0].numbers,
        values: &buffers[1].numbers,
        scales: CacheBuffers::scales(&buffers[0], &buffers[1]),
        key_bias: &gpu.uniform_values(&projection_bias),
        output: &output,
        partials: &gpu.buffer(&vec![f32::NAN; AttentionDecode::partial_floats(dimensions, splits)]),
        splits,
        dimensions,
    }
    .record(&mut gpu.recorder);
    let got = gpu.read(&output);

    let rotated = |head: &[f64], norm: &[f32]| match has_norms {
        true => rotate(&rms_norm(head, &widen(norm), rms_epsilon.into()), position, rope_base),
        false => rotate(head, position, rope_base),
    };
    let appended = |first_head: usize, transform: &dyn Fn(&[f64]) -> Vec<f64>| -> Vec<f64> {
        let appended_heads = &qkv[first_head * head_dim..][..kv_heads * head_dim];
        appended_heads.chunks(head_dim).flat_map(|head| transform(&widen(head))).collect()
    };
    let keys: Vec<f64> = appended(heads, &|key| rotated(key, &key_norm))
        .chunks(head_dim)
        .zip(widen(&projection_bias).chunks(head_dim))
        .flat_map(|(key, bias)| kept_key(kv_cache, key, bias, rope_base, context))
        .collect();
    let expected = [keys, kept(kv_cache, &appended(heads + kv_heads, &|value| value.to_vec()))];
    let [keys, values] = [0, 1].map(|i| {
        let what = ["keys", "values"][i];
        // As bits, because what was not a number has to stay so.
        let after = buffers[i].read(gpu);
        for others in [0..position, position + 1..context] {
            let [before, after] = [&caches[i], &after].map(|cache| cache.slice(others.clone(), context));
            assert!(before == after, "{name}: other positions of {what}");
        }
        let got = after.slice(position..position + 1, context).unpack(kv_cache, head_dim);
        assert_close(&format!("{name}: {what}"), &got, &expected[i], kept_tolerance(kv_cache));
        widen(&after.unpack(kv_cache, head_dim))
    });

    // From what is in the cache now, so that what was appended counts as it was rounded.
    let mut expected = Vec::with_capacity(got.len());
    for head in 0..heads {
        let kv_head = head / (heads / kv_heads);
        let bias = widen(&projection_bias[kv_head * head_dim..][..head_dim]);
        let query = rotated(&widen(&qkv[head * head_dim..][..head_dim]), &query_norm);
        let reach = key_reach(kv_cache, &bias, rope_base, context);
        let query: Vec<_> = query.iter().zip(reach).map(|(x, reach)| x * reach).collect();
        let keys = rows_of_head(&keys, dimensions, kv_head, position + 1);
        let values = rows_of_head(&values, dimensions, kv_head, position + 1);
        expected.extend(attention(&query, &keys, &values));
    }
    assert_close(name, &got, &expected, tolerance);
}
