//! Prints how likely a model finds given tokens, as JSON: `Score` of `engine.rs` for each token but the first.
//!
//! ```sh
//! cargo run --release --example score -- FILE ID ID ID ...
//! ```

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use qwisp::backend::gpu::device::Device;
use qwisp::fetch::FileSource;
use qwisp::load::{LoadOptions, load};
use qwisp::store::MemoryStore;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let model = words.next().ok_or("usage: score FILE ID ID ID ...")?;
    let ids = words.map(|word| word.parse()).collect::<Result<Vec<u32>, _>>()?;
    let scores = pollster::block_on(async {
        let device = Device::open().await?;
        let open = async || FileSource::open(Path::new(&model));
        let mut loaded =
            load(device, "", &LoadOptions::default(), None::<&MemoryStore>, open, |_| ControlFlow::Continue(()))
                .await?;
        loaded.engine.score(&ids, 1, 5).await
    })?;
    println!("{}", serde_json::to_string(&scores)?);
    Ok(())
}
