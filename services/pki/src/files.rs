//! Reading and writing without half-written files or loose permissions.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Mode of keys and passwords.
pub(crate) const PRIVATE: u32 = 0o600;
/// Mode of certificates.
pub(crate) const PUBLIC: u32 = 0o644;
/// No file made here is anywhere near this; refuses to slurp something else.
const MAX_BYTES: u64 = 1 << 20;

/// Makes the directory (0700) with its parents, and tightens it when it exists.
pub(crate) fn private_dir(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::io("make the directory", dir))?;
    set_mode(dir, 0o700).map(drop)
}

/// Sets a mode where it differs; says whether it had to.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<bool> {
    let found = fs::metadata(path).map_err(Error::io("look at", path))?.permissions().mode();
    if found & 0o777 == mode {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::io("set the permissions of", path))?;
    Ok(true)
}

/// The text of a file, or nothing when there is no such file.
pub(crate) fn read(path: &Path, remedy: &str) -> Result<Option<String>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("look at", path)(error)),
        Ok(data) if !data.is_file() => {
            return Err(Error::unusable(path, "it is not a regular file", "move it away"));
        }
        Ok(data) if data.len() > MAX_BYTES => {
            return Err(Error::unusable(path, "it is larger than 1 MiB", remedy));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    String::from_utf8(bytes).map(Some).map_err(|_| Error::unusable(path, "it is not UTF-8 text", remedy))
}

/// Replaces a file in one step: a reader sees the old text or the new, never a part.
pub(crate) fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = temporary_beside(parent, path);
    let written = write_new(&temporary, text, mode).and_then(|()| {
        fs::rename(&temporary, path).map_err(Error::io("put into place", path))?;
        // The rename is durable once the directory is.
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", parent))
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary_beside(parent: &Path, path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    parent.join(format!(".{name}.{}.tmp", std::process::id()))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let _ = fs::remove_file(path);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(Error::io("create", path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::io("write", path))?;
    // The creation mode is subject to the umask; the wanted one is not.
    set_mode(path, mode).map(drop)
}

/// Holds an exclusive lock on the directory while two runs could meet.
pub(crate) fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    file.lock().map_err(Error::io("lock", &path))?;
    Ok(file)
}
