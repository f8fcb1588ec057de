//! A man in the middle: it poses as a broker with a certificate of the real authority, made out to
//! another host. A good client must refuse it before it sends its password's proof.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::ServerConfig;
use storepulse_kafka_admin::tls::Identity;
use storepulse_kafka_admin::{Connection, Endpoint, Error, Settings};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::with_librdkafka as rd;
use crate::answer::{Answer, Refusal, answer};
use crate::world::World;

/// A listening impostor. Stops when dropped.
struct Impostor {
    endpoint: Endpoint,
    heard: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Impostor {
    async fn start(world: &World) -> Result<Self, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Config(format!("the impostor can't start: {error}"));
        let Identity { chain, key } = Identity::load(&world.layout.wrong_host_cert(), &world.layout.wrong_host_key())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| unusable(&error))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| unusable(&error))?;
        let port = listener.local_addr().map_err(|error| unusable(&error))?.port();
        let heard = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(listen(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&heard)));
        let endpoint = Endpoint { host: "localhost".to_owned(), port };
        Ok(Self { endpoint, heard, task: task.abort_handle() })
    }

    /// A refusal that came after the client had talked is none.
    fn judge(&self, answer: Answer) -> Answer {
        if self.heard.load(Ordering::SeqCst) {
            return Answer::LetIn("the client talked to the impostor".to_owned());
        }
        answer
    }
}

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, heard: Arc<AtomicBool>) {
    while let Ok((tcp, _)) = listener.accept().await {
        if let Ok(mut tls) = acceptor.accept(tcp).await {
            let mut byte = [0_u8; 1];
            if matches!(tls.read(&mut byte).await, Ok(1)) {
                heard.store(true, Ordering::SeqCst);
            }
        }
    }
}

fn victim(world: &World) -> &Settings {
    &world.simulator
}

pub(super) async fn against_rustls(world: &World) -> Answer {
    let attempt = async {
        let impostor = Impostor::start(world).await?;
        let options = world.good(victim(world))?;
        let talked = Connection::open(&impostor.endpoint, &options).await.map(drop);
        Ok(impostor.judge(answer(talked, |()| "the client accepted the impostor".to_owned())))
    };
    attempt.await.unwrap_or_else(|error: Error| Answer::NotTried(error.to_string()))
}

pub(super) async fn against_librdkafka(world: &World) -> Answer {
    let impostor = match Impostor::start(world).await {
        Ok(impostor) => impostor,
        Err(error) => return Answer::NotTried(error.to_string()),
    };
    // librdkafka's words don't tell a wrong host from a wrong authority. So first a client that
    // doesn't verify host names: it must take the impostor for a broker.
    let papers = rd::Papers::good(victim(world)).meeting(&impostor.endpoint);
    let careless = rd::produce_until(world, papers.clone().careless(), Arc::clone(&impostor.heard)).await;
    if !impostor.heard.swap(false, Ordering::SeqCst) {
        return Answer::NotTried(format!("not even a client without host verification talked to it ({careless})"));
    }
    let answer = rd::produce(world, papers).await;
    match impostor.judge(answer) {
        Answer::Refused(Refusal::Closed) => Answer::Refused(Refusal::Other("no answer".to_owned())),
        answer => answer,
    }
}
