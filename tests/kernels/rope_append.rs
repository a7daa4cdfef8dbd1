//! `shaders/rope_append.wgsl`.

use std::iter::repeat_n;

use qwisp::backend::Dimensions;
use qwisp::backend::gpu::operations::{RopeAppend, rotations};
use qwisp::generate::Random;

use super::reference::rope_append::rotate;
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::halves::{pack_halves, unpack_halves};
use super::support::noise::normal;
use super::{F32, attention::shape, pass};

/// Rounding to f16, in either direction: 11 bits of mantissa, so at most 2⁻¹⁰ of a value, squared.
const F16: f64 = 1e-6;

/// What positions that nothing was appended to must still hold.
const UNTOUCHED: f32 = 7.0;

struct Case {
    name: &'static str,
    dimensions: Dimensions,
    position: usize,
    tokens: usize,
}

#[test]
fn rope_append_rotates_scales_and_appends() {
    let (small, large) = (shape(14, 2, 64), shape(12, 2, 128));
    let cases = [
        Case { name: "the first position", dimensions: small.clone(), position: 0, tokens: 1 },
        Case { name: "the second", dimensions: small.clone(), position: 1, tokens: 1 },
        Case { name: "the last", dimensions: small.clone(), position: 4095, tokens: 1 },
        Case { name: "a first pass", dimensions: small.clone(), position: 0, tokens: 64 },
        Case { name: "the last pass", dimensions: small, position: 4095 - 32, tokens: 33 },
        Case { name: "heads of 128 dimensions", dimensions: large.clone(), position: 4095, tokens: 1 },
        Case { name: "a pass of them", dimensions: large, position: 100, tokens: 3 },
        Case { name: "a single head", dimensions: shape(1, 1, 64), position: 5, tokens: 2 },
    ];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for case in cases {
        check(&mut gpu, &mut random, &case);
    }
}

fn check(gpu: &mut Gpu, random: &mut Random, Case { name, dimensions, position, tokens }: &Case) {
    let &Dimensions { heads, kv_heads, head_dim, context, rope_base, .. } = dimensions;
    let (position, tokens) = (*position, *tokens);
    let columns = dimensions.qkv_columns();
    let input = normal(random, tokens * columns, 2.0);
    let qkv = gpu.buffer(&input);
    let empty_cache = pack_halves(&vec![UNTOUCHED; kv_heads * context * head_dim]);
    let [keys, values] = [gpu.buffer(&empty_cache), gpu.buffer(&empty_cache)];
    RopeAppend {
        step: &gpu.step(pass(tokens, position)),
        qkv: &qkv,
        rotations: &gpu.buffer(&rotations(dimensions)),
        keys: &keys,
        values: &values,
        tokens,
        dimensions,
    }
    .record(&mut gpu.recorder);

    // Head after head, as in the cache.
    let appended = |first_head: usize, transform: &dyn Fn(&[f64], usize) -> Vec<f64>| -> Vec<f64> {
        let head = |token: usize, head: usize| &input[token * columns + (first_head + head) * head_dim..][..head_dim];
        (0..kv_heads)
            .flat_map(|kv_head| (0..tokens).map(move |token| (kv_head, token)))
            .flat_map(|(kv_head, token)| transform(&widen(head(token, kv_head)), position + token))
            .collect()
    };
    let expected_keys = appended(heads, &|head, position| rotate(head, position, rope_base));
    let expected_values = appended(heads + kv_heads, &|head, _| head.to_vec());
    for (what, buffer, expected) in [("keys", keys, expected_keys), ("values", values, expected_values)] {
        let cache = unpack_halves(bytemuck::cast_slice(&gpu.read(&buffer)));
        let mut got = Vec::new();
        for head in cache.chunks(context * head_dim) {
            let (before, rest) = head.split_at(position * head_dim);
            let (here, after) = rest.split_at(tokens * head_dim);
            got.extend_from_slice(here);
            assert!(before.iter().chain(after).all(|&value| value == UNTOUCHED), "{name}: other positions of {what}");
        }
        assert_close(&format!("{name}: {what}"), &got, &expected, F16);
    }

    let queries =
        |rows: &[f32]| -> Vec<f32> { rows.chunks(columns).flat_map(|row| &row[..heads * head_dim]).copied().collect() };
    let scale = 1.0 / (head_dim as f64).sqrt();
    let positions = (position..position + tokens).flat_map(|position| repeat_n(position, heads));
    let expected: Vec<f64> = queries(&input)
        .chunks(head_dim)
        .zip(positions)
        .flat_map(|(head, position)| rotate(&widen(head), position, rope_base))
        .map(|value| value * scale)
        .collect();
    assert_close(&format!("{name}: queries"), &queries(&gpu.read(&qkv)), &expected, F32);
}
