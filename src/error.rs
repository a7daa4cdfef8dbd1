//! The one error type of the crate.
//!
//! A failure says *what* went wrong, *where*, what was *got* and what was *expected*; its [`ErrorKind`] is what
//! code switches on. The kinds are the same strings on the JavaScript side (`QwispError.kind`).

use std::fmt;

/// A result whose failure is a Qwisp [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is: the part of it that code decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no WebGPU (or natively no Vulkan, Metal or DirectX 12) adapter.
    NoWebgpu,
    /// The file is well formed, but its architecture, tokenizer or tensor types are not among the supported ones.
    UnsupportedModel,
    /// The file is not a GGUF, is damaged, or is cut short.
    BadFile,
    /// The file could not be fetched: unreachable, refused, or broken off.
    Network,
    /// The bytes are not the ones that were promised: their hash differs.
    Integrity,
    /// The browser has no room to store the file, or refuses to.
    Quota,
    /// The device cannot allocate what the model needs.
    OutOfMemory,
    /// The GPU device was lost or reported a fault; a new engine must be loaded.
    DeviceLost,
    /// The conversation does not fit the context length.
    ContextFull,
    /// The caller aborted.
    Aborted,
    /// A call's argument is out of its range, or of the wrong type.
    InvalidArgument,
    /// A fault in Qwisp itself.
    Internal,
}

impl ErrorKind {
    /// The kind as JavaScript sees it, `"bad-file"` for instance.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoWebgpu => "no-webgpu",
            Self::UnsupportedModel => "unsupported-model",
            Self::BadFile => "bad-file",
            Self::Network => "network",
            Self::Integrity => "integrity",
            Self::Quota => "quota",
            Self::OutOfMemory => "out-of-memory",
            Self::DeviceLost => "device-lost",
            Self::ContextFull => "context-full",
            Self::Aborted => "aborted",
            Self::InvalidArgument => "invalid-argument",
            Self::Internal => "internal",
        }
    }
}

/// A failure: its kind, and a message that says what, where, got and expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    place: Option<String>,
    got: Option<String>,
    expected: Option<String>,
}

impl Error {
    /// A failure of `kind`; `what` is a short clause such as "the tensor data ends early".
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), place: None, got: None, expected: None }
    }

    /// Adds where it happened: a tensor's name, a URL, an argument.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Adds what was found.
    pub fn got(mut self, got: impl fmt::Display) -> Self {
        self.got = Some(got.to_string());
        self
    }

    /// Adds what would have been right.
    pub fn expected(mut self, expected: impl fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    /// What code switches on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        match (&self.got, &self.expected) {
            (Some(got), Some(expected)) => write!(f, ": got {got}, expected {expected}"),
            (Some(got), None) => write!(f, ": got {got}"),
            (None, Some(expected)) => write!(f, ": expected {expected}"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_where_got_and_expected() {
        let error = Error::new(ErrorKind::BadFile, "the tensor data ends early")
            .at("blk.0.attn_q.weight")
            .got("10 bytes")
            .expected("22 bytes");
        assert_eq!(
            error.to_string(),
            "the tensor data ends early (blk.0.attn_q.weight): got 10 bytes, expected 22 bytes"
        );
        assert_eq!(error.kind().as_str(), "bad-file");
    }
}
