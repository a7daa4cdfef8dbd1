//! The CPU backend: each operation, and whole forward passes, against the plain references.

#[path = "../reference/mod.rs"]
mod reference;
#[path = "../support/mod.rs"]
mod support;

mod attention;
mod loading;
mod model;
mod multiply;
mod rows;
