//! Where the time of a program goes, by perf's samples.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::say;

/// Whether this machine has perf, and lets us use it.
pub fn is_possible() -> bool {
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "--output=/dev/null", "--", "true"]);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// A running `perf record`.
#[derive(Debug)]
pub struct Recording(Child);

impl Recording {
    /// Records a process and all its threads into a file.
    ///
    /// # Errors
    /// When perf does not start.
    pub fn start(pid: u32, file: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("perf");
        command.args(["record", "--quiet", "--freq=499", "--pid"]).arg(pid.to_string());
        command.arg("--output").arg(file).stdin(Stdio::null());
        say(format!("perf records into {}", file.display()));
        Ok(Self(command.spawn().context("starting perf")?))
    }

    /// Ends it, and waits until the file is written.
    ///
    /// # Errors
    /// When perf is gone.
    pub fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGINT)?;
        self.0.wait()?;
        Ok(())
    }
}

/// Shares of the samples by what the code does, the largest first, in percent.
///
/// # Errors
/// When perf can't read the file.
pub fn shares(file: &Path) -> anyhow::Result<Vec<(String, f64)>> {
    let mut command = Command::new("perf");
    command.args(["report", "--stdio", "--no-children", "--fields=overhead,dso,sym", "--field-separator=;", "--input"]);
    let output = command.arg(file).stdin(Stdio::null()).stderr(Stdio::null()).output().context("perf report")?;
    ensure!(output.status.success(), "perf report ended with {}", output.status);
    Ok(sum(&String::from_utf8_lossy(&output.stdout)))
}

fn sum(report: &str) -> Vec<(String, f64)> {
    let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
    for line in report.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(3, ';').map(str::trim);
        let (Some(share), Some(object), Some(symbol)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let Ok(share) = share.trim_end_matches('%').parse::<f64>() else { continue };
        *shares.entry(purpose(object, symbol)).or_default() += share;
    }
    let mut shares: Vec<(String, f64)> = shares.into_iter().map(|(name, share)| (name.to_owned(), share)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

/// What a function is for, by its name. The first that fits counts.
fn purpose(object: &str, symbol: &str) -> &'static str {
    if symbol.starts_with("[k]") || object.contains("kernel") {
        return "kernel (network, threads, memory)";
    }
    let symbol = symbol.trim_start_matches("[.] ");
    let is = |names: &[&str]| names.iter().any(|name| symbol.contains(name));
    let begins = |names: &[&str]| names.iter().any(|name| symbol.starts_with(name));
    if object.contains("libcrypto") || object.contains("libssl") || begins(&["EVP_", "CRYPTO_", "SSL_", "ssl3_", "tls"])
    {
        "TLS"
    } else if begins(&["LZ4", "XXH"]) || is(&["lz4"]) {
        "lz4"
    } else if begins(&["rd_", "rdk", "rk_", "mtx_", "cnd_"]) {
        "librdkafka"
    } else if is(&["rdkafka"]) {
        "rust-rdkafka"
    } else if begins(&["malloc", "_int_malloc", "_int_free", "cfree", "free", "calloc", "realloc", "_int_realloc"])
        || is(&[
            "malloc_consolidate",
            "unlink_chunk",
            "tcache",
            "__rdl_",
            "__rust_alloc",
            "__rust_dealloc",
            "sysmalloc",
        ])
    {
        "allocator"
    } else if is(&["memmove", "memcpy", "memset", "memcmp"]) {
        "copying and comparing memory"
    } else if begins(&["pthread_", "__pthread", "___pthread", "__lll", "__GI___lll", "__new_sem"]) || is(&["futex"]) {
        "locks"
    } else if is(&["storepulse_analytics::session", "storepulse_analytics::document::story"]) {
        "sessions and their stories"
    } else if is(&["storepulse_analytics::fold"]) {
        "folding"
    } else if is(&[
        "storepulse_analytics::materialise",
        "storepulse_analytics::document",
        "storepulse_analytics::store",
    ]) {
        "documents"
    } else if is(&["serde_json", "storepulse_events"]) {
        "decoding JSON"
    } else if is(&["postcard"]) {
        "encoding changes"
    } else if is(&["storepulse_analytics::aggregate", "storepulse_analytics::kafka"]) {
        "handing messages on"
    } else {
        "the rest"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_purpose() {
        let report = "# Overhead;Shared Object;Symbol\n 10.50%;[kernel.kallsyms];[k] tcp_recvmsg\n\
                      \x20 4.00%;storepulse-analytics;[.] rd_kafka_msgset_reader_run\n\
                      \x20 6.25%;storepulse-analytics;[.] rd_kafka_toppar_next_offset\n\
                      \x20 3.00%;storepulse-analytics;[.] <serde_json::de::Deserializer<R>>::parse_str; of x\n\
                      \x20 2.00%;libc.so.6;[.] _int_malloc\nnothing\n";
        let shares = sum(report);
        assert_eq!(shares[0], ("kernel (network, threads, memory)".to_owned(), 10.5));
        assert_eq!(shares[1], ("librdkafka".to_owned(), 10.25));
        assert!(shares.contains(&("decoding JSON".to_owned(), 3.0)) && shares.contains(&("allocator".to_owned(), 2.0)));
    }
}
