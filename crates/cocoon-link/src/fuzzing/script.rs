use std::sync::OnceLock;

use bytes::Bytes;
use cocoon_seal::{Digest, EncodedHead, Receipt, SignedRefusal};
use cocoon_tl::{TlObject, v3};
use cocoon_types::{Coefficient, Fault, Refusal, Tier, Usage};

use super::{HELD_PER_STREAM, head, hello, now, peer, written};
use crate::link::{Incoming, Link, Reader};
use crate::{
    AnswerEnd, AnswerEvent, AnswerHead, AnswerReceiver, BodySender, Event, Events, RequestHead, SealedAnswer,
    SealedHead, Serving, Session,
};

/// Bytes of one direction of one stream: each tells its place, so that a lost, doubled or swapped byte shows.
const PERIOD: usize = 251;

/// Well-formed messages of protocol 3 in any order, and in between whatever our own side may do: three bytes a step.
///
/// A stream's bytes must come out as they went in, memory stays within the windows, and a breach ends everything.
pub fn script(data: &[u8]) {
    let Some((mode, steps)) = data.split_first() else {
        return;
    };
    let (link, inbox) = Link::without_tasks(peer());
    let (session, events) = Session::start(link.clone(), inbox, hello(), Fault::WorkerLost);
    let mut side = Side {
        session: session.clone(),
        events,
        exchanges: Vec::new(),
        servings: Vec::new(),
    };
    let mut reader = Reader::bare(link.core());
    let mut peer = Peer {
        reader: &mut reader,
        sent: [0; 16],
        pieces: 0,
    };
    peer.say(&link, &hello_of_peer());
    for step in steps.chunks_exact(3) {
        let (code, stream, size) = (step[0], step[1] % 16, step[2]);
        if code & 1 == 0 {
            peer.step(&link, code >> 1, stream, size);
        } else {
            side.step(code >> 1, stream, size, mode & 1 == 1);
        }
        while let Some(Some(event)) = now(side.events.recv()) {
            if let Event::Request(serving) = event {
                side.servings.push(Taken::new(serving));
            }
        }
        // The writer goes on now and then.
        if size & 3 == 0 {
            written(&link);
        }
        assert!(session.held_bytes() <= HELD_PER_STREAM * 16);
    }
    link.close("the script is over");
    for mut exchange in side.exchanges {
        exchange.drain();
    }
    for serving in side.servings {
        assert!(now(serving.serving.answer.cancelled()).is_some());
    }
    assert_eq!(session.open_streams(), 0);
}

fn hello_of_peer() -> v3::Hello {
    v3::Hello {
        flags: 0,
        capabilities: Vec::new(),
        software: "peer".to_owned().into(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: 0,
    }
}

fn pattern(from: usize, length: usize) -> Bytes {
    // Longer than anything that can come out at once: a window.
    static TABLE: OnceLock<Bytes> = OnceLock::new();
    let table = TABLE.get_or_init(|| (0..=250).cycle().take(1 << 20).collect());
    table.slice(from % PERIOD..from % PERIOD + length)
}

/// A sealed request's head for two candidates.
fn sealed_head(body_bytes: u64) -> Bytes {
    let clear = head();
    let head = cocoon_seal::Head {
        request_id: clear.request_id,
        endpoint: clear.endpoint,
        model: clear.model,
        max_tokens: clear.max_tokens,
        tier: clear.tier,
        padded: false,
        max_coefficient: clear.max_coefficient,
        deadline: 1,
        body_bytes,
        offer: Digest([0; 32]),
        candidates: vec![Digest([1; 32]), Digest([2; 32])],
    };
    head.encode().expect("invariant: a good head").bytes().clone()
}

/// A sealed answer's head; nothing of it can be checked here but its form.
fn sealed_answer(status: u16) -> Bytes {
    let mut bytes = b"cocoon seal v1: answer head\0".to_vec();
    bytes.extend_from_slice(&[3; 96]);
    bytes.extend_from_slice(&status.to_be_bytes());
    bytes.extend_from_slice(&[2, 0, 0, 3, 232, 0, 3]);
    bytes.extend_from_slice(b"a/b");
    bytes.into()
}

/// Sizes from nothing to just above the largest piece.
fn size_of(size: u8) -> usize {
    match size {
        0..=127 => usize::from(size),
        128..=254 => (usize::from(size) - 127) * 500,
        255 => v3::MAX_PIECE + 1,
    }
}

struct Peer<'a, 'b> {
    reader: &'a mut Reader<'b>,
    /// Bytes sent on each stream.
    sent: [usize; 16],
    pieces: i32,
}

impl Peer<'_, '_> {
    fn say(&mut self, link: &Link, message: &impl TlObject) {
        self.pieces += 1;
        let incoming = Incoming::Packet(message.to_boxed());
        match now(self.reader.deliver(incoming)) {
            Some(Ok(())) => {}
            Some(Err(broken)) => link.core().fail(broken),
            None => panic!("the reader waits although the events are read"),
        }
    }

    fn step(&mut self, link: &Link, code: u8, number: u8, size: u8) {
        let stream = i64::from(number);
        match code % 14 {
            0 => {
                self.sent[usize::from(number)] = 0;
                let request = v3::Request {
                    stream,
                    request_id: [0; 32],
                    endpoint: "/v1/embeddings".to_owned().into(),
                    model: "model".to_owned().into(),
                    max_tokens: 1,
                    floor: i32::from(size >> 6),
                    flags: 0,
                    max_coefficient: 1,
                    timeout_ms: 1,
                    body_bytes: i64::from(size) * 4000,
                };
                self.say(link, &request);
            }
            1 | 2 => {
                let data = self.next_bytes(number, size);
                let flags = u32::from(size & 31 == 31);
                self.say(link, &v3::Body { stream, flags, data });
            }
            3 | 4 => {
                let data = self.next_bytes(number, size);
                self.say(link, &v3::Part { stream, data });
            }
            5 => {
                let bytes = (i32::from(size) - 1) * 10_000;
                self.say(link, &v3::Credit { stream, bytes });
            }
            6 => self.say(link, &v3::Cancel { stream }),
            7 => {
                let answer = v3::Answer {
                    stream,
                    status: 200 + i32::from(size),
                    content_type: "a/b".to_owned().into(),
                    tier: i32::from(size & 3),
                    coefficient: i32::from(size) * 1000,
                };
                self.say(link, &answer);
            }
            8 => {
                let end = v3::End {
                    stream,
                    prompt_tokens: i64::from(size),
                    cached_tokens: 3,
                    completion_tokens: 9,
                    reasoning_tokens: 0,
                    engine_ms: 0,
                };
                self.say(link, &end);
            }
            9 => {
                self.sent[usize::from(number)] = 0;
                let request = v3::SealedRequest {
                    stream,
                    head: sealed_head(256 << (size >> 5)),
                    candidate: i32::from(size & 3) - 1,
                    wraps: vec![pattern(0, size_of(size) % 1200); usize::from(size & 3)],
                    timeout_ms: i32::from(size),
                };
                self.say(link, &request);
            }
            10 => {
                let answer = v3::SealedAnswer {
                    stream,
                    head: sealed_answer(200 + u16::from(size) * 2),
                    skipped: vec![Bytes::new(); usize::from(size >> 4)],
                };
                self.say(link, &answer);
            }
            11 => {
                let receipt = pattern(0, Receipt::BYTES - usize::from(size & 1));
                self.say(link, &v3::Receipt { stream, receipt });
            }
            12 => {
                let refuse = v3::SealedRefuse {
                    stream,
                    code: i32::from(size),
                    message: "no".to_owned().into(),
                    skipped: vec![
                        pattern(0, SignedRefusal::BYTES - usize::from(size & 1));
                        usize::from(size >> 4)
                    ],
                };
                self.say(link, &refuse);
            }
            _ => {
                let message = "no".to_owned().into();
                let code = i32::from(size);
                self.say(
                    link,
                    &v3::Refuse {
                        stream,
                        code,
                        message,
                    },
                );
            }
        }
    }

    fn next_bytes(&mut self, stream: u8, size: u8) -> Bytes {
        let sent = &mut self.sent[usize::from(stream)];
        let data = pattern(*sent, size_of(size));
        *sent += data.len();
        data
    }
}

struct Side {
    session: Session,
    events: Events,
    exchanges: Vec<Asked>,
    servings: Vec<Taken>,
}

/// An exchange of ours, its halves dropped one by one.
struct Asked {
    body: Option<BodySender>,
    answer: Option<AnswerReceiver>,
    received: usize,
}

/// A request of the peer.
struct Taken {
    serving: Serving,
    received: usize,
}

impl Side {
    fn step(&mut self, code: u8, number: u8, size: u8, asks: bool) {
        if asks {
            self.ask(code, usize::from(number), size);
        } else {
            self.serve(code, usize::from(number), size);
        }
    }

    fn ask(&mut self, code: u8, number: usize, size: u8) {
        if code.is_multiple_of(6) && self.exchanges.len() < 15 {
            let head = if size & 1 == 0 {
                RequestHead {
                    body_bytes: u64::from(size) * 4000,
                    ..head()
                }
            } else {
                let head = EncodedHead::decode(sealed_head(256 << (size >> 5)));
                let sealed = SealedHead {
                    head: head.expect("invariant: our own head"),
                    candidate: 0,
                    wraps: vec![pattern(0, 98); 2],
                };
                RequestHead::of_sealed(sealed, std::time::Duration::from_secs(1))
            };
            if let Some(Ok(exchange)) = now(self.session.open(head)) {
                let (body, answer) = exchange.split();
                self.exchanges.push(Asked {
                    body: Some(body),
                    answer: Some(answer),
                    received: 0,
                });
            }
            return;
        }
        let Some(asked) = self.exchanges.get_mut(number) else {
            return;
        };
        match code % 6 {
            1 => {
                if let Some(body) = &mut asked.body {
                    now(body.send(pattern(0, size_of(size)), size & 15 == 15));
                }
            }
            2 | 3 => asked.next(),
            4 => asked.body = None,
            _ if size > 200 => asked.answer = None,
            _ => {
                if let Some(answer) = &mut asked.answer {
                    now(answer.head());
                }
            }
        }
    }

    fn serve(&mut self, code: u8, number: usize, size: u8) {
        if number >= self.servings.len() {
            return;
        }
        let taken = &mut self.servings[number];
        let answer = &mut taken.serving.answer;
        match code % 6 {
            0 => {
                // Now and then of the wrong kind, which is refused here.
                let sealed = taken.serving.head.sealed.is_some() != (size > 240);
                let head = AnswerHead {
                    status: 200,
                    content_type: "a/b".into(),
                    tier: Tier::Open,
                    coefficient: Coefficient::ONE,
                    sealed: sealed.then(|| SealedAnswer {
                        head: sealed_answer(200),
                        skipped: Vec::new(),
                    }),
                };
                now(answer.head(head));
            }
            1 => {
                now(answer.part(pattern(0, size_of(size))));
            }
            2 | 3 => taken.next(),
            4 if size > 200 => {
                let refusal = Refusal::new(Fault::Busy, "busy");
                now(self.servings.swap_remove(number).serving.answer.refuse(refusal));
            }
            5 if size > 200 => {
                let end = AnswerEnd {
                    usage: Usage::default(),
                    engine_time: std::time::Duration::ZERO,
                    receipt: None,
                };
                now(self.servings.swap_remove(number).serving.answer.end(end));
            }
            _ if size > 250 => drop(self.servings.swap_remove(number)),
            _ => {}
        }
    }
}

impl Asked {
    fn next(&mut self) {
        if let Some(answer) = &mut self.answer
            && let Some(Ok(AnswerEvent::Part(part))) = now(answer.next())
        {
            assert!(part == pattern(self.received, part.len()));
            self.received += part.len();
        }
    }

    /// After the link's end nobody is left waiting, and what had come is all there.
    fn drain(&mut self) {
        let Some(answer) = &mut self.answer else {
            return;
        };
        loop {
            match now(answer.next()) {
                Some(Ok(AnswerEvent::Part(part))) => {
                    assert!(part == pattern(self.received, part.len()));
                    self.received += part.len();
                }
                Some(Ok(AnswerEvent::End(_)) | Err(_)) => return,
                None => panic!("an answer is waited for on a dead link"),
            }
        }
    }
}

impl Taken {
    fn new(serving: Serving) -> Self {
        Self { serving, received: 0 }
    }

    fn next(&mut self) {
        if let Some(Ok(Some(piece))) = now(self.serving.body.next()) {
            assert!(piece == pattern(self.received, piece.len()));
            self.received += piece.len();
        }
    }
}
