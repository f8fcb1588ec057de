//! Who may look.
//!
//! - [`users`]: the list of users, and their passwords' hashes.
//! - [`sessions`]: who is logged in.
//! - [`limit`]: how often an address may guess.
//!
//! Tokens and passwords are compared in constant time and are in no log line, no URL and no answer.

pub mod limit;
pub mod sessions;
pub mod users;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use storepulse_platform::Secret;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::error::ApiError;
use limit::Guesses;
use sessions::{Session, Sessions};
use users::Users;

/// Hashing a password takes a core and 19 MiB for a while: no more than so many at a time.
const HASHES_AT_A_TIME: usize = 2;
/// For how long a password that was right in a request is not hashed again.
const PASSWORD_KEEP: Duration = Duration::from_secs(300);
/// The most of them.
const MAX_KEPT: usize = 256;

/// What is asked of whoever wants to look.
#[derive(Clone, Debug)]
pub enum Access {
    /// Nothing.
    Open,
    /// A token that all share.
    Token(Secret),
    /// A name and a password.
    Users(Users),
}

impl Access {
    /// The name in the API.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Token(_) => "token",
            Self::Users(_) => "users",
        }
    }
}

/// What somebody gives to be let in.
pub enum Claim {
    /// The token.
    Token(Secret),
    /// A name and the password.
    Password(String, Secret),
}

/// Somebody who was let in.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The user's name; none with a token, or where nothing is asked.
    pub user: Option<String>,
    /// The session, if there is one.
    pub session: Option<Arc<Session>>,
}

/// See the [module](self).
pub struct Auth {
    access: Access,
    sessions: Sessions,
    guesses: Guesses,
    hashing: Semaphore,
    /// Digests of names with passwords that were right, under a key of this process.
    right: Mutex<Vec<([u8; 32], Instant)>>,
    key: [u8; 32],
}

impl Auth {
    /// Lets in whom `access` says.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn new(access: Access) -> Result<Self, String> {
        Ok(Self {
            access,
            sessions: Sessions::default(),
            guesses: Guesses::default(),
            hashing: Semaphore::new(HASHES_AT_A_TIME),
            right: Mutex::default(),
            key: random()?,
        })
    }

    /// What is asked.
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// The sessions.
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Lets a request in by its session's id or its `Authorization`.
    ///
    /// # Errors
    ///
    /// [`ApiError::Unauthorized`], or [`ApiError::TooMany`] after too many wrong ones from the address.
    pub async fn admit(
        &self,
        cookie: Option<&str>,
        authorization: Option<&str>,
        from: IpAddr,
    ) -> Result<Visitor, ApiError> {
        if matches!(self.access, Access::Open) {
            return Ok(Visitor::default());
        }
        if let Some(session) = cookie.and_then(|id| self.sessions.find(id)) {
            return Ok(Visitor { user: session.user.clone(), session: Some(session) });
        }
        let claim = authorization.and_then(claim).ok_or(ApiError::Unauthorized)?;
        let user = self.check(claim, from, true).await.map_err(|error| match error {
            ApiError::WrongLogIn => ApiError::Unauthorized,
            error => error,
        })?;
        Ok(Visitor { user, session: None })
    }

    /// Begins a session, and returns its id.
    ///
    /// # Errors
    ///
    /// [`ApiError::WrongLogIn`], or [`ApiError::TooMany`] after too many of them from the address.
    pub async fn log_in(&self, claim: Claim, from: IpAddr) -> Result<String, ApiError> {
        let user = self.check(claim, from, false).await?;
        self.sessions.begin(user).map_err(ApiError::Forbidden)
    }

    /// Checks what somebody gives. Returns the user's name, if it is about a user.
    async fn check(&self, claim: Claim, from: IpAddr, may_remember: bool) -> Result<Option<String>, ApiError> {
        if let Some(retry_after) = self.guesses.wait(from, Instant::now()) {
            let message = "too many wrong log-in data from this address".to_owned();
            return Err(ApiError::TooMany { message, retry_after });
        }
        // Counted before it is known, so that many at the same time are no way around.
        self.guesses.wrong(from, Instant::now());
        let is_right = match (&self.access, &claim) {
            (Access::Token(token), Claim::Token(given)) => same(token, given),
            (Access::Users(users), Claim::Password(name, password)) => {
                let digest = self.digest(name, password);
                may_remember && self.was_right(&digest)
                    || self.hash(users, name, password).await && {
                        self.remember(digest);
                        true
                    }
            }
            _ => false,
        };
        if !is_right {
            tracing::warn!(%from, "wrong log-in data");
            return Err(ApiError::WrongLogIn);
        }
        self.guesses.right(from);
        match claim {
            Claim::Token(_) => Ok(None),
            Claim::Password(name, _) => Ok(Some(name)),
        }
    }

    async fn hash(&self, users: &Users, name: &str, password: &Secret) -> bool {
        let Ok(_permit) = self.hashing.acquire().await else { return false };
        let (users, name, password) = (users.clone(), name.to_owned(), password.clone());
        let checked = tokio::task::spawn_blocking(move || users.check(&name, &password)).await;
        checked.unwrap_or(false)
    }

    fn digest(&self, name: &str, password: &Secret) -> [u8; 32] {
        let length = (name.len() as u64).to_be_bytes();
        let parts = [&self.key[..], &length[..], name.as_bytes(), password.expose().as_bytes()];
        parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
    }

    fn was_right(&self, digest: &[u8; 32]) -> bool {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.retain(|(_, since)| since.elapsed() < PASSWORD_KEEP);
        right.iter().any(|(known, _)| bool::from(known.ct_eq(digest)))
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= MAX_KEPT {
            right.remove(0);
        }
        right.push((digest, Instant::now()));
    }
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
fn same(a: &Secret, b: &Secret) -> bool {
    let digest = |secret: &Secret| Sha256::digest(secret.expose().as_bytes());
    digest(a).ct_eq(&digest(b)).into()
}

/// What `Authorization: Bearer …` or `Basic …` says.
fn claim(authorization: &str) -> Option<Claim> {
    let (scheme, rest) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Claim::Token(Secret::new(rest.trim())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(Claim::Password(name.to_owned(), Secret::new(password)))
}

/// 256 random bits.
fn random() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| format!("the system has no random numbers: {e}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const TOKEN: &str = "0123456789abcdef";

    #[tokio::test]
    async fn a_token_opens_by_header_and_by_session() {
        let auth = Auth::new(Access::Token(Secret::new(TOKEN))).unwrap();
        assert_eq!(auth.admit(None, None, HERE).await.unwrap_err().code(), "unauthorized");
        let bearer = format!("bearer {TOKEN}");
        assert!(auth.admit(None, Some(&bearer), HERE).await.unwrap().user.is_none());
        let id = auth.log_in(Claim::Token(Secret::new(TOKEN)), HERE).await.unwrap();
        assert!(auth.admit(Some(&id), None, HERE).await.is_ok());
        auth.sessions().end(&id);
        assert!(auth.admit(Some(&id), None, HERE).await.is_err());
    }

    #[tokio::test]
    async fn after_five_wrong_ones_even_the_right_one_waits_but_sessions_go_on() {
        let auth = Auth::new(Access::Token(Secret::new(TOKEN))).unwrap();
        let id = auth.log_in(Claim::Token(Secret::new(TOKEN)), HERE).await.unwrap();
        for _ in 0..5 {
            let wrong = auth.log_in(Claim::Token(Secret::new("wrong")), HERE).await;
            assert_eq!(wrong.unwrap_err(), ApiError::WrongLogIn);
        }
        let error = auth.admit(None, Some(&format!("Bearer {TOKEN}")), HERE).await.unwrap_err();
        assert_eq!(error.code(), "too_many_requests");
        assert!(auth.admit(Some(&id), None, HERE).await.is_ok());
        let elsewhere = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
        assert!(auth.log_in(Claim::Token(Secret::new(TOKEN)), elsewhere).await.is_ok());
    }

    #[tokio::test]
    async fn users_have_names_and_a_right_password_is_hashed_once() {
        let users = Users::parse(&format!("ada:{}\n", users::hash(&Secret::new("s3cret pass")).unwrap())).unwrap();
        let auth = Auth::new(Access::Users(users)).unwrap();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let admit = async |text: &str| auth.admit(None, Some(&basic(text)), HERE).await;
        assert_eq!(admit("ada:s3cret pass").await.unwrap().user.as_deref(), Some("ada"));
        let began = Instant::now();
        for _ in 0..100 {
            assert!(admit("ada:s3cret pass").await.is_ok());
        }
        assert!(began.elapsed() < Duration::from_secs(1));
        for bad in ["ada:other", "eve:s3cret pass", "ada"] {
            assert!(admit(bad).await.is_err(), "{bad}");
        }
        // A token is no password.
        assert!(auth.log_in(Claim::Token(Secret::new("s3cret pass")), HERE).await.is_err());
    }
}
