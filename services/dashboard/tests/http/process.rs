//! The program: its settings, its exit codes, its end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storepulse-dashboard"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn an_address_that_others_can_reach_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    for (variable, value, told) in [
        ("DASHBOARD_ADDRESS", "0.0.0.0:0", "DASHBOARD_ADDRESS is 0.0.0.0:0, which others can reach: allowed is"),
        ("DASHBOARD_TOKEN", "short", "DASHBOARD_TOKEN is too short"),
        ("DASHBOARD_USERS_FILE", "/no/such", "DASHBOARD_USERS_FILE is /no/such"),
        ("ANALYTICS_URLS", "ftp://x", "ANALYTICS_URLS is \"ftp://x\""),
        ("STORE", "null", "STORE is null"),
        ("DASHBOARD_READS_PER_VIEWER_HOUR", "5", "DASHBOARD_READS_PER_VIEWER_HOUR"),
        ("DASHBOARD_TLS_KEY_LOCATION", "/x", "belong together"),
    ] {
        let mut command = program();
        command.arg("run").env("STORE", "sqlite").env("SQLITE_PATH", &file).env("HTTP_ADDRESS", "127.0.0.1:0");
        let output = command.env("DASHBOARD_ADDRESS", "127.0.0.1:0").env(variable, value).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{variable}: {text}");
        assert!(text.contains(told), "{variable}: {text}");
        assert!(!text.contains("short\""), "a token is never told: {text}");
    }
}

#[test]
fn a_password_is_read_from_standard_input_and_its_hash_is_printed() {
    let mut child = program().arg("hash-password").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && hash.starts_with("$argon2id$"), "{hash}");
    let empty = program().arg("hash-password").output().unwrap();
    assert_eq!(empty.status.code(), Some(2));
}

#[test]
fn a_signal_ends_it_soon_even_while_somebody_watches() {
    let dir = tempfile::tempdir().unwrap();
    let (address, health) = (free(), free());
    let mut command = program();
    command.arg("run").env("STORE", "sqlite").env("SQLITE_PATH", dir.path().join("store.db"));
    command.env("DASHBOARD_ADDRESS", &address).env("HTTP_ADDRESS", &health).env("LOG_FORMAT", "json");
    let mut child = command.spawn().unwrap();
    let probe = || {
        let mut probe = program();
        probe.args(["health", "--ready"]).env("HTTP_ADDRESS", &health).output().unwrap().status.success()
    };
    let began = Instant::now();
    while !probe() {
        assert!(began.elapsed() < Duration::from_secs(20) && child.try_wait().unwrap().is_none(), "it does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut bytes = [0; 15];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 200 OK");
    let began = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
