//! What the tests share.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod asking;
pub(crate) mod closeness;
pub(crate) mod gpu;
pub(crate) mod halves;
pub(crate) mod kv_cache;
pub(crate) mod loading;
pub(crate) mod noise;
pub(crate) mod quantized_matrix;
pub(crate) mod server;
pub(crate) mod slow_server;
pub(crate) mod tiny_model;
