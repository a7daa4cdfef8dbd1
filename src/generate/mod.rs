//! From logits to a stream of tokens: sampling, stopping, and reuse of the KV cache from turn to turn.

mod generator;
mod host_chooser;
mod pace;
mod prefill;
mod random;
mod sampler;
mod stop_strings;

pub use generator::Generator;
pub use host_chooser::{HostChooser, log_probabilities};
pub use prefill::prefill;
pub use random::Random;
pub use sampler::Sampler;
pub use stop_strings::StopStrings;

pub use crate::sampling::Sampling;
