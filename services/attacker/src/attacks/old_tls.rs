//! TLS 1.1, which rustls doesn't speak: OpenSSL, with its security level lowered. The bytes on the
//! wire are recorded, to prove that TLS 1.1 was really offered, and to read the broker's alert.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use openssl::ssl::{HandshakeError, SslConnector, SslFiletype, SslMethod, SslVersion};
use storepulse_kafka_admin::{Endpoint, Settings};

use crate::answer::{Answer, Refusal};
use crate::world::World;

/// `legacy_version` of TLS 1.1.
const TLS_1_1: [u8; 2] = [3, 2];
/// The extension `supported_versions`, with which TLS 1.3 would be offered.
const SUPPORTED_VERSIONS: u16 = 43;

/// What passed over a connection.
#[derive(Debug, Clone, Default)]
struct Tape {
    sent: Vec<u8>,
    received: Vec<u8>,
}

/// A stream that keeps what passes.
#[derive(Debug)]
struct Recorder {
    tcp: TcpStream,
    tape: Tape,
}

impl Read for Recorder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tcp.read(buffer)?;
        self.tape.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.tcp.write(bytes)?;
        self.tape.sent.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

pub(super) async fn attempt(world: &World) -> Answer {
    let mut last = Answer::NotTried("no brokers".to_owned());
    for broker in world.brokers() {
        let (broker, who, limit) = (broker.clone(), world.simulator.clone(), world.time_limit);
        let task = tokio::task::spawn_blocking(move || knock(&broker, &who, limit));
        last = match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(reason)) => Answer::NotTried(reason),
            Err(_) => Answer::NotTried("the attempt was cut short".to_owned()),
        };
        if !matches!(last, Answer::Refused(Refusal::Alert(_))) {
            break;
        }
    }
    last
}

fn knock(broker: &Endpoint, who: &Settings, limit: Duration) -> Result<Answer, String> {
    // The same client must get through with TLS 1.2, or a refusal says nothing about the version.
    if let Err((_, error)) = handshake(broker, who, limit, SslVersion::TLS1_2)? {
        return Err(format!("the same client is refused with TLS 1.2 too: {error}"));
    }
    let (tape, error) = match handshake(broker, who, limit, SslVersion::TLS1_1)? {
        Ok(version) => return Ok(Answer::LetIn(format!("{broker} completed a handshake in {version}"))),
        Err(ended) => ended,
    };
    if !offers_only_tls_1_1(&tape.sent) {
        return Err("OpenSSL did not put an offer of TLS 1.1 on the wire".to_owned());
    }
    Ok(match alert(&tape.received) {
        Some(code) => Answer::Refused(Refusal::Alert(code.into())),
        None if tape.received.is_empty() => Answer::Refused(Refusal::Closed),
        None => Answer::Refused(Refusal::Other(format!("no alert: {error}"))),
    })
}

/// A handshake in exactly one version: the version agreed, or what was on the wire and OpenSSL's error.
type Handshake = Result<String, (Tape, String)>;

fn handshake(broker: &Endpoint, who: &Settings, limit: Duration, version: SslVersion) -> Result<Handshake, String> {
    let connector = connector(who, version).map_err(|error| format!("OpenSSL refuses to offer TLS 1.1: {error}"))?;
    let tcp = connect(broker, limit).map_err(|error| format!("cannot connect to {broker}: {error}"))?;
    let recorder = Recorder { tcp, tape: Tape::default() };
    match connector.connect(&broker.host, recorder) {
        Ok(stream) => Ok(Ok(stream.ssl().version_str().to_owned())),
        Err(HandshakeError::SetupFailure(error)) => Err(format!("OpenSSL can't start: {error}")),
        Err(HandshakeError::Failure(ended) | HandshakeError::WouldBlock(ended)) => {
            Ok(Err((ended.get_ref().tape.clone(), ended.error().to_string())))
        }
    }
}

fn connect(broker: &Endpoint, limit: Duration) -> io::Result<TcpStream> {
    // `localhost` may be IPv6 first; the broker may listen on IPv4 only.
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (broker.host.as_str(), broker.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(tcp) => {
                tcp.set_read_timeout(Some(limit))?;
                tcp.set_write_timeout(Some(limit))?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connector(who: &Settings, version: SslVersion) -> Result<SslConnector, openssl::error::ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_cipher_list("ALL:@SECLEVEL=0")?;
    builder.set_min_proto_version(Some(version))?;
    builder.set_max_proto_version(Some(version))?;
    builder.set_ca_file(&who.ca)?;
    builder.set_certificate_file(&who.certificate, SslFiletype::PEM)?;
    builder.set_private_key_file(&who.key, SslFiletype::PEM)?;
    Ok(builder.build())
}

/// Whether the bytes begin with a ClientHello whose version is TLS 1.1 and which offers nothing
/// newer by extension.
fn offers_only_tls_1_1(sent: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    let is_hello = sent.first() == Some(&HANDSHAKE) && sent.get(5) == Some(&CLIENT_HELLO);
    is_hello
        && sent.get(9..11) == Some(&TLS_1_1[..])
        && extensions(sent).is_some_and(|all| !all.contains(&SUPPORTED_VERSIONS))
}

/// The types of a ClientHello's extensions.
fn extensions(hello: &[u8]) -> Option<Vec<u16>> {
    let byte = |at: usize| hello.get(at).copied().map(usize::from);
    let short = |at: usize| Some(u16::from_be_bytes([*hello.get(at)?, *hello.get(at + 1)?]));
    // Record header (5), handshake header (4), version (2), random (32), then three vectors.
    let mut at = 43;
    at += 1 + byte(at)?;
    at += 2 + usize::from(short(at)?);
    at += 1 + byte(at)?;
    let mut types = Vec::new();
    if at >= hello.len() {
        return Some(types);
    }
    let end = at + 2 + usize::from(short(at)?);
    at += 2;
    while at < end {
        types.push(short(at)?);
        at += 4 + usize::from(short(at + 2)?);
    }
    Some(types)
}

/// The description of the first record if it is an alert in the clear.
fn alert(received: &[u8]) -> Option<u8> {
    const ALERT: u8 = 21;
    match received {
        [ALERT, 3, _, 0, 2, _level, description, ..] => Some(*description),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: [u8; 2], extension: u16) -> Vec<u8> {
        let mut bytes = vec![22, 3, 1, 0, 0, 1, 0, 0, 0];
        bytes.extend(version);
        bytes.extend([0; 32]);
        bytes.extend([0, 0, 2, 0x00, 0x35, 1, 0, 0, 4]);
        bytes.extend(extension.to_be_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn tells_an_offer_of_tls_1_1_from_newer_ones() {
        assert!(offers_only_tls_1_1(&hello([3, 2], 10)));
        assert!(!offers_only_tls_1_1(&hello([3, 3], 10)));
        assert!(!offers_only_tls_1_1(&hello([3, 2], SUPPORTED_VERSIONS)));
        assert!(!offers_only_tls_1_1(&hello([3, 2], 10)[..45]));
        assert!(!offers_only_tls_1_1(b"GET / HTTP/1.1"));
    }

    #[test]
    fn reads_an_alert() {
        assert_eq!(alert(&[21, 3, 3, 0, 2, 2, 70]), Some(70));
        assert_eq!(alert(&[22, 3, 3, 0, 2, 2, 70]), None);
    }
}
