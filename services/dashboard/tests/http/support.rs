//! A server, a store that can be switched off, and a client.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use clap::Parser;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use storepulse_analytics::store::firestore::{Access as Place, FirestoreStore};
use storepulse_analytics::store::sqlite::SqliteStore;
use storepulse_analytics::store::{
    DocumentStore, Fields, Guard, Heard, Query, SharedStore, StoreError, Stored, Version, Write,
};
use storepulse_dashboard::auth::Access;
use storepulse_dashboard::clock::Clock;
use storepulse_dashboard::config::RunArgs;
use storepulse_dashboard::server::Shared;
use storepulse_dashboard::service;
use storepulse_events::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// When the tests take place.
pub const NOW: &str = "2026-11-26T19:20:30Z";
/// How long anything may take.
pub const LIMIT: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: RunArgs,
}

/// A store that can be switched off.
#[derive(Clone)]
pub struct Switched {
    store: SharedStore,
    is_down: Arc<AtomicBool>,
}

impl Switched {
    fn gone<T: Send + 'static>() -> BoxFuture<'static, Result<T, StoreError>> {
        Box::pin(async { Err(StoreError::Unavailable("switched off".to_owned())) })
    }

    fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }
}

impl DocumentStore for Switched {
    fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>> {
        if self.is_down() { Self::gone() } else { self.store.read(paths) }
    }

    fn commit<'a>(&'a self, writes: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>> {
        self.store.commit(writes)
    }

    fn scan<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        self.store.scan(collection)
    }

    fn child_ids<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.store.child_ids(collection)
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        if self.is_down() { Self::gone() } else { self.store.query(query) }
    }

    fn listen(&self, paths: Vec<String>) -> BoxStream<'static, Result<Heard, StoreError>> {
        let state = (self.store.listen(paths), self.clone(), false);
        futures::stream::unfold(state, |(mut heard, store, was_down)| async move {
            loop {
                if store.is_down() != was_down {
                    let item =
                        if was_down { Ok(Heard::Current) } else { Err(StoreError::Unavailable("switched off".into())) };
                    return Some((item, (heard, store, !was_down)));
                }
                tokio::select! {
                    item = heard.next(), if !was_down => return item.map(|item| (item, (heard, store, was_down))),
                    () = tokio::time::sleep(Duration::from_millis(50)) => {}
                }
            }
        })
        .boxed()
    }
}

/// A file; with FIRESTORE_EMULATOR_HOST a project of its own in that emulator.
async fn store(file: &Path) -> SharedStore {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let Ok(host) = std::env::var("FIRESTORE_EMULATOR_HOST") else {
        return Arc::new(SqliteStore::open(file).unwrap());
    };
    let project = format!("dashboard-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Arc::new(FirestoreStore::connect(&project, Place::Emulator(host)).await.unwrap())
}

/// A dashboard that serves until it is dropped.
pub struct Dashboard {
    pub address: SocketAddr,
    pub site: Shared,
    store: Switched,
    now: Arc<AtomicI64>,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How a dashboard is to be.
pub struct How {
    pub access: Access,
    pub tls: Option<TlsAcceptor>,
    pub flags: Vec<String>,
}

impl Default for How {
    fn default() -> Self {
        Self { access: Access::Open, tls: None, flags: Vec::new() }
    }
}

impl Dashboard {
    /// One without a log-in, with documents.
    pub async fn open() -> Self {
        Self::start(How::default()).await
    }

    pub async fn start(how: How) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        let mut flags: Vec<String> =
            ["x", "--store", "sqlite", "--sqlite-path", file.to_str().unwrap()].map(str::to_owned).to_vec();
        if !how.flags.iter().any(|flag| flag == "--analytics-urls") {
            flags.extend(["--analytics-urls".to_owned(), String::new()]);
        }
        flags.extend(["--simulator-urls".to_owned(), String::new()]);
        flags.extend(how.flags);
        let args = Cli::parse_from(flags).args;
        let store = Switched { store: store(&file).await, is_down: Arc::default() };
        let now = Arc::new(AtomicI64::new(Timestamp::parse(NOW).unwrap().micros()));
        let clock = {
            let now = Arc::clone(&now);
            Clock::new(move || Timestamp::from_micros(now.load(Ordering::Relaxed)))
        };
        let stop = CancellationToken::new();
        let shared = Arc::new(store.clone());
        let site = service::site(&args, shared, how.access, how.tls.is_some(), clock, stop.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&site);
        tokio::spawn(async move { service::serve(&served, listener, how.tls, 100).await });
        let dashboard = Self { address, site, store, now, stop, _dir: dir };
        dashboard.write(&super::documents::all()).await;
        dashboard
    }

    pub async fn write(&self, documents: &[(String, Fields)]) {
        for (path, fields) in documents {
            let known = self.store.store.read(std::slice::from_ref(path)).await.unwrap().remove(0);
            let guard = known.map_or(Guard::Absent, |stored| Guard::Version(stored.version));
            let write = Write { path: path.clone(), fields: fields.clone(), guard };
            self.store.commit(&[write]).await.unwrap();
        }
    }

    pub fn switch_store(&self, is_on: bool) {
        self.store.is_down.store(!is_on, Ordering::Relaxed);
    }

    pub fn set_time(&self, now: &str) {
        self.now.store(Timestamp::parse(now).unwrap().micros(), Ordering::Relaxed);
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// A plain request for an answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        ask(stream, method, path, headers, body).await
    }

    /// A stream of events.
    pub async fn events(&self, path: &str, headers: &[(&str, &str)]) -> Events {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request("GET", path, headers, "").as_bytes()).await.unwrap();
        Events { stream, text: String::new(), deadline: Instant::now() + LIMIT }
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text.push_str("Host: localhost:8800\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

/// Asks on a connection of any kind.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut bytes = Vec::new();
    let asked = async {
        // A server that refuses early may close before all is written.
        let _ = stream.write_all(request(method, path, headers, body).as_bytes()).await;
        let _ = stream.read_to_end(&mut bytes).await;
    };
    tokio::time::timeout(LIMIT, asked).await.expect("an answer in time");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Events as they come.
pub struct Events {
    stream: TcpStream,
    text: String,
    /// A test that waits for what never comes fails, whatever else comes.
    deadline: Instant,
}

impl Events {
    /// The next one of a name; none when the stream ends.
    pub async fn next(&mut self, name: &str) -> Option<serde_json::Value> {
        while let Some((next, data)) = self.next_of_any().await {
            if next == name {
                return Some(data);
            }
        }
        None
    }

    /// The next one, with its name; none when the stream ends.
    pub async fn next_of_any(&mut self) -> Option<(String, serde_json::Value)> {
        let found = async {
            loop {
                while let Some((message, rest)) = self.text.split_once("\n\n") {
                    let (message, rest) = (message.to_owned(), rest.to_owned());
                    self.text = rest;
                    let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
                    if let (Some(name), Some(data)) = (line("event: "), line("data: ")) {
                        return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
                    }
                }
                let mut bytes = vec![0; 65_536];
                match self.stream.read(&mut bytes).await {
                    Ok(0) | Err(_) => return None,
                    Ok(n) => self.text.push_str(&String::from_utf8_lossy(&bytes[..n]).replace('\r', "")),
                }
            }
        };
        tokio::time::timeout_at(self.deadline, found).await.expect("an event in time")
    }
}
