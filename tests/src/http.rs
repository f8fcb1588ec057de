//! As much of an HTTP client as asking a program on this machine takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use storepulse_local::http::{is_whole, parse};

/// Longer than any program here takes to answer, even when the machine is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// The status and body of a request without a body; `None` when there is no whole answer.
pub fn ask(method: &str, address: &str, path: &str) -> Option<(u16, String)> {
    let socket: SocketAddr = address.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&socket, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    // The Firestore emulator takes this token for its administrator's; others ignore it.
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer owner\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut part).ok()?;
        answer.extend_from_slice(&part[..read]);
        // The emulator keeps the connection open, though asked not to.
        if read == 0 || is_whole(&answer) {
            return parse(&answer);
        }
    }
}
