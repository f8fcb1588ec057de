//! Kafka's framing: a length, then that many bytes.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Anything a connection runs over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Largest answer accepted.
const MAX_FRAME: usize = 64 << 20;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An answer.
    Body(Bytes),
    /// A TLS alert in the clear: its code. (A TLS port that was spoken to in plain text.)
    Alert(u8),
}

/// Reads one frame.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let mut head = [0_u8; 4];
    stream.read_exact(&mut head).await?;
    if head[..2] == [0x15, 0x03] {
        // A TLS record of type alert: version (2), length (2), level, description.
        let mut rest = [0_u8; 3];
        stream.read_exact(&mut rest).await?;
        return Ok(Frame::Alert(rest[2]));
    }
    let length = usize::try_from(i32::from_be_bytes(head))
        .ok()
        .filter(|length| (4..=MAX_FRAME).contains(length))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame of impossible length"))?;
    // Grown as bytes arrive, not by what the length claims.
    let mut body = BytesMut::new();
    let mut limited = stream.take(length as u64);
    while body.len() < length {
        if limited.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Frame::Body(body.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_a_frame_and_leaves_the_rest() {
        let mut input: &[u8] = b"\0\0\0\x05helloX";
        assert_eq!(read(&mut input).await.unwrap(), Frame::Body(Bytes::from_static(b"hello")));
        assert_eq!(input, b"X");
    }

    #[tokio::test]
    async fn knows_a_tls_alert() {
        let mut input: &[u8] = &[0x15, 3, 3, 0, 2, 2, 40];
        assert_eq!(read(&mut input).await.unwrap(), Frame::Alert(40));
    }

    #[tokio::test]
    async fn refuses_impossible_lengths_and_cut_frames() {
        for bad in [&b"\xff\xff\xff\xff"[..], b"\x7f\xff\xff\xff", b"\0\0\0\x01a"] {
            assert_eq!(read(&mut &*bad).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        for cut in [&b"\0\0"[..], b"\0\0\0\x09abc"] {
            assert_eq!(read(&mut &*cut).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
