//! Google's emulator, as long as tests need it.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{number, write};
use crate::store::firestore::{Access, FirestoreStore};
use crate::store::{DocumentStore, Guard, StoreError};

/// A store in a project of its own.
pub(super) async fn emulated() -> FirestoreStore {
    static WARM: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    WARM.get_or_init(warm_up).await;
    connected().await
}

async fn connected() -> FirestoreStore {
    FirestoreStore::connect(&fresh_project(), Access::Emulator(emulator().host.clone())).await.unwrap()
}

/// The emulator's first commit loads most of its code, which on a busy machine takes longer than a call may.
async fn warm_up() {
    let store = connected().await;
    let deadline = Instant::now() + Duration::from_secs(90);
    for n in 0.. {
        match store.commit(&[write(&format!("warm/{n}"), number(0), Guard::Absent)]).await {
            Err(StoreError::Unavailable(_)) if Instant::now() < deadline => {}
            outcome => return drop(outcome.unwrap()),
        }
    }
}

pub(super) fn fresh_project() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The emulator that the tests share.
pub(super) fn emulator() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| Emulator::start(free_port()))
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running emulator. A shell in between stops it when the other end of its standard input closes: when this is
/// dropped, or the test process ends in whatever way.
pub(super) struct Emulator {
    pub(super) host: String,
    pub(super) port: u16,
    shell: Child,
    leash: Option<ChildStdin>,
}

impl Emulator {
    pub(super) fn start(port: u16) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", r#""$@" & child=$!; read -r _; kill $child; wait $child"#, "sh", "java", "-Xmx512m", "-cp"])
            .arg(emulator_jar())
            .args(["com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start", "--host=127.0.0.1"])
            .arg(format!("--port={port}"))
            .stdin(Stdio::piped())
            .stdout(log.reopen().unwrap())
            .stderr(log.reopen().unwrap())
            .spawn()
            .expect("a shell");
        let leash = shell.stdin.take();
        let emulator = Self { host: format!("127.0.0.1:{port}"), port, shell, leash };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !emulator.is_ready() {
            let log = || std::fs::read_to_string(log.path()).unwrap_or_default();
            assert!(Instant::now() < deadline, "the Firestore emulator is not ready after 60 s:\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        emulator
    }

    fn is_ready(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(&self.host)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer)?;
            Ok::<_, std::io::Error>(answer.ends_with(b" 200"))
        };
        ask().unwrap_or(false)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.leash = None;
        let _ = self.shell.wait();
    }
}

fn emulator_jar() -> PathBuf {
    let usual = "/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
    let jar = std::env::var_os("FIRESTORE_EMULATOR_JAR").filter(|jar| !jar.is_empty());
    let jar = jar.map_or_else(|| Path::new(usual).to_owned(), PathBuf::from);
    assert!(
        jar.is_file(),
        "these tests need Google's Firestore emulator, and {} is not there: install the package \
         google-cloud-cli-firestore-emulator and Java, or name the jar in FIRESTORE_EMULATOR_JAR",
        jar.display()
    );
    jar
}
