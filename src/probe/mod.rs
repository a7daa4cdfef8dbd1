//! What a device is good for, found out on the spot, before a model is downloaded: whether it computes rightly.
//!
//! How fast it reads weights the backends measure: [`ReadingRates`](crate::backend::ReadingRates).

mod choice;
mod choose_device;
mod fallback;
mod self_test;
mod test_model;

pub use choice::{Choice, Computer};
pub use choose_device::{Check, choose_device, test_device, test_gpu};
pub use fallback::{Fallback, FallbackReason};
pub use self_test::test_platform;
