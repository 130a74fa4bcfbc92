//! An answer as a list of things to do, and the body that does them one after another.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Frame;

use super::record::Note;

pub(super) enum Step {
    /// A part of the answer: counted.
    Part(Bytes),
    /// Anything else.
    Send(Bytes),
    Wait(Duration),
    /// Breaks the connection.
    Cut,
    /// Does nothing for ever.
    Hang,
}

/// The steps as a body; it notes how far it came.
pub(super) fn body(steps: Vec<Step>, note: Note) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send {
    futures_util::stream::unfold(
        (VecDeque::from(steps), Some(note)),
        |(mut steps, mut note)| async move {
            loop {
                let Some(step) = steps.pop_front() else {
                    if let Some(note) = note.take() {
                        note.complete();
                    }
                    return None;
                };
                match step {
                    Step::Part(bytes) => {
                        note.as_ref().inspect(|note| note.part());
                        return Some((Ok(Frame::data(bytes)), (steps, note)));
                    }
                    Step::Send(bytes) => return Some((Ok(Frame::data(bytes)), (steps, note))),
                    Step::Wait(pause) => tokio::time::sleep(pause).await,
                    Step::Hang => std::future::pending().await,
                    Step::Cut => {
                        if let Some(note) = note.take() {
                            note.complete();
                        }
                        return Some((Err(io::Error::other("cut as asked for")), (VecDeque::new(), note)));
                    }
                }
            }
        },
    )
}
