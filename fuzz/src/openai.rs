//! `cocoon-openai`: request bodies, streams of events, usage.

use bytes::Bytes;
use cocoon_openai::{RequestBody, SseEvent, SseReader, UsageMeter, fold_name, usage_of};
use cocoon_types::Endpoint;
use serde_json::Value;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("openai_body", body),
    ("openai_meter", meter),
    ("openai_sse", sse),
    ("openai_usage", usage),
];

/// A request body: the first byte chooses the endpoint, the rest is the body.
pub fn body(data: &[u8]) {
    let Some((first, text)) = data.split_first() else {
        return;
    };
    let endpoint = Endpoint::ALL[usize::from(*first) % Endpoint::ALL.len()];
    let text = Bytes::copy_from_slice(text);
    let mut body = match RequestBody::parse(endpoint, &text) {
        Ok(body) => body,
        Err(refusal) => {
            assert!(refusal.fault.http_status() < 500);
            return;
        }
    };
    let same = RequestBody::parse(endpoint, &body.to_bytes()).expect("what was written is accepted");
    assert_eq!(same.to_bytes(), body.to_bytes());
    assert_eq!((same.model(), same.is_stream()), (body.model(), body.is_stream()));
    assert_eq!(
        (same.token_limit(), same.choices()),
        (body.token_limit(), body.choices())
    );
    assert_eq!(same.wants_usage_chunk(), body.wants_usage_chunk());
    assert!(body.choices() >= 1 && !body.model().is_empty());

    let had_cocoon = body.field("cocoon").is_some();
    if body.take_cocoon().is_err() {
        assert!(had_cocoon);
    }
    // What serde_json cannot hold (half surrogate pairs, huge numbers) still passes as bytes, but cannot be compared.
    let before = serde_json::from_slice::<Value>(&body.to_bytes());
    let agreed = body.worst_case_tokens().unwrap_or(u32::MAX >> 1);
    if body.agree("agreed/model", agreed).is_err() {
        assert!(agreed < body.choices());
        return;
    }
    let sent = RequestBody::parse(endpoint, &body.to_bytes()).expect("what was agreed is accepted");
    assert_eq!(sent.model(), "agreed/model");
    assert!(sent.field("cocoon").is_none());
    if endpoint.generates() {
        let each = sent.token_limit().expect("a limit is set");
        assert!(u64::from(each) * u64::from(sent.choices()) <= u64::from(agreed));
        assert!(!sent.is_stream() || sent.wants_usage_chunk());
        assert!(sent.field("max_completion_tokens").is_none());
    }
    let (Ok(before), Ok(after)) = (before, serde_json::from_slice::<Value>(&sent.to_bytes())) else {
        return;
    };
    for (name, value) in before.as_object().expect("an object") {
        let governed = ["model", "max_tokens", "max_completion_tokens", "stream_options"];
        if !governed.contains(&fold_name(name).as_ref()) {
            assert_eq!(after.get(name), Some(value), "an unknown member was changed");
        }
    }
}

/// A stream of events: two bytes choose where it is split, the rest is the stream.
pub fn sse(data: &[u8]) {
    let Some((cuts, stream)) = data.split_first_chunk::<2>() else {
        return;
    };
    let (whole, left) = read(&[stream]);
    let joined = [whole.concat(), left.clone()].concat();
    let expected = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    // A stream of nothing but half a byte order mark is what is left of it.
    assert_eq!(joined, expected, "bytes were lost or made up");
    for pieces in [split(stream, cuts), stream.chunks(1).collect()] {
        let (events, rest) = read(&pieces);
        // A line feed that follows a split carriage return moves over the border; the data does not.
        assert_eq!([events.concat(), rest].concat(), joined);
        assert_eq!(data_of(&events), data_of(&whole));
    }
}

fn read(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut reader = SseReader::default();
    let mut events = Vec::new();
    for piece in pieces {
        let batch = reader
            .push(Bytes::copy_from_slice(piece))
            .expect("inputs are shorter than the limit");
        let mut from = 0;
        for (range, _) in batch.events() {
            assert!(range.start == from && range.end > range.start);
            from = range.end;
            events.push(batch.bytes()[range].to_vec());
        }
        assert_eq!(from, batch.bytes().len());
    }
    (events, reader.finish().to_vec())
}

fn data_of(events: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
    events
        .iter()
        .map(|event| SseEvent::of(event).data().map(|data| data.to_vec()))
        .collect()
}

fn split<'a>(stream: &'a [u8], cuts: &[u8; 2]) -> Vec<&'a [u8]> {
    let first = usize::from(cuts[0]).min(stream.len());
    let second = first + usize::from(cuts[1]).min(stream.len() - first);
    vec![&stream[..first], &stream[first..second], &stream[second..]]
}

/// An engine's answer: two bytes choose where it is split, the rest is the answer.
pub fn meter(data: &[u8]) {
    let Some((cuts, answer)) = data.split_first_chunk::<2>() else {
        return;
    };
    for keep in [true, false] {
        let (passed, end) = measure(UsageMeter::stream(keep), &[answer]);
        for pieces in [split(answer, cuts), answer.chunks(1).collect()] {
            let (again, same) = measure(UsageMeter::stream(keep), &pieces);
            assert!(same.usage == end.usage && same.complete == end.complete && same.chunks == end.chunks);
            // Of a dropped event, a stray line feed may stay or go with the split; it says nothing.
            let plain =
                |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().filter(|byte| *byte != b'\n').collect() };
            assert_eq!(plain(&again), plain(&passed));
        }
        if keep {
            let (events, _) = read(&[answer]);
            assert!(
                passed.starts_with(&events.concat()),
                "who asked for the usage sees every event"
            );
        }
    }
    let mut meter = UsageMeter::whole();
    for piece in split(answer, cuts) {
        let passed = meter
            .push(Bytes::copy_from_slice(piece))
            .expect("inputs are shorter than the limit");
        assert!(passed.is_empty());
    }
    match meter.finish() {
        Ok(metered) => assert_eq!(metered.rest, answer),
        Err(_) => assert!(serde_json::from_slice::<serde_json::Map<String, Value>>(answer).is_err()),
    }
}

fn measure(mut meter: UsageMeter, pieces: &[&[u8]]) -> (Vec<u8>, cocoon_openai::Metered) {
    let mut passed = Vec::new();
    for piece in pieces {
        let bytes = meter
            .push(Bytes::copy_from_slice(piece))
            .expect("inputs are shorter than the limit");
        passed.extend_from_slice(&bytes);
    }
    let end = meter.finish().expect("a stream has an end");
    passed.extend_from_slice(&end.rest);
    (passed, end)
}

/// A usage object.
pub fn usage(data: &[u8]) {
    let Some(usage) = usage_of(data) else {
        return;
    };
    assert!(usage.cached() <= usage.prompt() && usage.reasoning() <= usage.completion());
    assert!(data.starts_with(b"{"), "only an object is a usage");
}
