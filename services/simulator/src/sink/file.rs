//! A file with one message a line. Keys are not written: each is the event's `session_id`. Malformed messages are
//! written as they are; none contains a line break.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Sink, SinkError};
use crate::delivery::Message;
use crate::tally::Tally;

/// Writes a worker's part of the file.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

/// The file that a worker writes, until the supervisor joins all to `path`.
pub fn part_path(path: &Path, worker: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".part-{worker}"));
    name.into()
}

/// Makes one file of the parts, in the order of the workers, and puts it in the place of `path`.
///
/// # Errors
///
/// If a part can't be read, or the file can't be written.
pub fn join(path: &Path, workers: u32) -> Result<(), SinkError> {
    let first = part_path(path, 0);
    let failed = |at: &Path| {
        let path = at.to_owned();
        move |source| SinkError::File { path, source }
    };
    let mut whole = File::options().append(true).open(&first).map_err(failed(&first))?;
    for part in (1..workers).map(|worker| part_path(path, worker)) {
        let mut source = File::open(&part).map_err(failed(&part))?;
        io::copy(&mut source, &mut whole).map_err(failed(&first))?;
        fs::remove_file(&part).map_err(failed(&part))?;
    }
    whole.sync_all().map_err(failed(&first))?;
    fs::rename(&first, path).map_err(failed(path))
}

impl FileSink {
    /// Opens a worker's part, and keeps its first `keep` bytes: what earlier incarnations have reported.
    ///
    /// # Errors
    ///
    /// If the file can't be opened.
    pub fn open(path: PathBuf, keep: u64) -> Result<Self, SinkError> {
        let open = || {
            let mut file = File::options().write(true).create(true).truncate(false).open(&path)?;
            file.set_len(keep)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { path, file: BufWriter::with_capacity(1 << 20, file), bytes: keep }),
            Err(source) => Err(SinkError::File { path, source }),
        }
    }

    fn failed(&self, source: io::Error) -> SinkError {
        SinkError::File { path: self.path.clone(), source }
    }
}

impl Sink for FileSink {
    fn send(&mut self, message: &Message<'_>, tally: &mut Tally, _: &dyn Fn() -> bool) -> Result<bool, SinkError> {
        let written = self.file.write_all(message.value).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|e| self.failed(e))?;
        self.bytes += message.value.len() as u64 + 1;
        tally.add(&message.fact, message.lines);
        Ok(true)
    }

    /// What the tally holds is reported after this, so it must be out of this process's hands.
    fn settle(&mut self, _: &mut Tally) -> Result<(), SinkError> {
        self.file.flush().map_err(|e| self.failed(e))
    }

    fn file_bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_file_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        for (worker, text) in ["a\nb\n", "", "c\n"].into_iter().enumerate() {
            fs::write(part_path(&path, worker as u32), text).unwrap();
        }
        join(&path, 3).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_not_reported_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        fs::write(&path, "reported\nnot reported\n").unwrap();
        let mut sink = FileSink::open(path.clone(), 9).unwrap();
        sink.file.write_all(b"new\n").unwrap();
        sink.settle(&mut Tally::new(0, 0)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "reported\nnew\n");
    }
}
