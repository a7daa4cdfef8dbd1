//! What shapes a GPU can take.

use super::activations::logit_columns;
use super::device::{Device, MAX_BINDING_BYTES};
use super::operations::{Attention, AttentionDecode};
use crate::backend::{Dimensions, MAX_LOGIT_ROWS, MAX_PASS_TOKENS};
use crate::error::{Error, ErrorKind, Result};

/// Refuses a model whose buffers or heads are too large.
///
/// # Errors
/// [`ErrorKind::UnsupportedModel`] when one of the model's buffers is larger than the device's limits, or too many query heads
/// share a KV head.
pub(super) fn check(device: &Device, dimensions: &Dimensions) -> Result<()> {
    let limits = device.device.limits();
    let limit_bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(MAX_BINDING_BYTES);
    let Dimensions { hidden, feed_forward, heads, kv_heads, head_dim, vocabulary, context, kv_cache, .. } = *dimensions;
    // A file may claim anything, and sizes are of 32 bits in a browser.
    let product =
        |factors: &[usize]| factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64));
    let largest_bytes = [
        ("a layer's keys", kv_cache.number_bytes(product(&[kv_heads, context, head_dim]))),
        ("the rotary table", product(&[context, head_dim, 4])),
        ("the logits", product(&[MAX_LOGIT_ROWS, logit_columns(vocabulary), 4])),
        ("the residual stream", product(&[MAX_PASS_TOKENS, hidden, 4])),
        ("queries, keys and values", product(&[MAX_PASS_TOKENS, heads + 2 * kv_heads, head_dim, 4])),
        ("the feed-forward activations", product(&[MAX_PASS_TOKENS, feed_forward, 4])),
    ];
    for (what, bytes) in largest_bytes {
        if bytes > limit_bytes {
            return Err(Error::new(ErrorKind::UnsupportedModel, "a buffer is too large for this GPU")
                .at(what)
                .got(format!("{bytes} bytes"))
                .expected(format!("at most {limit_bytes}")));
        }
    }
    let max_group = Attention::MAX_GROUP.min(AttentionDecode::max_group(head_dim));
    if heads / kv_heads > max_group {
        return Err(Error::new(ErrorKind::UnsupportedModel, "too many query heads share a KV head")
            .got(format!("{heads} query heads, {kv_heads} KV heads of {head_dim} dimensions"))
            .expected(format!("at most {max_group} each")));
    }
    Ok(())
}
