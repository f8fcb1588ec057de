//! Puts the built page, `web/dist`, into the program: a table of files in the order of their paths.
//!
//! `STOREPULSE_DASHBOARD_DIST` names another directory. Without the directory the table is empty, and the program says
//! that the page was not built: building it needs Node, building the program does not.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

const VARIABLE: &str = "STOREPULSE_DASHBOARD_DIST";
/// Smaller files stay as they are.
const LEAST_TO_COMPRESS: usize = 1024;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let dist = env::var_os(VARIABLE).filter(|dir| !dir.is_empty());
    let is_named = dist.is_some();
    let dist = dist.map_or_else(|| here.join("web/dist"), PathBuf::from);
    if is_named && !dist.join("index.html").is_file() {
        return Err(io::Error::other(format!("{VARIABLE} is {}: it has no index.html", dist.display())));
    }
    // A path that does not exist is looked at in each build, which costs nothing here: watch what is there.
    let watched = if dist.is_dir() { dist.clone() } else { dist.parent().map_or(here, Path::to_owned) };
    if watched.is_dir() {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    let mut files = Vec::new();
    if dist.is_dir() {
        walk(&dist, &mut files)?;
    }
    files.sort();

    let mut table = "&[\n".to_owned();
    for (number, file) in files.iter().enumerate() {
        println!("cargo::rerun-if-changed={}", file.display());
        let bytes = fs::read(file)?;
        let relative = file.strip_prefix(&dist).map_err(io::Error::other)?;
        let path: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let mut gzip = "None".to_owned();
        if let Some(compressed) = compress(&bytes)? {
            let at = out.join(format!("{number}.gz"));
            fs::write(&at, compressed)?;
            gzip = format!("Some(include_bytes!({:?}))", at.display().to_string());
        }
        let (path, hash, whole) = (format!("/{}", path.join("/")), fnv(&bytes), file.canonicalize()?);
        let whole = whole.display().to_string();
        let _ = writeln!(
            table,
            "    Asset {{ path: {path:?}, bytes: include_bytes!({whole:?}), gzip: {gzip}, etag: \"\\\"{hash:016x}\\\"\" }},"
        );
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            println!("cargo::rerun-if-changed={}", entry.path().display());
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The file in gzip, if that is worth it.
fn compress(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if bytes.len() < LEAST_TO_COMPRESS {
        return Ok(None);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    let compressed = encoder.finish()?;
    Ok((compressed.len() * 10 < bytes.len() * 9).then_some(compressed))
}

/// FNV-1a: tells versions of a file apart.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
