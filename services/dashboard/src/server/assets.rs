//! The page: files that `build.rs` put into the program. What is asked for is looked up in a table, so there is no way to any
//! other file.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::error::ApiError;

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    path: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
    etag: &'static str,
}

/// All files, in the order of their paths.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const INDEX: &str = "/index.html";
/// Files whose names change with their content.
const HASHED: &str = "/assets/";

const NOT_BUILT: &str = "The page of the dashboard was not built into this program: run `make web` (it needs Node), and build \
                         the program again. The API works: see docs/dashboard-api.md.\n";

fn find<'a>(assets: &'a [Asset], path: &str) -> Option<&'a Asset> {
    assets.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|at| &assets[at])
}

/// A file; the page itself for a path without an extension, which is one of its views.
pub async fn serve(State(_): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    answer(ASSETS, uri.path(), &headers)
}

fn answer(assets: &[Asset], path: &str, headers: &HeaderMap) -> Response {
    let last = path.rsplit('/').next().unwrap_or_default();
    // Ids may have dots.
    let of_one = ["/products/", "/sessions/"].iter().any(|view| path.starts_with(view));
    let is_view = (of_one || !last.contains('.')) && !path.starts_with(HASHED) && !path.starts_with("/api");
    let asset = find(assets, path).or_else(|| if is_view { find(assets, INDEX) } else { None });
    match asset {
        Some(asset) => send(asset, headers),
        None if is_view && assets.is_empty() => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT)
                .into_response()
        }
        None => ApiError::NotFound("there is no such file".to_owned()).into_response(),
    }
}

fn send(asset: &Asset, headers: &HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let keep = if asset.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = text(header::IF_NONE_MATCH).split(',').any(|etag| etag.trim().trim_start_matches("W/") == asset.etag);
    let takes_gzip = text(header::ACCEPT_ENCODING).split(',').any(|encoding| {
        let mut parts = encoding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    });
    let (bytes, encoding) = match asset.gzip {
        Some(gzip) if takes_gzip => (gzip, Some("gzip")),
        _ => (asset.bytes, None),
    };
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let body = if known { Body::empty() } else { Body::from(bytes) };
    let mut response = (status, [(header::CACHE_CONTROL, keep), (header::ETAG, asset.etag)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(asset.path)));
    if let Some(encoding) = encoding.filter(|_| !known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[Asset] = &[
        Asset { path: "/assets/app-1a.js", bytes: b"let a;", gzip: Some(b"zipped"), etag: "\"1\"" },
        Asset { path: "/index.html", bytes: b"<html>", gzip: None, etag: "\"2\"" },
    ];

    fn told(path: &str, headers: &[(&'static str, &'static str)]) -> (u16, String, String) {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        let response = answer(FILES, path, &headers);
        let text = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        (response.status().as_u16(), text("cache-control"), text("content-encoding"))
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(ASSETS.is_sorted_by_key(|asset| asset.path));
    }

    #[test]
    fn views_are_the_page_and_files_are_themselves() {
        for view in ["/", "/world", "/products/a%2Fb", "/products/a.b", "/sessions/..x", "/index.html"] {
            assert_eq!(told(view, &[]), (200, "no-cache".to_owned(), String::new()), "{view}");
        }
        let immutable = "public, max-age=31536000, immutable".to_owned();
        assert_eq!(told("/assets/app-1a.js", &[]), (200, immutable.clone(), String::new()));
        assert_eq!(told("/assets/app-1a.js", &[("accept-encoding", "br, gzip")]), (200, immutable, "gzip".to_owned()));
        assert_eq!(told("/index.html", &[("if-none-match", "\"2\"")]).0, 304);
    }

    #[test]
    fn what_is_not_in_the_table_is_nowhere() {
        for path in
            ["/assets/../index.html", "/assets/x", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/etc/passwd.txt", "/api"]
        {
            assert_eq!(told(path, &[]).0, 404, "{path}");
        }
        assert_eq!(answer(&[], "/", &HeaderMap::new()).status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
