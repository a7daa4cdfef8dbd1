//! How the numbers of the KV cache are kept.

/// The numbers of a head that share a scale in [`KvCacheFormat::Q8`].
pub const KV_GROUP: usize = 32;

/// How keys and values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KvCacheFormat {
    /// f16: two bytes a number.
    #[default]
    F16,
    /// Signed bytes, and for each [`KV_GROUP`] numbers of a head their largest magnitude, rounded up to bf16: 34 bytes for
    /// 32 numbers. A byte q stands for q / 127 of it.
    Q8,
}

impl KvCacheFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::F16, Self::Q8];

    /// The format that callers name so: `"f16"` or `"q8"`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What callers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8 => "q8",
        }
    }

    /// The bytes of so many numbers without their scales.
    pub fn number_bytes(self, numbers: u64) -> u64 {
        match self {
            Self::F16 => numbers.saturating_mul(2),
            Self::Q8 => numbers,
        }
    }

    /// The bytes of the scales of so many numbers, which are whole groups.
    pub fn scale_bytes(self, numbers: u64) -> u64 {
        match self {
            Self::F16 => 0,
            Self::Q8 => numbers / KV_GROUP as u64 * 2,
        }
    }
}
