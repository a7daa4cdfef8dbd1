//! The GGUF file format: what a file's head says, and how its tensors lie in its bytes.
//!
//! The head is parsed by candle's reader; the tensor data is never read here, only located. Format:
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod header;
mod tensor_type;

pub use header::{Header, MAX_HEADER_BYTES, Metadata, TensorInfo};
pub use tensor_type::TensorType;
