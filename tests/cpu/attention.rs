//! Attention and its rotation.

use qwisp::backend::KvCacheFormat;
use qwisp::backend::cpu::operations::{Attention, LayerCache, Rotations, rotate};
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
