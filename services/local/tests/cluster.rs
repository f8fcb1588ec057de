//! The promises of the local cluster, on a real one: proven ready, private, repairable, and gone without a trace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the program on a cluster of its own.
fn local(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storepulse-local"))
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    text(output)
}

/// Takes the cluster down whatever happens.
struct Down<'a>(&'a Path);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        local(self.0, &["down"]);
    }
}

fn status(dir: &Path) -> (Option<i32>, Value) {
    let output = local(dir, &["status", "--json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn pids(status: &Value) -> Vec<i64> {
    status["parts"].as_array().expect("parts").iter().filter_map(|part| part["pid"].as_i64()).collect()
}

/// The command lines and environments' visible part of every process, as `ps` shows them.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned() + "\n")
        .collect()
}

#[test]
fn a_cluster_is_proven_private_repairable_and_gone_without_a_trace() {
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = temporary.path().join("cluster");
    let _down = Down(&dir);

    assert_eq!(status(&dir).0, Some(3), "nothing runs yet");
    assert!(succeed(&local(&dir, &["up", "--store", "sqlite"])).contains("proven by an event"));
    let (code, healthy) = status(&dir);
    assert_eq!((code, healthy["health"].as_str()), (Some(0), Some("healthy")));

    // Private.
    let environment = fs::read_to_string(dir.join("admin.env")).expect("the admin's environment");
    let line = environment.lines().find_map(|line| line.strip_prefix("KAFKA_SASL_PASSWORD=")).expect("a password");
    let password = line.trim_matches('\'');
    assert!(password.len() >= 20);
    assert!(!command_lines().contains(password), "the password is on a command line");
    for file in ["admin.env", "state.json", "kafka-1/server.properties"] {
        let mode = fs::metadata(dir.join(file)).expect(file).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is for others to read");
    }
    for node in 1..=3 {
        let log = fs::read_to_string(dir.join(format!("kafka-{node}/server.log"))).expect("a log");
        assert!(!log.contains(password), "the password is in a log");
        assert!(!dir.join(format!("kafka-{node}/format.args")).exists());
    }
    let shell = format!("set -a; . '{}'; printf %s \"$KAFKA_SASL_PASSWORD\"", dir.join("admin.env").display());
    let loaded = Command::new("sh").args(["-c", &shell]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&loaded.stdout), password);

    // Found again, and repaired.
    assert!(succeed(&local(&dir, &["up"])).contains("was up already"));
    assert_eq!(pids(&status(&dir).1), pids(&healthy));
    succeed(&local(&dir, &["broker", "kill", "2"]));
    let (code, degraded) = status(&dir);
    assert_eq!((code, degraded["health"].as_str()), (Some(1), Some("degraded")));
    assert!(succeed(&local(&dir, &["up"])).contains("without Kafka node 2"));
    assert_eq!(status(&dir).0, Some(0));

    // A broken node is named, with the cause.
    succeed(&local(&dir, &["broker", "kill", "3"]));
    let meta = dir.join("kafka-3/data/meta.properties");
    let properties = fs::read_to_string(&meta).expect("meta.properties");
    let id = properties.lines().find(|line| line.starts_with("cluster.id=")).expect("a cluster id");
    fs::write(&meta, properties.replace(id, "cluster.id=AAAAAAAAAAAAAAAAAAAAAA")).expect("written");
    let broken = local(&dir, &["broker", "start", "3"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken).contains("Kafka node 3 ended while starting"), "{}", text(&broken));
    assert!(text(&broken).contains("CLUSTER_ID"), "{}", text(&broken));

    // Gone.
    let pids = pids(&status(&dir).1);
    assert_eq!(pids.len(), 2);
    succeed(&local(&dir, &["down"]));
    assert!(!dir.exists(), "files are left");
    for pid in pids {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "process {pid} is left: {state}");
    }
    assert!(succeed(&local(&dir, &["down"])).contains("Nothing was running"));
}
