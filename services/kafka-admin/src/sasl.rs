//! SASL: saying who the client is, after TLS and before anything else.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

use crate::connection::{Connection, check};
use crate::error::{Error, Result};
use crate::scram::{Mechanism, ScramClient, ScramError};
use crate::secret::Secret;

/// How the client says who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// SCRAM, which never sends the password.
    Scram(Mechanism, String, Secret),
    /// PLAIN, which does.
    Plain(String, Secret),
}

impl Credentials {
    fn mechanism(&self) -> &'static str {
        match self {
            Self::Scram(mechanism, ..) => mechanism.name(),
            Self::Plain(..) => "PLAIN",
        }
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        match self {
            Self::Scram(_, user, _) | Self::Plain(user, _) => user,
        }
    }
}

impl Connection {
    pub(crate) async fn authenticate(&mut self, credentials: &Credentials) -> Result<()> {
        let mechanism = credentials.mechanism();
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let answer = self.call(&request).await?;
        if answer.error_code == ResponseError::UnsupportedSaslMechanism.code() {
            let offered = answer.mechanisms.iter().map(ToString::to_string).collect();
            return Err(Error::SaslMechanism { to: self.peer().to_owned(), mechanism, offered });
        }
        check(self.peer(), "SaslHandshake", answer.error_code, None)?;
        match credentials {
            Credentials::Plain(user, password) => {
                let token = format!("\0{user}\0{}", password.reveal());
                self.sasl_step(user, token.into_bytes()).await.map(drop)
            }
            Credentials::Scram(mechanism, user, password) => {
                let nonce = nonce()?;
                let mut client = ScramClient::new(*mechanism, user, password.clone(), &nonce);
                let server_first = self.sasl_step(user, client.first().into_bytes()).await?;
                let answer = client.answer(&server_first).map_err(|error| self.distrust(user, &error))?;
                let server_final = self.sasl_step(user, answer.into_bytes()).await?;
                client.check(&server_final).map_err(|error| self.distrust(user, &error))
            }
        }
    }

    async fn sasl_step(&mut self, user: &str, token: Vec<u8>) -> Result<String> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
        let answer = self.call(&request).await?;
        if answer.error_code == ResponseError::SaslAuthenticationFailed.code() {
            let message = answer.error_message.map_or_else(String::new, |text| text.to_string());
            return Err(Error::SaslAuthenticationFailed { to: self.peer().to_owned(), user: user.to_owned(), message });
        }
        check(self.peer(), "SaslAuthenticate", answer.error_code, answer.error_message.as_ref())?;
        String::from_utf8(answer.auth_bytes.to_vec())
            .map_err(|_| Error::protocol(self.peer(), "the SASL answer is not text"))
    }

    fn distrust(&self, user: &str, reason: &ScramError) -> Error {
        Error::SaslServer { to: self.peer().to_owned(), user: user.to_owned(), reason: reason.to_string() }
    }
}

/// 144 random bits as 24 characters that SCRAM allows in a nonce.
fn nonce() -> Result<String> {
    use base64::Engine as _;
    let mut bytes = [0_u8; 18];
    getrandom::fill(&mut bytes).map_err(|error| Error::Config(format!("no random numbers: {error}")))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}
