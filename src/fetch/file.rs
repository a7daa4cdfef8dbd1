//! A file of the local disk.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::{Answer, Body, Failure, Retry, Source};
use crate::error::{Error, ErrorKind};

/// A [`Source`] that reads a local file.
#[derive(Debug)]
pub struct FileSource {
    path: [String; 1],
    total_bytes: u64,
}

impl FileSource {
    /// Looks at a file.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] when it can't be opened: it is where the bytes come from.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let text = path.display().to_string();
        let total_bytes =
            File::open(path).and_then(|file| file.metadata()).map_err(|error| unreadable(&text, error))?;
        Ok(Self { path: [text], total_bytes: total_bytes.len() })
    }
}

impl Source for FileSource {
    type Body = FileBody;

    fn addresses(&self) -> &[String] {
        &self.path
    }

    async fn open(&self, path: &str, range: Range<u64>, _: Option<&str>) -> Result<Answer<FileBody>, Failure> {
        let open = || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            Ok(file)
        };
        let file = open().map_err(|error| failure(path, error))?;
        let body = FileBody { file, path: path.to_string() };
        Ok(Answer { first: range.start, total_bytes: Some(self.total_bytes), validator: None, sha256: None, body })
    }

    /// A disk doesn't recover.
    async fn pause(&self, _: Duration) -> bool {
        false
    }
}

/// An open file.
#[derive(Debug)]
pub struct FileBody {
    file: File,
    path: String,
}

impl Body for FileBody {
    async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        (&mut self.file).take(limit as u64).read_to_end(buffer).map_err(|error| failure(&self.path, error))?;
        Ok(())
    }
}

fn failure(path: &str, error: std::io::Error) -> Failure {
    Failure { error: unreadable(path, error), retry: Retry::Never }
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Network, "the file can't be read").at(path).got(error)
}
