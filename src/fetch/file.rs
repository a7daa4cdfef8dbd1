//! A file of the local disk.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::Source;
use crate::error::{Error, ErrorKind, Result};

/// A [`Source`] that reads a local file.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    path: String,
    total_bytes: u64,
}

impl FileSource {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] when it can't be opened: it is where the bytes come from.
    pub fn open(path: &Path) -> Result<Self> {
        let path_text = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&path_text, error))?;
        let total_bytes = file.metadata().map_err(|error| unreadable(&path_text, error))?.len();
        Ok(Self { file, path: path_text, total_bytes })
    }
}

impl Source for FileSource {
    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        let wanted = (buffer.capacity() - buffer.len()) as u64;
        (&mut self.file).take(wanted).read_to_end(buffer).map_err(|error| unreadable(&self.path, error))?;
        Ok(())
    }
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Network, "the file can't be read").at(path).got(error)
}
