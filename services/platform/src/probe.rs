//! Asking a running service how it is, for container probes: an image without a shell has no `curl` either.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::exit::Failure;
use crate::parse::address;

/// The longest answer that is read.
const LARGEST: u64 = 1 << 20;

/// Settings of a service's `health` command.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// Ask whether the service can do its work (/readyz), not only whether it lives (/healthz)
    #[arg(long)]
    pub ready: bool,
    /// Address that the service listens on; of 0.0.0.0 and [::] the loopback address is asked [default: the service's]
    #[arg(long, env = "HTTP_ADDRESS", value_name = "HTTP_ADDRESS", value_parser = address)]
    pub http_address: Option<SocketAddr>,
    /// Longest wait for the answer, in seconds
    #[arg(long, default_value_t = 5, value_parser = crate::parse::whole::<u64>(1..=60))]
    pub timeout: u64,
}

/// Asks, and prints what `/readyz` said.
///
/// # Errors
///
/// A failure at run time, in a line: the service doesn't answer, or says that it is not ready, and why.
pub async fn run(args: &ProbeArgs, default: SocketAddr) -> Result<(), Failure> {
    let address = to_ask(args.http_address.unwrap_or(default));
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let limit = Duration::from_secs(args.timeout);
    let answer = tokio::time::timeout(limit, ask(address, path)).await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {} s", args.timeout)));
    let (status, body) = answer.map_err(|why| Failure::runtime(format!("http://{address}{path}: {why}")))?;
    let told = body.trim_end();
    if status == 200 {
        println!("{told}");
        return Ok(());
    }
    Err(Failure::runtime(format!("http://{address}{path} answers {status}: {}", told.replace('\n', "; "))))
}

/// Where a service that listens on `address` can be asked from the same container.
fn to_ask(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let v4 = address.is_ipv4();
        address.set_ip(if v4 { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) });
    }
    address
}

async fn ask(address: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|e| e.to_string())?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer).await.map_err(|e| e.to_string())?;
    let answer = String::from_utf8_lossy(&answer);
    parse(&answer).ok_or_else(|| "what answers does not speak HTTP".to_owned())
}

/// The status and body; our own server sends short answers whole, with their length.
fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::Registry;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::http::{Part, Readiness, serve};

    #[tokio::test]
    async fn a_probe_tells_living_from_ready_and_from_gone() {
        let part = Part { name: "store".into(), state: "unavailable".into(), ..Part::default() };
        let readiness = Readiness { parts: vec![part] };
        let stop = CancellationToken::new();
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let (bound, server) =
            serve(any, Registry::new(), Arc::new(move || readiness.clone()), stop.clone()).await.unwrap();
        let probe = |ready| ProbeArgs { ready, http_address: None, timeout: 5 };
        run(&probe(false), bound).await.unwrap();
        let error = run(&probe(true), bound).await.unwrap_err();
        assert_eq!(error.code(), 1);
        let error = error.to_string();
        assert!(error.contains("/readyz answers 503: not ready; [-]store: unavailable"), "{error}");
        stop.cancel();
        server.await.unwrap();
        let error = run(&probe(false), bound).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("http://127.0.0.1:{}/healthz: ", bound.port())), "{error}");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\nA: b\r\n\r\nok\n"), Some((200, "ok\n".to_owned())));
        for bad in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 x\r\n\r\n"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
