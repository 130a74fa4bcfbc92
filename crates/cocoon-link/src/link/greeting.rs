use bytes::{Bytes, BytesMut};
use cocoon_attest::Side;
use cocoon_tl::{TlObject, frame::write_frame, tcp};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Broken;
use super::pending::random_id;
use crate::LinkLimits;
use crate::frame::FrameReader;

/// A refusal's words that are kept, in bytes; ours have less than half of it.
const MAX_REASON: usize = 512;

/// The first frame of each direction (spec/network.md 1.4), within the limits. Afterwards both sides count from 1.
pub(super) async fn greet(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    side: Side,
    limits: LinkLimits,
) -> Result<FrameReader, Broken> {
    tokio::time::timeout(limits.connected, async {
        let mut frames = FrameReader::new(limits.largest_frame);
        match side {
            Side::Dialler => {
                let connect = tcp::Packet::Connect(tcp::Connect { id: random_id() });
                send(io, &connect).await?;
                // The number that comes back is not compared, as in the original.
                match receive(io, &mut frames).await? {
                    tcp::Packet::Connected(_) => Ok(frames),
                    tcp::Packet::QueryError(refusal) => {
                        Err(Broken::Refused(refusal.message.lossy(MAX_REASON)))
                    }
                    _ => Err(Broken::FirstPacket {
                        expected: "tcp.connected",
                    }),
                }
            }
            Side::Acceptor => match receive(io, &mut frames).await? {
                tcp::Packet::Connect(tcp::Connect { id }) => {
                    send(io, &tcp::Packet::Connected(tcp::Connected { id })).await?;
                    Ok(frames)
                }
                _ => Err(Broken::FirstPacket {
                    expected: "tcp.connect",
                }),
            },
        }
    })
    .await
    .unwrap_or(Err(Broken::GreetingTimeout(limits.connected)))
}

async fn send(io: &mut (impl AsyncWrite + Unpin), packet: &tcp::Packet) -> Result<(), Broken> {
    let mut frame = BytesMut::new();
    write_frame(&mut frame, 0, packet)?;
    io.write_all(&frame).await.map_err(Broken::Write)?;
    io.flush().await.map_err(Broken::Write)
}

async fn receive(io: &mut (impl AsyncRead + Unpin), frames: &mut FrameReader) -> Result<tcp::Packet, Broken> {
    let payload: Bytes = loop {
        if let Some(payload) = frames.next()? {
            break payload;
        }
        if frames.fill(io).await.map_err(Broken::Read)? == 0 {
            return Err(if frames.is_mid_frame() {
                Broken::HalfFrame
            } else {
                Broken::PeerClosed
            });
        }
    };
    tcp::Packet::from_boxed(payload).map_err(Broken::Packet)
}
