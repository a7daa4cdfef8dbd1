//! What each operation computes, as the papers write it: in f64, one element after the other.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod attention;
pub(crate) mod attention_reduce;
pub(crate) mod gate_up;
pub(crate) mod head;
pub(crate) mod kv_cache;
pub(crate) mod matmul;
pub(crate) mod penalize_logits;
pub(crate) mod quantize;
pub(crate) mod query_key_value;
pub(crate) mod qwen;
pub(crate) mod rms_norm;
pub(crate) mod rope_append;
pub(crate) mod silu_mul;
