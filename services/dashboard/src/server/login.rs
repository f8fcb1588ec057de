//! Logging in and out.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use storepulse_platform::Secret;
use zeroize::Zeroizing;

use super::{Peer, Shared};
use crate::auth::sessions::LIFETIME;
use crate::auth::{Access, Claim};
use crate::error::ApiError;

/// The most bytes of a request's body.
const MAX_BODY: usize = 4 * 1024;

/// What `POST /api/login` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    token: Option<Zeroizing<String>>,
    user: Option<String>,
    password: Option<Zeroizing<String>>,
}

/// The cookie's name. With TLS browsers insist that it is this host's own.
const fn cookie_name(has_tls: bool) -> &'static str {
    if has_tls { "__Host-storepulse" } else { "storepulse" }
}

/// The session's id in the request, if there is one.
pub fn cookie(headers: &HeaderMap, has_tls: bool) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie_name(has_tls)).map(|(_, id)| id.to_owned())
}

fn set_cookie(id: &str, seconds: u64, has_tls: bool) -> Option<HeaderValue> {
    let secure = if has_tls { "; Secure" } else { "" };
    let name = cookie_name(has_tls);
    let text = format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The body of a request that changes something. A form of another site can't have this type.
async fn json(headers: &HeaderMap, body: Body) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(ApiError::parameter("Content-Type", kind, "application/json"));
    }
    let bytes = to_bytes(body, MAX_BODY).await;
    let bytes = bytes.map_err(|_| ApiError::parameter("body", "…", &format!("at most {MAX_BODY} bytes")))?;
    Ok(Zeroizing::new(bytes.to_vec()))
}

/// `POST /api/login`.
///
/// # Errors
///
/// Wrong data, or too many of them.
pub async fn log_in(
    State(site): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = json(&parts.headers, body).await?;
    let allowed = match site.auth.access() {
        Access::Users(_) => r#"{"user": "…", "password": "…"}"#,
        _ => r#"{"token": "…"}"#,
    };
    // Not what was given: it may hold a secret.
    let bad =
        || ApiError::BadParameter { parameter: "body", message: format!("the body is not what is allowed: {allowed}") };
    let given: Given = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let claim = match (given.token, given.user, given.password) {
        (Some(token), None, None) => Claim::Token(Secret::new(token.as_str())),
        (None, Some(user), Some(password)) => Claim::Password(user, Secret::new(password.as_str())),
        _ => return Err(bad()),
    };
    if matches!(site.auth.access(), Access::Open) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // Who logs in anew leaves the old session.
    if let Some(id) = cookie(&parts.headers, site.has_tls) {
        site.auth.sessions().end(&id);
    }
    let id = site.auth.log_in(claim, peer.ip()).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(value) = set_cookie(&id, LIFETIME.as_secs(), site.has_tls) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// `POST /api/logout`.
///
/// # Errors
///
/// If it is not JSON, which a form of another site can't be.
pub async fn log_out(State(site): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    json(&parts.headers, body).await?;
    if let Some(id) = cookie(&parts.headers, site.has_tls) {
        site.auth.sessions().end(&id);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(value) = set_cookie("", 0, site.has_tls) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// `GET /api/session`: what is asked for, and who has logged in.
pub async fn session(State(site): State<Shared>, headers: HeaderMap) -> Json<serde_json::Value> {
    let session = cookie(&headers, site.has_tls).and_then(|id| site.auth.sessions().find(&id));
    let access = site.auth.access();
    Json(serde_json::json!({
        "required": !matches!(access, Access::Open),
        "kind": access.kind(),
        "user": session.and_then(|session| session.user.clone()),
    }))
}
