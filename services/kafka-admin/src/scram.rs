//! SCRAM (RFC 5802, RFC 7677) as Kafka speaks it: the client's half, and the stored credential.
//!
//! Pure: no I/O, no clock; the nonce is given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};

use crate::secret::Secret;

/// Fewest iterations a server may ask for (Kafka's own minimum).
const MIN_ITERATIONS: u32 = 4_096;
/// Most iterations a server may ask for, so that a hostile one can't keep the client busy.
const MAX_ITERATIONS: u32 = 1_000_000;

/// The hash that SCRAM runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `SCRAM-SHA-256`.
    Sha256,
    /// `SCRAM-SHA-512`.
    Sha512,
}

impl Mechanism {
    /// The SASL name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The code in Kafka's SCRAM credential requests (KIP-554).
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    fn mac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        fn run<M: Mac + hmac::digest::KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha256 => run::<Hmac<Sha256>>(key, data),
            Self::Sha512 => run::<Hmac<Sha512>>(key, data),
        }
    }

    /// `Hi(password, salt, iterations)`: what a server stores instead of the password.
    pub fn salted_password(self, password: &Secret, salt: &[u8], iterations: u32) -> Vec<u8> {
        let password = password.reveal().as_bytes();
        match self {
            Self::Sha256 => {
                let mut out = [0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out);
                out.to_vec()
            }
            Self::Sha512 => {
                let mut out = [0; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out);
                out.to_vec()
            }
        }
    }
}

/// Why a server's message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A field is missing or can't be read.
    #[error("its SCRAM message lacks a valid `{0}`")]
    Malformed(char),
    /// The nonce doesn't continue ours.
    #[error("its nonce does not continue the client's")]
    Nonce,
    /// The number of iterations is outside 4,096 to 1,000,000.
    #[error("it asks for {0} iterations, outside 4096 to 1000000")]
    Iterations(u32),
    /// The server's signature is wrong: it doesn't know the password.
    #[error("its signature is wrong: it does not know the password")]
    Signature,
    /// The server says why it refuses.
    #[error("it says `{0}`")]
    Refused(String),
}

/// The client's half of one exchange.
pub struct ScramClient {
    mechanism: Mechanism,
    password: Secret,
    nonce: String,
    first_bare: String,
    server_signature: Vec<u8>,
}

impl ScramClient {
    /// Starts an exchange. `nonce` is printable, without commas, fresh and unguessable.
    pub fn new(mechanism: Mechanism, user: &str, password: Secret, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            mechanism,
            password,
            nonce: nonce.to_owned(),
            first_bare: format!("n={user},r={nonce}"),
            server_signature: Vec::new(),
        }
    }

    /// The client's first message.
    pub fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's first message with the proof.
    ///
    /// # Errors
    /// The message is malformed, replayed, or asks for an unreasonable number of iterations.
    pub fn answer(&mut self, server_first: &str) -> Result<String, ScramError> {
        if let Some(reason) = field(server_first, 'e') {
            return Err(ScramError::Refused(reason.to_owned()));
        }
        let nonce = field(server_first, 'r').ok_or(ScramError::Malformed('r'))?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        let salt = field(server_first, 's')
            .and_then(|text| BASE64.decode(text).ok())
            .filter(|salt| !salt.is_empty())
            .ok_or(ScramError::Malformed('s'))?;
        let iterations: u32 =
            field(server_first, 'i').and_then(|text| text.parse().ok()).ok_or(ScramError::Malformed('i'))?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(ScramError::Iterations(iterations));
        }

        let m = self.mechanism;
        let salted = m.salted_password(&self.password, &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = m.mac(&salted, b"Client Key");
        let signature = m.mac(&m.hash(&client_key), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        self.server_signature = m.mac(&m.mac(&salted, b"Server Key"), signed.as_bytes());
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)))
    }

    /// Checks the server's last message: it must know the password too.
    ///
    /// # Errors
    /// The signature is missing or wrong, or the server reports a failure.
    pub fn check(&self, server_final: &str) -> Result<(), ScramError> {
        if let Some(reason) = field(server_final, 'e') {
            return Err(ScramError::Refused(reason.to_owned()));
        }
        let signature =
            field(server_final, 'v').and_then(|text| BASE64.decode(text).ok()).ok_or(ScramError::Malformed('v'))?;
        if self.server_signature.is_empty() || signature != self.server_signature {
            return Err(ScramError::Signature);
        }
        Ok(())
    }
}

fn field(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn client() -> ScramClient {
        ScramClient::new(Mechanism::Sha256, "user", Secret::new("pencil"), NONCE)
    }

    #[test]
    fn follows_the_example_of_rfc_7677() {
        let mut client = client();
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = client.answer(SERVER_FIRST).unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        client.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
    }

    #[test]
    fn refuses_a_server_that_does_not_know_the_password() {
        let mut client = client();
        client.answer(SERVER_FIRST).unwrap();
        assert_eq!(client.check("v=AAAA"), Err(ScramError::Signature));
        assert_eq!(client.check("x=1"), Err(ScramError::Malformed('v')));
        assert_eq!(client.check("e=other-error"), Err(ScramError::Refused("other-error".into())));
        assert_eq!(super::tests::client().check("v="), Err(ScramError::Signature));
    }

    #[test]
    fn refuses_bad_first_messages() {
        let refuse = |message: &str| client().answer(message).unwrap_err();
        assert_eq!(refuse(""), ScramError::Malformed('r'));
        assert_eq!(refuse("r=other,s=AAAA,i=4096"), ScramError::Nonce);
        assert_eq!(refuse(&format!("r={NONCE},s=AAAA,i=4096")), ScramError::Nonce);
        assert_eq!(refuse(&format!("r={NONCE}x,s=!,i=4096")), ScramError::Malformed('s'));
        assert_eq!(refuse(&format!("r={NONCE}x,s=AAAA,i=x")), ScramError::Malformed('i'));
        assert_eq!(refuse(&format!("r={NONCE}x,s=AAAA,i=1")), ScramError::Iterations(1));
        assert_eq!(refuse(&format!("r={NONCE}x,s=AAAA,i=9999999")), ScramError::Iterations(9_999_999));
    }

    #[test]
    fn escapes_user_names() {
        let client = ScramClient::new(Mechanism::Sha512, "a=b,c", Secret::new("x"), "n");
        assert_eq!(client.first(), "n,,n=a=3Db=2Cc,r=n");
    }

    #[test]
    fn salted_password_is_pbkdf2() {
        // RFC 7914, section 11: PBKDF2-HMAC-SHA256("passwd", "salt", 1), first 32 bytes.
        let salted = Mechanism::Sha256.salted_password(&Secret::new("passwd"), b"salt", 1);
        assert_eq!(salted[..4], [0x55, 0xac, 0x04, 0x6e]);
        let salted = Mechanism::Sha512.salted_password(&Secret::new("passwd"), b"salt", 1);
        assert_eq!(salted.len(), 64);
    }
}
