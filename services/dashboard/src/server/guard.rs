//! What every request must pass, and what every answer gets.
//!
//! - The `Host` must be an address, `localhost` or a name that is allowed: a name of somebody else that was made to point here
//!   (DNS rebinding) is refused.
//! - Only `GET` and `HEAD`, and `POST` to log in and out. What a browser says comes from another site is refused, unless somebody
//!   follows a link to the page.
//! - Answers say that nothing but this site's own files may run, that nobody may frame it, and that nothing is kept of figures.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Peer, Shared, login};
use crate::error::ApiError;

/// The policy of the page: everything from here, nothing inline, nothing in a frame.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                          connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                          frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Before and after everything.
pub async fn guard(State(site): State<Shared>, request: Request, next: Next) -> Response {
    let is_page = !request.uri().path().starts_with("/api/");
    let response = match check(&site, &request, is_page) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    site.metrics.requests.with_label_values(&[response.status().as_str()]).inc();
    with_headers(response, is_page, site.has_tls)
}

fn with_headers(mut response: Response, is_page: bool, has_tls: bool) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if has_tls {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if !is_page || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn check(site: &Shared, request: &Request, is_page: bool) -> Result<(), ApiError> {
    let headers = request.headers();
    let host =
        host(request).ok_or_else(|| ApiError::Forbidden("the request names no host, or more than one".to_owned()))?;
    if !is_allowed(&host, &site.allowed_hosts) {
        let host: String = host.chars().take(100).collect();
        return Err(ApiError::Forbidden(format!(
            "{host:?} is not a name of this dashboard: allowed are addresses, localhost, and what DASHBOARD_ALLOWED_HOSTS lists"
        )));
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read && (*request.method() != Method::POST || is_page) {
        return Err(ApiError::Forbidden("only GET, HEAD, and POST to log in and out are allowed".to_owned()));
    }
    let cross_site = || Err(ApiError::Forbidden("the request comes from another site".to_owned()));
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match told("sec-fetch-site") {
        // Following a link, or a bookmark.
        Some("cross-site" | "same-site") if is_read && is_page && told("sec-fetch-mode") == Some("navigate") => {}
        Some("cross-site" | "same-site") => return cross_site(),
        _ => {}
    }
    // Browsers say so in every request that is not a plain reading one.
    if let Some(origin) = headers.get(header::ORIGIN)
        && !is_same_origin(origin, &host)
    {
        return cross_site();
    }
    Ok(())
}

/// The host that the request is for, with its port, in lower case.
fn host(request: &Request) -> Option<String> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().to_lowercase());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?.to_lowercase();
    hosts.next().is_none().then_some(host)
}

/// Without the port.
fn name_of(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        return (port.is_empty() || is_port(port.strip_prefix(':')?)).then_some(address);
    }
    match host.rsplit_once(':') {
        Some((name, port)) => is_port(port).then_some(name),
        None => Some(host),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Whether the host is one of ours. An address can't be made to point elsewhere, so it always is.
fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let Some(name) = name_of(host) else { return false };
    name.parse::<IpAddr>().is_ok() || name == "localhost" || allowed.iter().any(|allowed| allowed == name)
}

/// What encrypts in front of the dashboard may have another scheme.
fn is_same_origin(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().unwrap_or_default().to_lowercase();
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    rest == Some(host)
}

/// Before what is for those only who may look.
pub async fn log_in(State(site): State<Shared>, mut request: Request, next: Next) -> Response {
    let visitor = {
        let headers = request.headers();
        let cookie = login::cookie(headers, site.has_tls);
        let Some(Peer(peer)) = request.extensions().get() else { return ApiError::Unauthorized.into_response() };
        site.auth.admit(cookie.as_deref(), authorization(headers), peer.ip()).await
    };
    match visitor {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

/// What is there, but not for this method.
pub async fn wrong_method() -> ApiError {
    ApiError::Forbidden("this method is not allowed here".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_that_are_allowed_are_hosts_and_others_are_not() {
        let allowed = ["dash.example".to_owned()];
        for host in ["localhost", "localhost:8800", "127.0.0.1:8800", "[::1]:8800", "192.0.2.7", "dash.example:443"] {
            assert!(is_allowed(host, &allowed), "{host}");
        }
        for host in ["evil.example", "dash.example.evil", "localhost.evil:8800", "", "[::1", "a:b:c", "127.0.0.1:x"] {
            assert!(!is_allowed(host, &allowed), "{host}");
        }
    }

    #[test]
    fn origins_are_those_of_the_host() {
        let is_same = |origin: &str| is_same_origin(&HeaderValue::from_str(origin).unwrap(), "localhost:8800");
        assert!(is_same("http://localhost:8800") && is_same("https://LOCALHOST:8800"));
        for other in ["null", "http://localhost", "http://evil.example", "http://localhost:8800.evil", "file://"] {
            assert!(!is_same(other), "{other}");
        }
    }
}
