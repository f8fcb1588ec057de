//! As much of an HTTP client as asking a program on this machine for a page takes.

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
        // The emulator does not close the connection either, though asked to.
        if read == 0 || is_whole(&answer) {
            return parse(&answer);
        }
        if answer.len() > LARGEST {
            return None;
        }
    }
}

/// Is everything there that the header of an answer announces? Without a length it is not until the connection ends.
pub fn is_whole(answer: &[u8]) -> bool {
    let Some((head, body)) = split(answer) else { return false };
    if is_chunked(&head) {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// The status and body of a whole answer; `None` when it is none.
pub fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let (head, body) = split(answer)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = if is_chunked(&head) { join_chunks(body)? } else { body.to_vec() };
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

/// The head in lower case, and the body.
fn split(answer: &[u8]) -> Option<(String, &[u8])> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), &answer[end + 4..]))
}

fn is_chunked(head: &str) -> bool {
    head.lines().any(|line| line.strip_prefix("transfer-encoding:").is_some_and(|coding| coding.trim() == "chunked"))
}

/// The body of `size in hex, line break, so many bytes, line break, …`; `None` when it is cut short.
fn join_chunks(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|bytes| bytes == b"\r\n")?;
        let size = std::str::from_utf8(&chunks[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let rest = &chunks[end + 2..];
        body.extend_from_slice(rest.get(..size)?);
        chunks = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_all_that_is_announced_is_there() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n";
        assert!(is_whole(answer) && !is_whole(&answer[..answer.len() - 1]));
        assert_eq!(parse(answer), Some((503, "no\n".to_owned())));
        assert_eq!((parse(b"nonsense"), is_whole(b"nonsense")), (None, false));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nwho knows"));
    }

    #[test]
    fn chunks_are_joined_even_if_one_ends_within_a_letter() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\u{c3}";
        let mut answer = chunked.as_bytes()[..chunked.len() - 1].to_vec();
        answer.extend_from_slice(b"\r\n2;x=y\r\n\xa9c\r\n0\r\n\r\n");
        assert!(is_whole(&answer) && !is_whole(&answer[..answer.len() - 2]));
        assert_eq!(parse(&answer), Some((200, "a\u{e9}c".to_owned())));
        assert_eq!(parse(&answer[..answer.len() - 12]), None);
    }
}
