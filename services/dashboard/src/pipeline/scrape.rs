//! Asking the instances of a service how they are, over plain HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::exposition::parse;
use super::sample::{Instance, Part, Scraped};

/// How long an instance may take for both answers.
const LIMIT: Duration = Duration::from_millis(1_500);
/// The largest answer that is read.
const LARGEST: usize = 8 * 1024 * 1024;
/// The most instances of one name.
const MAX_INSTANCES: usize = 64;

/// Where instances of a service are: a host, of which each address is an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service's name for people.
    pub service: &'static str,
    /// A name or address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Target {
    /// Reads `http://host:port`; several are divided by commas.
    ///
    /// # Errors
    ///
    /// Says what is allowed.
    pub fn parse_all(service: &'static str, text: &str) -> Result<Vec<Self>, String> {
        let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
        urls.map(|url| Self::parse(service, url).ok_or_else(|| "http://host:port, comma-separated".to_owned()))
            .collect()
    }

    fn parse(service: &'static str, url: &str) -> Option<Self> {
        let authority = url.strip_prefix("http://")?.trim_end_matches('/');
        let (host, port) = authority.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_right = !plain.is_empty() && plain.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
        is_right.then(|| Self { service, host: plain.to_owned(), port })
    }
}

/// Asks all instances of all targets at once.
pub async fn all(targets: &[Target]) -> Vec<Scraped> {
    let found = join_all(targets.iter().map(instances)).await;
    let asked = found.into_iter().flatten().map(|(instance, address)| async move {
        let Some(address) = address else { return Scraped { instance, answer: None } };
        let answer = tokio::time::timeout(LIMIT, ask(address)).await.ok().flatten();
        Scraped { instance, answer }
    });
    join_all(asked).await
}

/// The addresses of a target; the target itself without one if its name is not known.
async fn instances(target: &Target) -> Vec<(Instance, Option<SocketAddr>)> {
    let looked_up = tokio::time::timeout(LIMIT, tokio::net::lookup_host((target.host.as_str(), target.port))).await;
    let mut addresses: Vec<SocketAddr> = looked_up.ok().and_then(Result::ok).into_iter().flatten().collect();
    addresses.sort();
    addresses.dedup();
    // `localhost` is one instance, by two names.
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        addresses.truncate(1);
    }
    addresses.truncate(MAX_INSTANCES);
    let of = |address: String| Instance { service: target.service, address };
    if addresses.is_empty() {
        return vec![(of(format!("{}:{}", target.host, target.port)), None)];
    }
    addresses.into_iter().map(|address| (of(address.to_string()), Some(address))).collect()
}

/// Metrics, and what `/readyz` says; none if the instance does not answer.
async fn ask(address: SocketAddr) -> Option<super::sample::Answer> {
    let (metrics, ready) = tokio::join!(get(address, "/metrics"), get(address, "/readyz?format=json"));
    let (status, text) = metrics?;
    let series = if status == StatusCode::OK { parse(&String::from_utf8_lossy(&text)) } else { Vec::new() };
    let (_, readiness) = ready?;
    let readiness: serde_json::Value = serde_json::from_slice(&readiness).unwrap_or_default();
    let parts = readiness["parts"].as_array().into_iter().flatten().map(|part| {
        let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
        Part {
            part: text("part"),
            ready: part["ready"].as_bool().unwrap_or(false),
            state: text("state"),
            detail: text("detail"),
        }
    });
    Some(super::sample::Answer { series, ready: readiness["ready"].as_bool().unwrap_or(false), parts: parts.collect() })
}

async fn get(address: SocketAddr, path: &str) -> Option<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let task = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", address.to_string())
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let response = sender.send_request(request).await;
    let answer = match response {
        Ok(response) => {
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            body.ok().map(|body| (status, body.to_bytes()))
        }
        Err(_) => None,
    };
    task.abort();
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::{IntCounter, Registry};
    use storepulse_platform::http::{self, Readiness};
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn urls_are_hosts_with_ports() {
        let parsed = Target::parse_all("analytics", "http://127.0.0.1:9102, http://[::1]:9/ ,").unwrap();
        let told: Vec<_> = parsed.iter().map(|t| (t.host.as_str(), t.port)).collect();
        assert_eq!(told, [("127.0.0.1", 9102), ("::1", 9)]);
        assert_eq!(Target::parse_all("simulator", ""), Ok(Vec::new()));
        for bad in ["127.0.0.1:9102", "https://a:1", "http://a", "http://a:0", "http://a/b:1", "http://:1"] {
            assert!(Target::parse_all("analytics", bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_service_that_answers_is_told_from_one_that_does_not() {
        let registry = Registry::new();
        let counter = IntCounter::new("x_total", "x").unwrap();
        counter.inc_by(3);
        registry.register(Box::new(counter)).unwrap();
        let part =
            http::Part { name: "store".into(), ready: false, state: "unavailable".into(), ..http::Part::default() };
        let readiness = Readiness { parts: vec![part] };
        let stop = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (bound, _) = http::serve(any, registry, Arc::new(move || readiness.clone()), stop.clone()).await.unwrap();
        let target = |port| Target { service: "analytics", host: "127.0.0.1".into(), port };
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let scraped = all(&[target(bound.port()), target(gone)]).await;
        let answer = scraped[0].answer.as_ref().unwrap();
        assert_eq!((answer.series[0].value, answer.ready, answer.parts[0].state.as_str()), (3.0, false, "unavailable"));
        assert!(scraped[1].answer.is_none());
        stop.cancel();
    }
}
