//! One connection to one broker: TCP or TLS, SASL, then requests and answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::sasl::Credentials;
use crate::wire::{self, Frame, Stream};

/// What protects the bytes.
#[derive(Clone)]
pub enum Transport {
    /// Nothing.
    Plaintext,
    /// TLS with this configuration (see [`tls::client_config`](crate::tls::client_config)).
    Tls(Arc<rustls::ClientConfig>),
}

/// Everything about a connection but the address.
#[derive(Clone)]
pub struct ConnectOptions {
    /// TLS or not.
    pub transport: Transport,
    /// SASL, if any.
    pub credentials: Option<Credentials>,
    /// The name the broker logs.
    pub client_id: String,
    /// The longest any single step (connecting, a handshake, a request) may take.
    pub time_limit: Duration,
    /// How long to listen for an alert after the TLS handshake before sending anything. In TLS 1.3
    /// a broker refuses a client certificate after the client's side is done; data sent meanwhile
    /// can reset the connection and lose the alert. Zero for ordinary clients.
    pub settle: Duration,
}

/// An open connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    to: String,
    client_id: String,
    time_limit: Duration,
    next_id: i32,
    versions: HashMap<i16, (i16, i16)>,
}

impl Connection {
    /// Connects, secures, negotiates and authenticates.
    ///
    /// # Errors
    /// Whatever step failed, see [`Error`].
    pub async fn open(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Self> {
        let to = endpoint.to_string();
        let limit = options.time_limit;
        let address = (endpoint.host.as_str(), endpoint.port);
        let tcp = limited(&to, "connecting", limit, async {
            let tcp = TcpStream::connect(address).await;
            tcp.map_err(|source| Error::Io { to: to.clone(), action: "connect to", source })
        })
        .await?;
        let _ = tcp.set_nodelay(true);
        let stream: Box<dyn Stream> = match &options.transport {
            Transport::Plaintext => Box::new(tcp),
            Transport::Tls(config) => {
                let name = ServerName::try_from(endpoint.host.clone())
                    .map_err(|_| Error::Config(format!("`{}` is not a host name", endpoint.host)))?;
                let handshake = TlsConnector::from(Arc::clone(config)).connect(name, tcp);
                Box::new(
                    limited(&to, "TLS handshake", limit, async {
                        handshake.await.map_err(|error| Error::from_io(&to, "TLS handshake", error))
                    })
                    .await?,
                )
            }
        };
        let mut this = Self {
            stream,
            to,
            client_id: options.client_id.clone(),
            time_limit: limit,
            next_id: 0,
            versions: HashMap::new(),
        };
        if !options.settle.is_zero() {
            this.listen_for_alert(options.settle).await?;
        }
        this.negotiate().await?;
        if let Some(credentials) = &options.credentials {
            this.authenticate(credentials).await?;
        }
        Ok(this)
    }

    /// The broker, as `host:port`.
    pub fn peer(&self) -> &str {
        &self.to
    }

    /// Sends a request in the newest version both sides know, and waits for the answer. The
    /// answer's own error codes are the caller's to look at.
    ///
    /// # Errors
    /// The connection, the time limit or the encoding failed.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response> {
        self.call_at_most(request, i16::MAX).await
    }

    /// As [`Self::call`], in a version no newer than `newest`.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_at_most<R: Request>(&mut self, request: &R, newest: i16) -> Result<R::Response> {
        let name = ApiKey::try_from(R::KEY).map_or_else(|()| R::KEY.to_string(), |key| format!("{key:?}"));
        let unsupported = || Error::Unsupported { to: self.to.clone(), request: name.clone() };
        let (oldest_there, newest_there) = *self.versions.get(&R::KEY).ok_or_else(unsupported)?;
        let version = R::VERSIONS.max.min(newest_there).min(newest);
        if version < oldest_there.max(R::VERSIONS.min) {
            return Err(unsupported());
        }
        self.exchange(request, version).await
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(id)
            .with_client_id(Some(StrBytes::from_string(self.client_id.clone())));
        let mut frame = BytesMut::from(&[0_u8; 4][..]);
        let encode = |frame: &mut BytesMut| {
            header.encode(frame, R::header_version(version))?;
            request.encode(frame, version)
        };
        encode(&mut frame).map_err(|error| Error::protocol(&self.to, format!("cannot encode: {error}")))?;
        let length =
            i32::try_from(frame.len() - 4).map_err(|_| Error::Config("the request is larger than 2 GiB".to_owned()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());

        let mut body = self.send_and_receive(&frame).await?;
        let answer = ResponseHeader::decode(&mut body, R::Response::header_version(version))
            .and_then(|header| Ok((header.correlation_id, R::Response::decode(&mut body, version)?)));
        match answer {
            Err(error) => Err(Error::protocol(&self.to, error)),
            Ok((found, _)) if found != id => Err(Error::protocol(&self.to, format!("answer {found} to request {id}"))),
            Ok((_, answer)) => Ok(answer),
        }
    }

    async fn send_and_receive(&mut self, frame: &[u8]) -> Result<Bytes> {
        const ACTION: &str = "waiting for an answer";
        let Self { stream, to, time_limit, .. } = self;
        limited(to, ACTION, *time_limit, async {
            // A broker that has closed may have said why: a failed write is followed by a read.
            let sent = match stream.write_all(frame).await {
                Ok(()) => stream.flush().await,
                failed => failed,
            };
            match (wire::read(stream).await, sent) {
                (Ok(Frame::Body(body)), _) => Ok(body),
                (Ok(Frame::Alert(code)), _) => Err(Error::TlsAlert { to: to.clone(), alert: code.into() }),
                (Err(error), Ok(())) | (Err(_), Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                    match Error::from_io(to, ACTION, error) {
                        Error::Io { source, .. } => Err(Error::protocol(to, source)),
                        other => Err(other),
                    }
                }
                (Err(error), _) => Err(Error::from_io(to, ACTION, error)),
            }
        })
        .await
    }

    /// Waits for the broker to speak first, which only happens when it refuses.
    async fn listen_for_alert(&mut self, settle: Duration) -> Result<()> {
        let mut byte = [0_u8; 1];
        match tokio::time::timeout(settle, self.stream.read(&mut byte)).await {
            Err(_silence) => Ok(()),
            Ok(Ok(0)) => Err(Error::ConnectionClosed { to: self.to.clone(), action: "after the TLS handshake" }),
            Ok(Ok(_)) => Err(Error::protocol(&self.to, "the broker spoke before it was asked")),
            Ok(Err(error)) => Err(Error::from_io(&self.to, "after the TLS handshake", error)),
        }
    }

    async fn negotiate(&mut self) -> Result<()> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("storepulse"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let answer = self.exchange(&request, 3).await?;
        check(&self.to, "ApiVersions", answer.error_code, None)?;
        self.versions = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(())
    }
}

/// Turns an error code of an answer into an [`Error::Kafka`].
pub(crate) fn check(to: &str, what: impl Into<String>, code: i16, message: Option<&StrBytes>) -> Result<()> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(code) => Err(Error::Kafka {
            to: to.to_owned(),
            what: what.into(),
            code,
            message: message.map(ToString::to_string).filter(|text| !text.is_empty()),
        }),
    }
}

async fn limited<T>(
    to: &str,
    action: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Timeout { to: to.to_owned(), action, limit }),
    }
}
