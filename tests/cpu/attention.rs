//! Attention and its rotation.

use qwisp::backend::KvCacheFormat;
use qwisp::backend::cpu::operations::{Attention, LayerCache, Rotations, level_keys, rotate};
use qwisp::generate::Random;

use crate::reference;
use crate::support::closeness::{assert_close, widen};
use crate::support::noise::normal;

#[test]
fn heads_are_rotated() {
    let mut random = Random::new(1);
    for head_dim in [64, 128] {
        let mut rotations = Rotations::default();
        rotations.fill(&[3000, 3001, 3002], head_dim, 1e6);
        for at in 0..3 {
            let head = normal(&mut random, head_dim, 1.0);
            let mut got = head.clone();
            rotate(&mut got, &rotations, at);
            let expected = reference::rope_append::rotate(&widen(&head), 3000 + at, 1e6);
            assert_close(&format!("{head_dim} dimensions, position {}", 3000 + at), &got, &expected, 1e-12);
        }
    }
}

#[test]
fn rows_attend_to_what_is_before_them() {
    let mut random = Random::new(2);
    // Scores of a deviation of 30 make the largest one grow from tile to tile.
    let cases = [(2, 1, 64, 0, 1, 1.0), (14, 2, 64, 0, 5, 1.0), (4, 2, 128, 95, 3, 1.0), (2, 1, 64, 200, 33, 30.0)];
    for (format, (heads, kv_heads, head_dim, position, rows, deviation)) in
        KvCacheFormat::ALL.into_iter().flat_map(|format| cases.map(|case| (format, case)))
    {
        let case =
            format!("{format:?}, {heads} heads on {kv_heads} of {head_dim}, {rows} from {position} on, {deviation}");
        let positions = position + rows;
        let columns = (heads + 2 * kv_heads) * head_dim;
        let mut cache = LayerCache::allocate(format, kv_heads, positions + 1, head_dim).expect("there is memory");
        let keys = normal(&mut random, kv_heads * positions * head_dim, deviation);
        let values = normal(&mut random, kv_heads * positions * head_dim, 1.0);
        for kv_head in 0..kv_heads {
            for at in 0..positions {
                let start = (kv_head * positions + at) * head_dim;
                cache.put(kv_head, at, &keys[start..][..head_dim], &values[start..][..head_dim]);
            }
        }
        // It keeps what it holds when it grows.
        let cache = cache.grown(positions + 7).expect("there is memory");
        let [keys, values] = [keys, values].map(|numbers| reference::kv_cache::kept(format, &widen(&numbers)));
        let queries = normal(&mut random, rows * columns, 1.0);
        let mut got = vec![f32::NAN; rows * heads * head_dim];
        Attention::new(heads, kv_heads, head_dim).attend(&queries, columns, &cache, position, &mut got);

        let mut expected = Vec::new();
        for row in 0..rows {
            for head in 0..heads {
                let query = widen(&queries[row * columns + head * head_dim..][..head_dim]);
                let of = |numbers: &'_ [f64]| -> Vec<Vec<f64>> {
                    let start = head / (heads / kv_heads) * positions * head_dim;
                    numbers[start..][..(position + row + 1) * head_dim].chunks(head_dim).map(<[f64]>::to_vec).collect()
                };
                let (keys, values) = (of(&keys), of(&values));
                let (keys, values): (Vec<_>, Vec<_>) =
                    (keys.iter().map(Vec::as_slice).collect(), values.iter().map(Vec::as_slice).collect());
                expected.extend(reference::attention::attention(&query, &keys, &values));
            }
        }
        assert_close(&case, &got, &expected, 1e-10);
    }
}

/// Keys of three positions with large biases become small, and what a query makes of the differences between them stays.
#[test]
fn levelled_keys_give_the_same_softmax() {
    let mut random = Random::new(3);
    for (heads, kv_heads, head_dim, first_steady_pair) in [(14, 2, 64, 20), (3, 3, 64, 32), (4, 2, 128, 0)] {
        let case = format!("{heads} heads on {kv_heads} of {head_dim}, steady from {first_steady_pair} on");
        let bias = normal(&mut random, kv_heads * head_dim, 50.0);
        let queries = normal(&mut random, heads * head_dim, 1.0);
        let keys = [0; 3].map(|_| -> Vec<f32> {
            normal(&mut random, kv_heads * head_dim, 1.0).iter().zip(&bias).map(|(noise, bias)| noise + bias).collect()
        });
        let levelled = keys.clone().map(|mut keys| {
            let mut queries = queries.clone();
            level_keys(&mut queries, &mut keys, &bias, head_dim, first_steady_pair);
            (queries, keys)
        });
        for (_, keys) in &levelled {
            assert!(keys.iter().all(|number| number.abs() < 5.0), "{case}: {keys:?}");
        }
        let scores = |queries: &[f32], keys: &[f32]| -> Vec<f64> {
            let score = |(head, query): (usize, &[f32])| {
                let key = &keys[head / (heads / kv_heads) * head_dim..][..head_dim];
                query.iter().zip(key).map(|(query, key)| f64::from(*query) * f64::from(*key)).sum()
            };
            queries.chunks(head_dim).enumerate().map(score).collect()
        };
        let differences = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>();
        for other in 1..3 {
            let expected = differences(scores(&queries, &keys[other]), scores(&queries, &keys[0]));
            let of = |(queries, keys): &(Vec<f32>, Vec<f32>)| scores(queries, keys);
            let got: Vec<f32> =
                differences(of(&levelled[other]), of(&levelled[0])).iter().map(|&score| score as f32).collect();
            assert_close(&case, &got, &expected, 1e-8);
        }
    }
}
