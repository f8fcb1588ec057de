//! Who is logged in. Ids are 256 random bits; only their digests are kept, so that neither a dump of the memory nor the
//! time that a look-up takes gives one away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// How long a session lasts.
pub const LIFETIME: Duration = Duration::from_secs(12 * 3_600);
/// The most sessions; a new one ends the oldest.
const MAX_SESSIONS: usize = 10_000;

/// A session.
#[derive(Debug)]
pub struct Session {
    /// The user's name, if users have names.
    pub user: Option<String>,
    /// When it ends.
    pub until: Instant,
    /// Cancelled when it is ended before that.
    pub ended: CancellationToken,
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Arc<Session>>>);

impl Sessions {
    /// Begins a session, and returns its id.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn begin(&self, user: Option<String>) -> Result<String, String> {
        let id = URL_SAFE_NO_PAD.encode(super::random()?);
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS {
            let now = Instant::now();
            sessions.retain(|_, session| session.until > now);
            let oldest = sessions.iter().min_by_key(|(_, session)| session.until).map(|(digest, _)| *digest);
            if let Some(oldest) = oldest.filter(|_| sessions.len() >= MAX_SESSIONS) {
                end(sessions.remove(&oldest));
            }
        }
        let session = Session { user, until: Instant::now() + LIFETIME, ended: CancellationToken::new() };
        sessions.insert(digest(&id), Arc::new(session));
        Ok(id)
    }

    /// The session with this id, unless it is over.
    pub fn find(&self, id: &str) -> Option<Arc<Session>> {
        let digest = digest(id);
        let mut sessions = self.lock();
        let session = sessions.get(&digest).cloned()?;
        if session.until <= Instant::now() {
            end(sessions.remove(&digest));
            return None;
        }
        Some(session)
    }

    /// Ends a session.
    pub fn end(&self, id: &str) {
        end(self.lock().remove(&digest(id)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(session: Option<Arc<Session>>) {
    if let Some(session) = session {
        session.ended.cancel();
    }
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bound_and_the_oldest_gives_way() {
        let sessions = Sessions::default();
        let first = sessions.begin(None).unwrap();
        let watched = sessions.find(&first).unwrap();
        let second = sessions.begin(Some("ada".to_owned())).unwrap();
        for _ in 2..MAX_SESSIONS {
            sessions.begin(None).unwrap();
        }
        assert!(sessions.find(&first).is_some());
        sessions.begin(None).unwrap();
        assert!(sessions.find(&first).is_none() && watched.ended.is_cancelled());
        assert_eq!(sessions.find(&second).unwrap().user.as_deref(), Some("ada"));
        assert_eq!(second.len(), 43);
        assert!(sessions.find("").is_none());
    }
}
