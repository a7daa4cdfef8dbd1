//! Prints how likely a model finds given tokens, as JSON: a [`Score`](qwisp::engine::Score) for each token but the first.
//!
//! ```sh
//! cargo run --release --example score -- FILE [--kv-cache q8] [--tier f16] ID ID ID ...
//! ```

mod common;

use std::error::Error;
use std::path::Path;

use qwisp::backend::KvCacheFormat;

use self::common::{kv_cache_format, load_engine};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let model = words.next().ok_or("usage: score FILE [--kv-cache q8] [--tier f16] ID ID ID ...")?;
    let mut words = words.peekable();
    let mut kv_cache = KvCacheFormat::F16;
    if words.next_if_eq("--kv-cache").is_some() {
        kv_cache = kv_cache_format(words.next())?;
    }
    let mut tier = None;
    if words.next_if_eq("--tier").is_some() {
        tier = Some(words.next().ok_or("--tier needs a name")?);
    }
    let ids = words.map(|word| word.parse()).collect::<Result<Vec<u32>, _>>()?;
    let scores = pollster::block_on(async {
        let mut engine = load_engine(Path::new(&model), None, tier.as_deref(), kv_cache).await?;
        engine.score(&ids, 1, 5, || false).await
    })?;
    println!("{}", serde_json::to_string(&scores)?);
    Ok(())
}
