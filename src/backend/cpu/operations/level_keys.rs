//! Keys as a cache in Q8 keeps them, and queries that go with them.

/// Makes the dimensions of rotated keys about as large as each other, by the bias of their projection, `[kv_heads, head_dim]`:
/// a Qwen2 has biases of up to hundreds beside numbers around 1, which would leave the others of a group few steps of a Q8.
/// No softmax changes by it. `queries` are whole groups of query heads, one for each of the `keys`.
///
/// The pairs from `first_steady_pair` on hardly turn: the bias is taken off. What is taken from the keys of all positions alike
/// adds the same to all scores of a query. The others turn, and with them the bias: each pair is divided by how far it reaches,
/// and that of the queries is multiplied by the same.
pub fn level_keys(queries: &mut [f32], keys: &mut [f32], bias: &[f32], head_dim: usize, first_steady_pair: usize) {
    let group = queries.len() / (keys.len() / head_dim);
    let pairs = head_dim / 2;
    let groups = queries.chunks_exact_mut(group).zip(keys.chunks_exact_mut(head_dim));
    for ((queries, key), bias) in groups.zip(bias.chunks_exact(head_dim)) {
        for pair in 0..first_steady_pair {
            let reach = (1.0 + bias[pair] * bias[pair] + bias[pair + pairs] * bias[pair + pairs]).sqrt();
            for dim in [pair, pair + pairs] {
                key[dim] /= reach;
                queries.chunks_exact_mut(head_dim).for_each(|query| query[dim] *= reach);
            }
        }
        for pair in first_steady_pair..pairs {
            for dim in [pair, pair + pairs] {
                key[dim] -= bias[dim];
            }
        }
    }
}
