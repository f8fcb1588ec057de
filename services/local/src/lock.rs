//! One `storepulse-local` at a time changes a cluster.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Error, FileContext, Result};
use crate::files::make_private_dir;
use crate::paths::Paths;

/// Bringing up a cluster takes well under this.
const PATIENCE: Duration = Duration::from_secs(180);

/// Held while a cluster is being changed; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for whoever has it.
    pub(crate) async fn take(paths: &Paths, context: &Context) -> Result<Self> {
        make_private_dir(paths.dir())?;
        let start = Instant::now();
        let mut told = false;
        loop {
            match Self::try_take(paths.lock(), paths)? {
                Ok(lock) => return Ok(lock),
                Err(owner) => {
                    if start.elapsed() > PATIENCE {
                        return Err(Error::Locked { dir: paths.dir().to_owned(), owner });
                    }
                    if !told {
                        context.progress.note(&format!(
                            "waiting for another storepulse-local{owner} to finish with {}",
                            paths.dir().display()
                        ));
                        told = true;
                    }
                }
            }
            context.sleep(Duration::from_millis(100)).await?;
        }
    }

    fn try_take(path: PathBuf, paths: &Paths) -> Result<Result<Self, String>> {
        // `down` removes the directory with the lock in it, so what we open may be gone when we have it.
        make_private_dir(paths.dir())?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .file("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                let owner = owner.trim();
                return Ok(Err(if owner.is_empty() { String::new() } else { format!(" (process {owner})") }));
            }
            Err(TryLockError::Error(error)) => return Err(error).file("lock", &path),
        }
        let ours = file.metadata().file("read", &path)?;
        let is_current =
            std::fs::metadata(&path).is_ok_and(|found| found.ino() == ours.ino() && found.dev() == ours.dev());
        if !is_current {
            return Ok(Err(String::new()));
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).file("write", &path)?;
        Ok(Ok(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_taker_waits_even_when_the_first_removes_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::find(Some(&dir.path().join("cluster"))).unwrap();
        let context = Context::quiet();
        let first = Lock::take(&paths, &context).await.unwrap();
        let waiting = tokio::spawn({
            let (paths, context) = (paths.clone(), context.clone());
            async move { Lock::take(&paths, &context).await }
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(!waiting.is_finished());
        std::fs::remove_dir_all(paths.dir()).unwrap();
        drop(first);
        waiting.await.unwrap().unwrap();
        assert!(paths.lock().exists());
    }
}
