//! What the status and the headers of an HTTP response say of a file and its bytes.

use std::ops::Range;
use std::time::Duration;

use super::{Answer, Failure, Retry, WHOLE, hexadecimal, is_sha256};
use crate::error::{Error, ErrorKind};

/// Longer than this no server is waited for, whatever it says.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// An HTTP response without its body.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "natively only its tests use it"))]
pub(super) struct Head<'a> {
    pub(super) url: &'a str,
    pub(super) status: u16,
    pub(super) status_text: &'a str,
    /// A header by its lower-case name.
    pub(super) header: &'a dyn Fn(&str) -> Option<String>,
    /// What `Retry-After` says, seconds or a date.
    pub(super) retry_after: Option<Duration>,
}

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "natively only its tests use it"))]
impl Head<'_> {
    /// Reads the answer to a request for `range`; the body comes in apart.
    pub(super) fn read<B>(&self, range: &Range<u64>, body: B) -> Result<Answer<B>, Failure> {
        let never = |error| Failure { error, retry: Retry::Never };
        let first = match self.status {
            200 => 0,
            // Another origin may hide Content-Range. Then the status has to do.
            206 => self.content_range().map_or(range.start, |(first, _)| first),
            416 if range.start == 0 => {
                return Err(never(Error::new(ErrorKind::BadFile, "the file is empty").at(self.url).got("0 bytes")));
            }
            416 => range.start,
            _ => return Err(self.refusal()),
        };
        let encoding = (self.header)("content-encoding").filter(|encoding| encoding != "identity");
        if self.status == 206
            && let Some(encoding) = encoding
        {
            // Ranges of what was compressed can't be decompressed.
            return Err(never(
                Error::new(ErrorKind::Network, "the server compresses a part of the file")
                    .at(self.url)
                    .got(format!("Content-Encoding: {encoding}"))
                    .expected("the file as it is"),
            ));
        }
        if self.status != 416
            && (self.header)("content-type").is_some_and(|content_type| content_type.starts_with("text/html"))
        {
            return Err(never(
                Error::new(ErrorKind::BadFile, "this is not a GGUF file")
                    .at(self.url)
                    .got("an HTML page")
                    .expected("a GGUF file"),
            ));
        }
        if first != range.start && first != 0 {
            return Err(Failure {
                error: Error::new(ErrorKind::Network, "the server sends another part of the file")
                    .at(self.url)
                    .got(format!("the bytes from {first} on"))
                    .expected(format!("those from {} on", range.start)),
                retry: Retry::Later,
            });
        }
        let total_bytes = match (self.status, encoding) {
            (206, _) => self.content_range().map(|(_, total_bytes)| total_bytes),
            // The file ends before what was asked for.
            (416, _) => Some(range.start),
            // The length of what was compressed is not the file's.
            (_, Some(_)) => None,
            _ => (self.header)("content-length").and_then(|length| length.parse().ok()),
        };
        if total_bytes.is_none() && (self.status == 200 || *range == WHOLE) {
            return Err(never(
                Error::new(ErrorKind::Network, "the server doesn't say how long the file is")
                    .at(self.url)
                    .expected("a Content-Length without Content-Encoding, or a Content-Range"),
            ));
        }
        Ok(Answer { first, total_bytes, validator: self.validator(), sha256: self.sha256(), body })
    }

    /// A status that tells nothing of the file.
    fn refusal(&self) -> Failure {
        let error = Error::new(ErrorKind::Network, "the server refuses the file")
            .at(self.url)
            .got(format!("status {} {}", self.status, self.status_text).trim_end())
            .expected("status 200 or 206");
        let passes = matches!(self.status, 408 | 425 | 429 | 500..=599);
        let retry = match self.retry_after {
            _ if !passes => Retry::Never,
            Some(duration) => Retry::After(duration.min(MAX_RETRY_AFTER)),
            None => Retry::Later,
        };
        Failure { error, retry }
    }

    /// The first byte and the length of the file from `Content-Range: bytes first-last/length`.
    fn content_range(&self) -> Option<(u64, u64)> {
        let range = (self.header)("content-range")?;
        let (bytes, total_bytes) = range.strip_prefix("bytes ")?.split_once('/')?;
        Some((bytes.split('-').next()?.trim().parse().ok()?, total_bytes.trim().parse().ok()?))
    }

    /// A weak validator can't promise that the bytes are the same.
    fn validator(&self) -> Option<String> {
        (self.header)("etag").filter(|etag| !etag.starts_with("W/")).or_else(|| (self.header)("last-modified"))
    }

    /// The SHA-256 of the file, where a header means just that: `Repr-Digest` (RFC 9530), and `X-Linked-ETag`, in which
    /// Hugging Face and ModelScope name the large file behind an address. An `ETag` may look like one and be anything.
    fn sha256(&self) -> Option<String> {
        let linked = (self.header)("x-linked-etag").map(|etag| etag.trim_matches('"').to_ascii_lowercase());
        linked.filter(|hash| is_sha256(hash)).or_else(|| {
            let digests = (self.header)("repr-digest")?;
            let digest = digests.split(',').find_map(|digest| digest.trim().strip_prefix("sha-256="))?;
            let base64 = digest.trim().strip_prefix(':')?.split(':').next()?;
            decode_base64(base64).filter(|bytes| bytes.len() == 32).map(|bytes| hexadecimal(&bytes))
        })
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::new();
    let (mut bits, mut bit_count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        bit_count += 6;
        if bit_count >= 8 {
            bit_count -= 8;
            bytes.push((bits >> bit_count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.org/a.gguf";
    const HASH: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn read(status: u16, range: Range<u64>, headers: &[(&str, &str)]) -> Result<Answer<()>, Failure> {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string());
        let retry_after =
            header("retry-after").map(|seconds| Duration::from_secs(seconds.parse().expect("it is a number")));
        Head { url: URL, status, status_text: "", header: &header, retry_after }.read(&range, ())
    }

    #[test]
    fn ranges_and_whole_files_say_where_they_begin_and_how_long_the_file_is() {
        type Case<'a> = (&'a str, u16, Range<u64>, &'a [(&'a str, &'a str)], u64, Option<u64>);
        let cases: &[Case] = &[
            ("a range", 206, 5..9, &[("content-range", "bytes 5-8/100")], 5, Some(100)),
            ("a hidden range", 206, 5..9, &[("content-length", "4")], 5, None),
            ("ranges are ignored", 200, 5..9, &[("content-length", "100")], 0, Some(100)),
            ("the file is shorter now", 416, 500..600, &[], 500, Some(500)),
            ("identity", 200, WHOLE, &[("content-length", "1"), ("content-encoding", "identity")], 0, Some(1)),
        ];
        for (name, status, range, headers, first, total_bytes) in cases {
            let answer = read(*status, range.clone(), headers).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            assert_eq!((answer.first, answer.total_bytes), (*first, *total_bytes), "{name}");
        }
    }

    #[test]
    fn only_what_may_pass_is_asked_for_again() {
        let later = [408, 425, 429, 500, 502, 503, 504, 521];
        for status in later.into_iter().chain([301, 400, 401, 403, 404, 410, 451]) {
            let failure = read(status, WHOLE, &[]).expect_err("there is no file");
            let expected = if later.contains(&status) { Retry::Later } else { Retry::Never };
            assert_eq!(failure.retry, expected, "{status}");
            assert_eq!(failure.error.kind(), ErrorKind::Network);
            assert!(failure.error.to_string().contains(&status.to_string()));
        }
        let retry =
            |status, seconds| read(status, WHOLE, &[("retry-after", seconds)]).expect_err("there is no file").retry;
        assert_eq!(retry(429, "7"), Retry::After(Duration::from_secs(7)));
        assert_eq!(retry(503, "86400"), Retry::After(MAX_RETRY_AFTER));
        assert_eq!(retry(404, "7"), Retry::Never);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        type Case<'a> = (&'a str, u16, Range<u64>, &'a [(&'a str, &'a str)], ErrorKind);
        let cases: &[Case] = &[
            ("an empty file", 416, 0..10, &[], ErrorKind::BadFile),
            ("a page", 200, WHOLE, &[("content-type", "text/html; charset=utf-8")], ErrorKind::BadFile),
            ("no length", 200, WHOLE, &[], ErrorKind::Network),
            ("gzip", 200, WHOLE, &[("content-length", "9"), ("content-encoding", "gzip")], ErrorKind::Network),
            (
                "a part of gzip",
                206,
                0..10,
                &[("content-range", "bytes 0-9/50"), ("content-encoding", "gzip")],
                ErrorKind::Network,
            ),
            ("another part", 206, 10..20, &[("content-range", "bytes 5-9/50")], ErrorKind::Network),
        ];
        for (name, status, range, headers, kind) in cases {
            let failure = read(*status, range.clone(), headers).expect_err(name);
            assert_eq!(failure.error.kind(), *kind, "{name}");
        }
    }

    #[test]
    fn a_hash_is_taken_only_from_headers_that_mean_one() {
        let digest = format!("sha-512=:AAAA:, sha-256=:{BASE64}:");
        let (quoted, etag) = (format!("\"{}\"", HASH.to_uppercase()), format!("\"{HASH}\""));
        for (name, header, hash) in [
            ("x-linked-etag", quoted.as_str(), Some(HASH)),
            ("x-linked-etag", "\"d41d8cd98f00b204e9800998ecf8427e\"", None),
            ("repr-digest", &digest, Some(HASH)),
            ("repr-digest", "sha-256=:AAAA:", None),
            ("repr-digest", "md5=:AAAA:", None),
            ("content-digest", &digest, None),
            ("etag", &etag, None),
        ] {
            let answer = read(200, WHOLE, &[("content-length", "9"), (name, header)]).expect("a good answer");
            assert_eq!(answer.sha256.as_deref(), hash, "{name}: {header}");
        }
    }

    #[test]
    fn only_a_strong_validator_counts() {
        for (headers, validator) in [
            (&[("etag", "\"a\""), ("last-modified", "then")][..], Some("\"a\"")),
            (&[("etag", "W/\"a\""), ("last-modified", "then")], Some("then")),
            (&[("etag", "W/\"a\"")], None),
        ] {
            let headers: Vec<_> = headers.iter().copied().chain([("content-length", "9")]).collect();
            assert_eq!(read(200, WHOLE, &headers).expect("a good answer").validator.as_deref(), validator);
        }
    }
}
