//! Prints how likely a model finds given tokens, as JSON: a [`Score`](qwisp::engine::Score) for each token but the first.
//!
//! ```sh
//! cargo run --release --example score -- FILE ID ID ID ...
//! ```

mod common;

use std::error::Error;
use std::path::Path;

use self::common::load_engine;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let model = words.next().ok_or("usage: score FILE ID ID ID ...")?;
    let ids = words.map(|word| word.parse()).collect::<Result<Vec<u32>, _>>()?;
    let scores = pollster::block_on(async {
        let mut engine = load_engine(Path::new(&model), None, None).await?;
        engine.score(&ids, 1, 5, || false).await
    })?;
    println!("{}", serde_json::to_string(&scores)?);
    Ok(())
}
