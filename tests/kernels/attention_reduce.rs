//! `shaders/attention_reduce.wgsl`.

use qwisp::backend::Dimensions;
use qwisp::backend::gpu::operations::{AttentionDecode, AttentionReduce};
use qwisp::generate::Random;

use super::attention::shape;
use super::reference::attention_reduce::{Partial, merge};
use super::support::closeness::{assert_close, widen};
use super::support::gpu::Gpu;
use super::support::noise::normal;
use super::{F32, pass};

struct Case {
    name: &'static str,
    dimensions: Dimensions,
    position: usize,
    /// Standard deviation of the splits' largest scores.
    maximum_deviation: f32,
}

#[test]
fn attention_reduce_merges_splits() {
    let (small, large) = (shape(14, 2, 64), shape(12, 2, 128));
    let case = |name, dimensions: &Dimensions, position, maximum_deviation| Case {
        name,
        dimensions: dimensions.clone(),
        position,
        maximum_deviation,
    };
    let cases = [
        case("two splits", &small, 256, 1.0),
        case("two full splits", &small, 511, 1.0),
        case("three", &small, 512, 1.0),
        case("all splits", &small, 4095, 1.0),
        case("heads of 128 dimensions", &large, 1000, 1.0),
        case("one head", &shape(1, 1, 64), 1000, 1.0),
        case("a split that takes all", &small, 1000, 1e3),
    ];
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for case in cases {
        check(&mut gpu, &mut random, &case);
    }
}

fn check(gpu: &mut Gpu, random: &mut Random, Case { name, dimensions, position, maximum_deviation }: &Case) {
    let &Dimensions { heads, head_dim, .. } = dimensions;
    let splits = AttentionDecode::splits(position + 1);
    let mut partials = normal(random, AttentionDecode::partial_floats(dimensions, splits), 10.0);
    for row in partials.chunks_mut(head_dim + 2) {
        row[head_dim] = normal(random, 1, *maximum_deviation)[0];
        row[head_dim + 1] = 1.0 + 255.0 * random.next_unit();
    }
    let output = gpu.buffer(&vec![f32::NAN; heads * head_dim]);
    AttentionReduce {
        step: &gpu.step(pass(1, *position)),
        partials: &gpu.buffer(&partials),
        output: &output,
        dimensions,
    }
    .record(&mut gpu.recorder);
    let got = gpu.read(&output);

    let partials = widen(&partials);
    let rows: Vec<&[f64]> = partials.chunks(head_dim + 2).collect();
    let of_head = |head: usize| -> Vec<Partial<'_>> {
        let rows = rows.iter().skip(head).step_by(heads);
        rows.map(|row| Partial { weighted: &row[..head_dim], maximum: row[head_dim], sum: row[head_dim + 1] }).collect()
    };
    let expected: Vec<f64> = (0..heads).flat_map(|head| merge(&of_head(head))).collect();
    assert_close(name, &got, &expected, F32);
}
