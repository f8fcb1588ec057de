//! A proxy in front of Firestore's emulator that fails on demand.
//!
//! It speaks what the emulator speaks, gRPC over HTTP/2 in cleartext, call by call: unary and streaming calls pass
//! unchanged, trailers included, until [`FaultProxy::plan`] says otherwise. Point a service at it by
//! `FIRESTORE_EMULATOR_HOST`; the audit goes to the emulator itself.
//!
//! ```no_run
//! use storepulse_tests::fault_proxy::{Calls, Fault, FaultProxy, How};
//! # fn main() -> anyhow::Result<()> {
//! let proxy = FaultProxy::start("127.0.0.1:18080", 1)?;
//! // FIRESTORE_EMULATOR_HOST = proxy.address()
//! proxy.plan(Calls::Commit, Fault::FailAfter(tonic::Code::DeadlineExceeded), How::Probability(0.1));
//! proxy.plan(Calls::All, Fault::CutBefore, How::Next(3));
//! // … later:
//! proxy.clear();
//! println!("{:?}", proxy.injected());
//! # Ok(())
//! # }
//! ```
//!
//! Each connection of a client has a connection of its own to the emulator, and they end together.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::random::Random;
use crate::wait;

/// Which calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// `Commit`: writes documents.
    Commit,
    /// `BatchGetDocuments`: reads documents by name.
    BatchGet,
    /// Every call.
    All,
}

impl Calls {
    fn include(self, path: &str) -> bool {
        match self {
            Self::Commit => path.ends_with("/Commit"),
            Self::BatchGet => path.ends_with("/BatchGetDocuments"),
            Self::All => true,
        }
    }
}

/// What happens to a call. "Done" means that the emulator has answered with success; a call that it refuses by itself
/// is passed on unchanged, and is no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status; the emulator never hears of it.
    Refuse(Code),
    /// It is done, and answered with this status all the same.
    FailAfter(Code),
    /// The connection is cut, with everything on it; the emulator never hears of the call.
    CutBefore,
    /// It is done, then the connection is cut, with everything on it.
    CutAfter,
    /// It is done, and never answered: the client has to give up by itself.
    Swallow,
    /// It waits so long before it is passed on.
    Delay(Duration),
}

impl fmt::Display for Fault {
    /// A short name, such as `DeadlineExceeded after`; without the length of a delay.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(code) => write!(f, "{code:?} before"),
            Self::FailAfter(code) => write!(f, "{code:?} after"),
            Self::CutBefore => f.write_str("cut before"),
            Self::CutAfter => f.write_str("cut after"),
            Self::Swallow => f.write_str("swallowed"),
            Self::Delay(_) => f.write_str("delayed"),
        }
    }
}

/// Which of the calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// The next so many.
    Next(u32),
    /// Each with this probability, from 0 to 1, until [`FaultProxy::clear`].
    Probability(f64),
    /// All, until [`FaultProxy::clear`].
    Always,
}

#[derive(Clone, Copy)]
struct Plan {
    calls: Calls,
    fault: Fault,
    how: How,
}

struct State {
    plans: Vec<Plan>,
    random: Random,
    injected: BTreeMap<String, u64>,
    passed: u64,
}

impl State {
    /// What happens to a call: the first plan that strikes.
    fn strike(&mut self, path: &str) -> Option<Fault> {
        for index in 0..self.plans.len() {
            let Plan { calls, fault, how } = self.plans[index];
            if !calls.include(path) {
                continue;
            }
            let strikes = match how {
                How::Next(left) => left > 0,
                How::Probability(probability) => self.random.unit() < probability,
                How::Always => true,
            };
            if strikes {
                if let How::Next(left) = &mut self.plans[index].how {
                    *left -= 1;
                }
                return Some(fault);
            }
        }
        None
    }

    fn count(&mut self, fault: Fault) {
        *self.injected.entry(fault.to_string()).or_default() += 1;
    }

    /// A fault was to follow a call that was not done: another call will do.
    fn take_back(&mut self, fault: Fault) {
        let counted = |plan: &&mut Plan| plan.fault == fault && matches!(plan.how, How::Next(_));
        if let Some(Plan { how: How::Next(left), .. }) = self.plans.iter_mut().find(counted) {
            *left += 1;
        }
    }
}

struct Shared {
    upstream: String,
    state: Mutex<State>,
    /// Cancelled, and made anew, to cut all connections.
    cut: Mutex<CancellationToken>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the [module](self). Ends, with all connections, when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    /// Keeps the port while nobody listens on it.
    _reserved: TcpSocket,
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Starts a proxy on a free port, in threads of its own. `upstream` is the emulator's `host:port`; `seed` is for
    /// [`How::Probability`].
    ///
    /// # Errors
    /// When there is no port or no thread for it.
    pub fn start(upstream: &str, seed: u64) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fault-proxy")
            .enable_all()
            .build()
            .context("starting the fault proxy")?;
        let reserved = socket(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let random = Random::new(seed);
        let state = State { plans: Vec::new(), random, injected: BTreeMap::new(), passed: 0 };
        let proxy = Self {
            address: reserved.local_addr()?,
            shared: Arc::new(Shared { upstream: upstream.to_owned(), state: Mutex::new(state), cut: Mutex::default() }),
            runtime: Some(runtime),
            accepting: Mutex::default(),
            _reserved: reserved,
        };
        proxy.accept_connections()?;
        Ok(proxy)
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Adds a plan. Of several plans for a call the first one that strikes counts.
    pub fn plan(&self, calls: Calls, fault: Fault, how: How) {
        lock(&self.shared.state).plans.push(Plan { calls, fault, how });
    }

    /// Drops all plans, so that every call passes; calls that are being delayed or swallowed stay so.
    pub fn clear(&self) {
        lock(&self.shared.state).plans.clear();
    }

    /// How many faults were injected so far, by their names (see [`Fault`]'s `Display`).
    pub fn injected(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.state).injected.clone()
    }

    /// How many calls were passed on so far without a fault.
    pub fn passed(&self) -> u64 {
        lock(&self.shared.state).passed
    }

    /// Cuts all connections. New ones are welcome.
    pub fn cut_connections(&self) {
        std::mem::take(&mut *lock(&self.shared.cut)).cancel();
    }

    /// As if the emulator's process had ended: cuts all connections, and new ones are refused by the operating system,
    /// until [`Self::accept_connections`]. Unlike that process it forgets nothing: the emulator has its documents in
    /// memory only.
    ///
    /// # Errors
    /// When it does not stop listening.
    pub fn refuse_connections(&self) -> anyhow::Result<()> {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
            let ended = || accepting.is_finished().then_some(()).ok_or_else(|| "it listens".to_owned());
            wait::until("the fault proxy stops listening", Duration::from_secs(10), ended)?;
        }
        self.cut_connections();
        Ok(())
    }

    /// Takes connections again. Nothing, if it does already.
    ///
    /// # Errors
    /// When it can't listen.
    pub fn accept_connections(&self) -> anyhow::Result<()> {
        let mut accepting = lock(&self.accepting);
        if let (None, Some(runtime)) = (&*accepting, &self.runtime) {
            let _inside = runtime.enter();
            let listener = socket(self.address)?.listen(128).context("listening as the fault proxy")?;
            *accepting = Some(runtime.spawn(accept(listener, self.shared.clone())));
        }
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A socket on the address, which others of this proxy may share.
fn socket(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        std::io::Result::Ok(socket)
    };
    bind().with_context(|| format!("binding {address} for the fault proxy"))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let cut = lock(&shared.cut).child_token();
                tokio::spawn(connection(client, shared.clone(), cut));
            }
            // Out of file descriptors, or a connection that is gone already.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection of a client, with one to the emulator behind it. Whichever ends first ends the other.
async fn connection(client: TcpStream, shared: Arc<Shared>, cut: CancellationToken) {
    let Ok(upstream) = TcpStream::connect(&shared.upstream).await else { return };
    // Without it answers wait for acknowledgements; with it they don't. A socket that refuses is only slower.
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(upstream));
    let Ok((sender, upstream)) = handshake.await else { return };
    let service = service_fn(|request| {
        let (shared, cut, sender) = (shared.clone(), cut.clone(), sender.clone());
        async move { call(request, sender, &shared, &cut).await }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let server = server.serve_connection(TokioIo::new(client), service);
    tokio::select! {
        _ = server => {}
        _ = upstream => {}
        () = cut.cancelled() => {}
    }
}

type Sender = hyper::client::conn::http2::SendRequest<Incoming>;
type Answer = Response<BoxBody<Bytes, hyper::Error>>;

async fn call(
    request: Request<Incoming>,
    mut sender: Sender,
    shared: &Shared,
    cut: &CancellationToken,
) -> Result<Answer, hyper::Error> {
    let fault = lock(&shared.state).strike(request.uri().path());
    match fault {
        None => lock(&shared.state).passed += 1,
        Some(fault @ (Fault::Refuse(_) | Fault::CutBefore | Fault::Delay(_))) => lock(&shared.state).count(fault),
        Some(_) => {}
    }
    match fault {
        Some(Fault::Refuse(code)) => return Ok(status(code)),
        Some(Fault::CutBefore) => cut_off(cut).await,
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let answer = sender.send_request(request).await?;
    let Some(fault @ (Fault::FailAfter(_) | Fault::CutAfter | Fault::Swallow)) = fault else {
        return Ok(answer.map(BodyExt::boxed));
    };
    let (head, body) = answer.into_parts();
    let body = body.collect().await?;
    if !is_done(&head.headers) && !body.trailers().is_some_and(is_done) {
        lock(&shared.state).take_back(fault);
        return Ok(Response::from_parts(head, body.map_err(|never| match never {}).boxed()));
    }
    lock(&shared.state).count(fault);
    match fault {
        Fault::FailAfter(code) => Ok(status(code)),
        Fault::CutAfter => cut_off(cut).await,
        _ => std::future::pending().await,
    }
}

fn is_done(headers: &HeaderMap) -> bool {
    headers.get("grpc-status").is_some_and(|status| status == "0")
}

async fn cut_off(connection: &CancellationToken) -> ! {
    connection.cancel();
    std::future::pending().await
}

/// An answer that is a status and nothing else (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn status(code: Code) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(i32::from(code)));
    headers.insert("grpc-message", HeaderValue::from_static("injected by the fault proxy"));
    answer
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU64, Ordering};

    use http_body_util::Full;

    use super::*;

    /// A server that counts calls, and answers each with a body, and a status in the trailers.
    async fn upstream(done: Arc<AtomicU64>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let done = done.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let done = done.clone();
                    async move {
                        let refused = request.uri().path().ends_with("/Refused");
                        let asked = request.into_body().collect().await.unwrap().to_bytes();
                        done.fetch_add(u64::from(!refused), Ordering::SeqCst);
                        let mut trailers = HeaderMap::new();
                        trailers.insert("grpc-status", HeaderValue::from(if refused { 9 } else { 0 }));
                        let body = Full::new(asked).with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
                        Ok::<_, Infallible>(Response::new(body))
                    }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        address
    }

    /// The body and the status of a call over a connection of its own; what went wrong with the connection otherwise.
    async fn ask(proxy: &FaultProxy, method: &str) -> Result<(Bytes, String), String> {
        let stream = TcpStream::connect(proxy.address()).await.map_err(|e| format!("{:?}", e.kind()))?;
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| "cut".to_owned())?;
        tokio::spawn(connection);
        let uri = format!("http://{}/google.firestore.v1.Firestore/{method}", proxy.address());
        let request = Request::post(uri).body(Full::new(Bytes::from_static(b"question"))).unwrap();
        let call = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?;
            let status = body.trailers().and_then(|trailers| trailers.get("grpc-status"));
            let status = status.or(head.headers.get("grpc-status")).map(|status| status.to_str().unwrap().to_owned());
            Ok((body.to_bytes(), status.unwrap_or_default()))
        };
        tokio::select! {
            answer = call => answer.map_err(|_: hyper::Error| "cut".to_owned()),
            () = swallowed(proxy) => Err("no answer".to_owned()),
        }
    }

    /// Comes to an end some time after the proxy has swallowed an answer.
    async fn swallowed(proxy: &FaultProxy) {
        while !proxy.injected().contains_key(&Fault::Swallow.to_string()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says_and_no_more() {
        let done = Arc::new(AtomicU64::new(0));
        let proxy = FaultProxy::start(&upstream(done.clone()).await.to_string(), 1).unwrap();
        let (question, none) = (Bytes::from_static(b"question"), Bytes::new());
        let passes = Ok((question.clone(), "0".to_owned()));
        assert_eq!(ask(&proxy, "Commit").await, passes);
        for (fault, answer, is_done) in [
            (Fault::Refuse(Code::Unavailable), Ok((none.clone(), "14".to_owned())), 0),
            (Fault::FailAfter(Code::DeadlineExceeded), Ok((none.clone(), "4".to_owned())), 1),
            (Fault::CutBefore, Err("cut".to_owned()), 0),
            (Fault::CutAfter, Err("cut".to_owned()), 1),
            (Fault::Delay(Duration::from_millis(1)), passes.clone(), 1),
        ] {
            let before = done.load(Ordering::SeqCst);
            proxy.plan(Calls::Commit, fault, How::Next(1));
            assert_eq!(ask(&proxy, "BatchGetDocuments").await, passes, "{fault}: other calls pass");
            assert_eq!(ask(&proxy, "Commit").await, answer, "{fault}");
            assert_eq!(done.load(Ordering::SeqCst), before + 1 + is_done, "{fault}");
            assert_eq!(ask(&proxy, "Commit").await, passes, "{fault}: once");
            assert_eq!(proxy.injected()[&fault.to_string()], 1);
        }
        let before = done.load(Ordering::SeqCst);
        proxy.plan(Calls::BatchGet, Fault::Swallow, How::Next(1));
        assert_eq!(ask(&proxy, "BatchGetDocuments").await, Err("no answer".to_owned()));
        assert_eq!(done.load(Ordering::SeqCst), before + 1);

        let proxy = FaultProxy::start(&upstream(done).await.to_string(), 1).unwrap();
        proxy.plan(Calls::All, Fault::Refuse(Code::Aborted), How::Always);
        assert_eq!(ask(&proxy, "Listen").await, Ok((none, "10".to_owned())));
        proxy.clear();
        assert_eq!(ask(&proxy, "Listen").await, passes);
    }

    #[tokio::test]
    async fn what_the_emulator_refuses_itself_is_no_fault() {
        let proxy = FaultProxy::start(&upstream(Arc::default()).await.to_string(), 1).unwrap();
        proxy.plan(Calls::All, Fault::FailAfter(Code::DeadlineExceeded), How::Next(1));
        assert_eq!(ask(&proxy, "Refused").await, Ok((Bytes::from_static(b"question"), "9".to_owned())));
        assert!(proxy.injected().is_empty());
        assert_eq!(ask(&proxy, "Commit").await, Ok((Bytes::new(), "4".to_owned())));
    }

    #[tokio::test]
    async fn refused_connections_come_back_on_the_same_port() {
        let proxy = FaultProxy::start(&upstream(Arc::default()).await.to_string(), 1).unwrap();
        for _ in 0..3 {
            assert!(ask(&proxy, "Commit").await.is_ok());
            proxy.refuse_connections().unwrap();
            assert_eq!(ask(&proxy, "Commit").await, Err("ConnectionRefused".to_owned()));
            proxy.accept_connections().unwrap();
        }
        assert!(ask(&proxy, "Commit").await.is_ok());
    }

    #[tokio::test]
    async fn a_seed_gives_the_same_faults_again() {
        let mut runs = Vec::new();
        for seed in [7, 7, 8] {
            let proxy = FaultProxy::start(&upstream(Arc::default()).await.to_string(), seed).unwrap();
            proxy.plan(Calls::All, Fault::Refuse(Code::Aborted), How::Probability(0.5));
            let mut run = Vec::new();
            for _ in 0..40 {
                run.push(ask(&proxy, "Commit").await.unwrap().1);
            }
            assert!(run.iter().any(|status| status == "0") && run.iter().any(|status| status == "10"));
            runs.push(run);
        }
        assert_eq!(runs[0], runs[1]);
        assert_ne!(runs[0], runs[2]);
    }
}
