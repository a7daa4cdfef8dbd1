//! The head of a GGUF file, parsed from a prefix of it.

use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;

use candle_core::quantized::gguf_file::{Content, Value};

use super::TensorType;
use crate::error::{Error, ErrorKind, Result};

/// The longest head that is accepted, in bytes. A Qwen's is 6 MB, nearly all of it vocabulary. The reader makes a value, many
/// times as large, of each element of an array, so a longer head could take all the memory that there is.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;

/// What the head of a GGUF file says: metadata and the place of every tensor.
#[derive(Debug)]
pub struct Header {
    /// Key and value pairs, `general.architecture` for instance.
    pub metadata: Metadata,
    /// Every tensor, in the order of the file.
    pub tensors: Vec<TensorInfo>,
}

/// One tensor: its name, type and shape, and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// `blk.0.attn_q.weight` for instance.
    pub name: String,
    /// How its weights are encoded.
    pub tensor_type: TensorType,
    /// `[rows, columns]`; a vector has one row.
    pub rows: usize,
    /// The weights of one row: what is consecutive in the file.
    pub columns: usize,
    /// Its bytes, counted from the start of the file.
    pub bytes: Range<u64>,
}

impl Header {
    /// Parses the head from `prefix`, the first bytes of a file of `file_bytes` bytes.
    ///
    /// Returns `None` when the head is longer than `prefix`: call again with more of the file.
    ///
    /// # Errors
    /// [`ErrorKind::BadFile`] when this isn't a GGUF file of version 2 or 3, when the head is damaged or longer than
    /// [`MAX_HEADER_BYTES`], and when the file ends before its tensors do; [`ErrorKind::UnsupportedModel`] for a
    /// tensor type outside [`TensorType::ALL`].
    pub fn parse(prefix: &[u8], file_bytes: u64) -> Result<Option<Self>> {
        check_magic(prefix)?;
        check_alignment(prefix)?;
        match Content::read(&mut Cursor::new(prefix)) {
            Ok(content) => Self::from_content(content, file_bytes).map(Some),
            Err(error) => {
                let message = error.to_string();
                if let Some((_, type_id)) = message.split_once("unknown dtype for tensor ") {
                    let type_id = type_id.split_whitespace().next().unwrap_or(type_id);
                    return Err(unsupported_type(format!("ggml type {type_id}")));
                }
                // candle can't tell a damaged head from one that goes on past the prefix, so more is asked for until
                // there is no more, or it can't be a head any longer.
                let prefix_bytes = prefix.len() as u64;
                if prefix_bytes < file_bytes.min(MAX_HEADER_BYTES) {
                    return Ok(None);
                }
                Err(Error::new(ErrorKind::BadFile, "the GGUF head is damaged or cut short")
                    .at(format!("in the first {prefix_bytes} bytes of {file_bytes}"))
                    .got(message.lines().next().unwrap_or_default()))
            }
        }
    }

    fn from_content(content: Content, file_bytes: u64) -> Result<Self> {
        let mut tensors = Vec::with_capacity(content.tensor_infos.len());
        for (name, info) in content.tensor_infos {
            let Some(tensor_type) = TensorType::from_ggml(info.ggml_dtype) else {
                return Err(unsupported_type(format!("{:?}", info.ggml_dtype)).at(name));
            };
            let (rows, columns) = match *info.shape.dims() {
                [columns] => (1, columns),
                [rows, columns] => (rows, columns),
                _ => {
                    return Err(Error::new(ErrorKind::UnsupportedModel, "a tensor has an unsupported shape")
                        .at(name)
                        .got(format!("{:?}", info.shape.dims()))
                        .expected("one or two dimensions"));
                }
            };
            if columns == 0 || rows == 0 || !columns.is_multiple_of(tensor_type.block_weights()) {
                return Err(Error::new(ErrorKind::BadFile, "a tensor's rows are not whole blocks")
                    .at(name)
                    .got(format!("[{rows}, {columns}] of {}", tensor_type.name()))
                    .expected(format!("a multiple of {} columns", tensor_type.block_weights())));
            }
            let start = content.tensor_data_offset.saturating_add(info.offset);
            let length = tensor_type.row_bytes(columns).saturating_mul(rows as u64);
            let bytes = start..start.saturating_add(length);
            if bytes.end > file_bytes {
                return Err(Error::new(ErrorKind::BadFile, "the file ends before its tensors do")
                    .at(name)
                    .got(format!("{file_bytes} bytes"))
                    .expected(format!("at least {} bytes", bytes.end)));
            }
            tensors.push(TensorInfo { name, tensor_type, rows, columns, bytes });
        }
        tensors.sort_by_key(|tensor| tensor.bytes.start);
        for pair in tensors.windows(2) {
            if pair[0].bytes.end > pair[1].bytes.start {
                return Err(Error::new(ErrorKind::BadFile, "two tensors overlap")
                    .at(format!("{} and {}", pair[0].name, pair[1].name)));
            }
        }
        Ok(Self { metadata: Metadata(content.metadata), tensors })
    }

    /// The tensor called `name`, if the file has it.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// Refuses what can't be a GGUF file from its first eight bytes, so that a web page in a model's place is named as such.
fn check_magic(prefix: &[u8]) -> Result<()> {
    let bad = |got: String| {
        Error::new(ErrorKind::BadFile, "this is not a GGUF file")
            .at("first bytes")
            .got(got)
            .expected("GGUF, version 2 or 3")
    };
    let Some(start) = prefix.get(..8) else {
        return Err(bad(format!("{} bytes in all", prefix.len())));
    };
    if start.starts_with(b"GGUF") {
        let version = u32::from_le_bytes([start[4], start[5], start[6], start[7]]);
        return if matches!(version, 2 | 3) { Ok(()) } else { Err(bad(format!("GGUF, version {version}"))) };
    }
    let text = String::from_utf8_lossy(prefix.get(..64).unwrap_or(prefix)).trim_start().to_lowercase();
    if text.starts_with("<!doctype") || text.starts_with("<html") {
        return Err(bad("an HTML page".to_string()));
    }
    Err(bad(format!("{:02x?}", &start[..4])))
}

/// Refuses an alignment of zero: candle's reader divides by it.
fn check_alignment(prefix: &[u8]) -> Result<()> {
    const KEY: &[u8] = b"general.alignment";
    // What follows the key that begins at `start`. Its length is in front of it, and candle drops zeros at its end.
    let value = |start: usize| {
        let length = u64::from_le_bytes(*prefix.get(start.checked_sub(8)?..start)?.first_chunk()?);
        let (key, value) = prefix[start..].split_at_checked(usize::try_from(length).ok()?)?;
        let is_key = key.strip_prefix(KEY)?.iter().all(|&byte| byte == 0);
        is_key.then_some(value)
    };
    let is_zero = |value: &[u8]| {
        let Some((type_number, value)) = value.split_at_checked(4) else { return false };
        // The integers of one, two and four bytes: those that candle takes for an alignment.
        let bytes = match type_number[0] {
            0 | 1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        value.get(..bytes).is_some_and(|value| value.iter().all(|&byte| byte == 0))
    };
    let keys = prefix.windows(KEY.len()).enumerate().filter(|(_, window)| *window == KEY);
    if keys.filter_map(|(start, _)| value(start)).any(is_zero) {
        return Err(Error::new(ErrorKind::BadFile, "tensors can't be aligned to nothing")
            .at("general.alignment")
            .got(0));
    }
    Ok(())
}

fn unsupported_type(got: String) -> Error {
    let supported: Vec<_> = TensorType::ALL.iter().map(|tensor_type| tensor_type.name()).collect();
    Error::new(ErrorKind::UnsupportedModel, "a tensor's type is not supported")
        .got(got)
        .expected(format!("one of {}", supported.join(", ")))
}

/// The metadata of a GGUF file. Each getter fails with [`ErrorKind::BadFile`] for a value of the wrong type.
#[derive(Debug, Default)]
pub struct Metadata(HashMap<String, Value>);

impl Metadata {
    /// An unsigned integer, or `None` when the key is absent.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>> {
        self.get(key, "an unsigned integer", |value| match *value {
            Value::U8(number) => Some(number.into()),
            Value::U16(number) => Some(number.into()),
            Value::U32(number) => Some(number.into()),
            Value::U64(number) => Some(number),
            Value::I32(number) => number.try_into().ok(),
            Value::I64(number) => number.try_into().ok(),
            _ => None,
        })
    }

    /// A floating-point number, or `None` when the key is absent.
    pub fn float(&self, key: &str) -> Result<Option<f64>> {
        self.get(key, "a number", |value| match *value {
            Value::F32(number) => Some(number.into()),
            Value::F64(number) => Some(number),
            _ => None,
        })
    }

    /// A string, or `None` when the key is absent.
    pub fn string(&self, key: &str) -> Result<Option<String>> {
        self.get(key, "a string", |value| value.to_string().ok().cloned())
    }

    /// Takes an array of strings out, leaving nothing behind: a vocabulary is too large to hold twice.
    pub fn take_strings(&mut self, key: &str) -> Result<Option<Vec<String>>> {
        self.take_array(key, "an array of strings", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// Takes an array of integers out.
    pub fn take_integers(&mut self, key: &str) -> Result<Option<Vec<i32>>> {
        self.take_array(key, "an array of 32-bit integers", |value| match value {
            Value::I32(number) => Some(number),
            Value::U32(number) => number.try_into().ok(),
            _ => None,
        })
    }

    fn get<T>(&self, key: &str, expected: &str, convert: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        convert(value).map(Some).ok_or_else(|| wrong_type(key, expected))
    }

    fn take_array<T>(
        &mut self,
        key: &str,
        expected: &str,
        convert: impl Fn(Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(value) = self.0.remove(key) else { return Ok(None) };
        let Value::Array(values) = value else { return Err(wrong_type(key, expected)) };
        values.into_iter().map(convert).collect::<Option<Vec<T>>>().map(Some).ok_or_else(|| wrong_type(key, expected))
    }
}

fn wrong_type(key: &str, expected: &str) -> Error {
    Error::new(ErrorKind::BadFile, "a metadata value has the wrong type").at(key).expected(expected)
}
