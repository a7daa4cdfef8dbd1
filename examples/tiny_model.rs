//! Writes a tiny model with random weights, for tests in a browser and for trying things out.
//!
//! ```sh
//! cargo run --example tiny_model -- --out FILE
//! ```
//! Further options: `--architecture NAME`, `--head-dim N`, `--tensor-type TYPE` (of every matrix: `Q4_K` for instance; also types
//! that Qwisp doesn't support), `--padding-bytes N` (makes the file larger, not the model), `--seed N`.

use std::error::Error;
use std::path::PathBuf;

use candle_core::quantized::GgmlDType;

use self::tiny_model::TinyModel;

#[path = "../tests/support/noise.rs"]
mod noise;
#[allow(dead_code, reason = "tests use more of it")]
#[path = "../tests/support/tiny_model.rs"]
mod tiny_model;

fn main() -> Result<(), Box<dyn Error>> {
    let mut model = TinyModel::default();
    let mut out = PathBuf::new();
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--out" => out = value.into(),
            "--architecture" => model.architecture = value,
            "--tensor-type" => model.tensor_type = Some(tensor_type(&value)?),
            "--head-dim" => model.head_dim = value.parse()?,
            "--padding-bytes" => model.padding_bytes = value.parse()?,
            "--seed" => model.seed = value.parse()?,
            _ => return Err(format!("there is no option {name}").into()),
        }
    }
    if out.as_os_str().is_empty() {
        return Err("--out FILE is needed".into());
    }
    std::fs::write(&out, model.bytes()).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(())
}

/// The type that llama.cpp calls `name`.
fn tensor_type(name: &str) -> Result<GgmlDType, String> {
    use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    let types = [
        ("F32", F32),
        ("F16", F16),
        ("BF16", BF16),
        ("Q4_0", Q4_0),
        ("Q4_1", Q4_1),
        ("Q5_0", Q5_0),
        ("Q5_1", Q5_1),
        ("Q8_0", Q8_0),
        ("Q2_K", Q2K),
        ("Q3_K", Q3K),
        ("Q4_K", Q4K),
        ("Q5_K", Q5K),
        ("Q6_K", Q6K),
    ];
    let found = types.iter().find(|(known, _)| *known == name);
    found.map(|&(_, tensor_type)| tensor_type).ok_or_else(|| format!("there is no tensor type {name}"))
}
