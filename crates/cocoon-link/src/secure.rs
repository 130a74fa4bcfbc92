//! From a TCP connection to an attested stream: proof of work, TLS 1.3, appraisal (spec/network.md 1.1, 2, 3).

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cocoon_attest::Side;
use cocoon_types::Tier;
use rustls::CommonState;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::error::{AcceptError, DialError, Step, StreamError};
use crate::options::LinkOptions;
use crate::pow::load::{PowLoad, difficulty};
use crate::pow::{Challenge, Solution};
use crate::standing::{Attested, Standing};

mod last_words;

/// Up to here a search is shorter than handing it to another thread (some tens of microseconds).
const EASY_DIFFICULTY: i32 = 6;

/// Dials `host:port`; the stream that comes back is attested.
///
/// Reading it may end with an error that [`crate::error::is_end`] calls an ordinary end.
pub(crate) async fn connect(
    addr: &str,
    options: &LinkOptions,
) -> Result<(client::TlsStream<TcpStream>, Attested), DialError> {
    let deadline = Instant::now() + options.handshakes.deadline;
    let mut tcp = timeout_at(deadline, TcpStream::connect(addr))
        .await
        .map_err(|_| StreamError::Deadline(Step::Tcp))?
        .map_err(DialError::Tcp)?;
    // Without it Nagle and delayed acknowledgements make each handshake 90 ms long.
    tcp.set_nodelay(true)
        .map_err(|error| StreamError::Io(Step::Tcp, error))?;

    timeout_at(deadline, do_work(&mut tcp, options.pow.max_difficulty))
        .await
        .map_err(|_| StreamError::Deadline(Step::Pow))??;

    // An address, so that no server name is sent (spec/network.md 3.1).
    let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
    let connector = TlsConnector::from(Arc::clone(&options.tls().client));
    let stream = within(deadline, Step::Tls, connector.connect(name, tcp)).await?;
    let (tcp, connection) = stream.get_ref();
    let address = tcp
        .peer_addr()
        .map_err(|error| StreamError::Io(Step::Tcp, error))?;
    let attested = authenticated(connection, Side::Acceptor, address.ip(), options)?;
    Ok((stream, attested))
}

/// Takes a connection that a peer has opened; the stream that comes back is attested.
///
/// Reading it may end with an error that [`crate::error::is_end`] calls an ordinary end.
pub(crate) async fn accept(
    mut tcp: TcpStream,
    options: &LinkOptions,
    load: &PowLoad,
) -> Result<(server::TlsStream<TcpStream>, Attested), AcceptError> {
    let deadline = Instant::now() + options.handshakes.deadline;
    let address = tcp
        .peer_addr()
        .map_err(|error| StreamError::Io(Step::Tcp, error))?;
    let admission = load.admit(address.ip())?;
    tcp.set_nodelay(true)
        .map_err(|error| StreamError::Io(Step::Tcp, error))?;

    let bits = difficulty(options.pow.difficulty, admission.load());
    timeout_at(deadline, demand_work(&mut tcp, bits))
        .await
        .map_err(|_| StreamError::Deadline(Step::Pow))??;

    let acceptor = TlsAcceptor::from(Arc::clone(&options.tls().server));
    let mut stream = within(deadline, Step::Tls, acceptor.accept(tcp)).await?;
    match authenticated(stream.get_ref().1, Side::Dialler, address.ip(), options) {
        Ok(attested) => Ok((stream, attested)),
        Err(error) => {
            last_words::say(&mut stream, &error).await;
            Err(error.into())
        }
    }
}

/// The peer of a finished handshake. Only now has CertificateVerify shown that it holds the key, so only now does the
/// appraisal's result leave this module.
fn authenticated(
    connection: &CommonState,
    side: Side,
    address: IpAddr,
    options: &LinkOptions,
) -> Result<Attested, StreamError> {
    // Both sides demand a certificate, so there is one; none would be refused as malformed.
    let certificate = connection
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map_or(&[][..], |certificate| certificate.as_ref());
    let attested = Standing::take(certificate, side, options).map_err(StreamError::Refused)?;
    let is_simulated = attested.peer.tier() == Tier::Simulated;
    if is_simulated && !options.simulated_beyond_loopback() && !address.to_canonical().is_loopback() {
        return Err(StreamError::SimulatedFromAfar);
    }
    Ok(attested)
}

/// The dialler's part of the proof of work.
pub(crate) async fn do_work(tcp: &mut TcpStream, limit: u8) -> Result<(), DialError> {
    let mut bytes = [0; Challenge::BYTES];
    tcp.read_exact(&mut bytes).await.map_err(pow_failed)?;
    let challenge = Challenge::from_bytes(&bytes)?;
    if challenge.difficulty > i32::from(limit) {
        return Err(DialError::TooMuchWork {
            asked: challenge.difficulty,
            limit,
        });
    }
    let solution = search(challenge).await.ok_or(DialError::Stopped)?;
    tcp.write_all(&solution.to_bytes()).await.map_err(pow_failed)?;
    Ok(())
}

/// The acceptor's part of the proof of work. Reads exactly one message: what follows it belongs to TLS.
async fn demand_work(tcp: &mut TcpStream, bits: u8) -> Result<(), AcceptError> {
    let challenge = Challenge::random(bits).ok_or(AcceptError::Randomness)?;
    tcp.write_all(&challenge.to_bytes()).await.map_err(pow_failed)?;
    let mut bytes = [0; Solution::BYTES];
    tcp.read_exact(&mut bytes).await.map_err(pow_failed)?;
    if challenge.is_solved_by(Solution::from_bytes(&bytes)?) {
        Ok(())
    } else {
        Err(AcceptError::WrongWork)
    }
}

/// Searches on a thread for blocking work; dropping the future stops the search.
async fn search(challenge: Challenge) -> Option<Solution> {
    struct StopOnDrop(Arc<AtomicBool>);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    if challenge.difficulty <= EASY_DIFFICULTY {
        return challenge.search(&stop.0);
    }
    let flag = Arc::clone(&stop.0);
    tokio::task::spawn_blocking(move || challenge.search(&flag))
        .await
        .ok()
        .flatten()
}

pub(crate) async fn within<T>(
    deadline: Instant,
    step: Step,
    future: impl Future<Output = io::Result<T>>,
) -> Result<T, StreamError> {
    timeout_at(deadline, future)
        .await
        .map_err(|_| StreamError::Deadline(step))?
        .map_err(|error| StreamError::of(step, error))
}

fn pow_failed(error: io::Error) -> StreamError {
    StreamError::of(Step::Pow, error)
}

#[cfg(test)]
mod tests;
