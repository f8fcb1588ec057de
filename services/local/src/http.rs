//! As much of an HTTP client as asking a service on this machine for a page takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A page larger than this is not one of ours.
const LARGEST: usize = 16 << 20;

/// The status and body of `GET path`, or `None` when there is no whole answer within `patience`.
pub(crate) async fn get(port: u16, path: &str, patience: Duration) -> Option<(u16, String)> {
    tokio::time::timeout(patience, request(port, path)).await.ok().flatten()
}

async fn request(port: u16, path: &str) -> Option<(u16, String)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).await.ok()?;
    // The emulator does not answer HTTP/1.0.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    loop {
        let read = stream.read_buf(&mut answer).await.ok()?;
        let text = String::from_utf8_lossy(&answer);
        // The emulator does not close the connection either, though asked to.
        if read == 0 || is_whole(&text) {
            return parse(&text);
        }
        if answer.len() > LARGEST {
            return None;
        }
    }
}

/// Is everything there that the header announces?
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    let body = if chunked { join_chunks(body)? } else { body.to_owned() };
    Some((status, body))
}

/// The body of `size in hex, line, size bytes, line, …`; `None` when it is cut short.
fn join_chunks(mut chunks: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(rest.get(..size)?);
        chunks = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_status_and_body() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOk\n";
        assert_eq!(parse(answer), Some((200, "Ok\n".to_owned())));
        assert!(is_whole(answer) && !is_whole(&answer[..answer.len() - 1]));
        assert_eq!(parse("nonsense"), None);
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Some((200, "abc".to_owned())));
    }
}
