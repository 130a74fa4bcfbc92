use bytes::Bytes;
use proptest::prelude::*;

use super::{MAX_EVENT_BYTES, SseError, SseEvent, SseReader};

/// Feeds the pieces; gives the raw events and what was left.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut reader = SseReader::default();
    let mut events = Vec::new();
    for piece in pieces {
        let batch = reader.push(Bytes::copy_from_slice(piece)).unwrap();
        events.extend(batch.events().map(|(range, _)| batch.bytes()[range].to_vec()));
        assert_eq!(batch.len(), batch.events().count());
    }
    (events, reader.finish().to_vec())
}

fn data_of(stream: &[u8]) -> Vec<Option<Vec<u8>>> {
    let (events, _) = read([stream]);
    events
        .iter()
        .map(|event| SseEvent::of(event).data().map(|data| data.to_vec()))
        .collect()
}

#[test]
fn every_line_end_closes_an_event() {
    for stream in [
        &b"data: a\n\ndata: b\n\n"[..],
        b"data: a\r\n\r\ndata: b\r\n\r\n",
        b"data: a\r\rdata: b\r\r",
        b"data:a\r\n\ndata:b\n\r\n",
        b"\xef\xbb\xbfdata: a\n\ndata: b\n\n",
    ] {
        assert_eq!(
            data_of(stream),
            [Some(b"a".to_vec()), Some(b"b".to_vec())],
            "{stream:?}"
        );
    }
}

#[test]
fn lines_of_data_join_and_others_are_no_data() {
    assert_eq!(
        data_of(b"data: a\ndata:  b\ndata\n\n"),
        [Some(b"a\n b\n".to_vec())]
    );
    assert_eq!(data_of(b": ping\n\nevent: x\nid: 3\ndatax: y\n\n"), [None, None]);
    let event = SseEvent::of(b"event: error\ndata: {}\n\n");
    assert_eq!(event.kind(), Some(&b"error"[..]));
    assert!(event.has(b"data") && !event.has(b"error"));
}

#[test]
fn a_whole_chunk_passes_without_a_copy() {
    let mut reader = SseReader::default();
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let batch = reader.push(chunk.clone()).unwrap();
    assert_eq!(batch.bytes().as_ptr(), chunk.as_ptr());
    assert_eq!((batch.len(), batch.into_bytes()), (2, chunk));
}

#[test]
fn an_event_without_its_end_is_kept_back() {
    let (events, left) = read([&b"data: a\n\ndata: {\"half"[..]]);
    assert_eq!((events.len(), left.as_slice()), (1, &b"data: {\"half"[..]));
}

#[test]
fn what_never_ends_is_refused_with_bounded_memory() {
    for piece in [&b"x"[..], b": ping\n"] {
        let piece = Bytes::from(piece.repeat(1 << 16));
        let mut reader = SseReader::default();
        let refused = (0..200).find_map(|_| reader.push(piece.clone()).err());
        assert_eq!(refused, Some(SseError::EventTooLong));
        assert_eq!(
            reader.push(Bytes::from_static(b"\n\n")).unwrap_err(),
            SseError::EventTooLong
        );
        assert!(reader.finish().is_empty());
    }
    let one = Bytes::from([vec![b'x'; MAX_EVENT_BYTES], b"\n\n".to_vec()].concat());
    assert!(SseReader::default().push(one.slice(4..)).is_ok());
    assert!(SseReader::default().push(one).is_err());
}

#[test]
fn many_small_events_in_one_chunk_are_no_long_event() {
    let chunk = Bytes::from(b"data: x\n\n".repeat(MAX_EVENT_BYTES / 9 + 2));
    assert!(SseReader::default().push(chunk).is_ok());
}

/// Bytes that matter to the reader, often.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"data: {}".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b":".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// The standard's definition, byte by byte: line ends become line feeds, empty lines close events.
fn by_definition(stream: &[u8]) -> Vec<Option<Vec<u8>>> {
    let text = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut bytes = text.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if(|next| **next == b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            other => lines.last_mut().unwrap().push(other),
        }
    }
    lines.pop();
    let mut events = Vec::new();
    let mut data: Option<Vec<Vec<u8>>> = None;
    for line in lines {
        if line.is_empty() {
            events.push(data.take().map(|lines| lines.join(&b"\n"[..])));
        } else if line == b"data" {
            data.get_or_insert_default().push(Vec::new());
        } else if let Some(value) = line.strip_prefix(b"data:") {
            data.get_or_insert_default()
                .push(value.strip_prefix(b" ").unwrap_or(value).to_vec());
        }
    }
    events
}

proptest! {
    #[test]
    fn splits_change_nothing(stream in stream(), cuts in proptest::collection::vec(0_usize..64, 0..6)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let ends: Vec<usize> = cuts.iter().copied().chain([stream.len()]).collect();
        let starts = [0].into_iter().chain(cuts);
        let pieces: Vec<&[u8]> = starts.zip(ends).map(|(start, end)| &stream[start..end]).collect();

        let (events, left) = read(pieces);
        let joined = [events.concat(), left].concat();
        let expected = if stream.len() >= 3 { stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&stream) } else { &stream };
        prop_assert_eq!(joined.as_slice(), expected);
        let data: Vec<_> = events.iter().map(|event| SseEvent::of(event).data().map(|data| data.to_vec())).collect();
        prop_assert_eq!(data, by_definition(&stream));
    }
}
