use cocoon_types::Fault;

use super::*;
use crate::sealed::Step;

/// The text of all parts, or why not.
fn read(unsealer: &mut Unsealer, parts: &[Bytes]) -> Result<Vec<u8>, cocoon_types::Refusal> {
    let mut text = Vec::new();
    for part in parts {
        match unsealer.part(part.clone())? {
            Step::Content(content) => text.extend_from_slice(&content),
            Step::Whole => {}
        }
    }
    if unsealer.usage().is_none() {
        return Err(unsealer.cut());
    }
    Ok(text)
}

fn violated(refusal: &cocoon_types::Refusal, words: &str) {
    assert_eq!(refusal.fault, Fault::ProtocolViolation, "{refusal}");
    assert!(refusal.message.contains(words), "{refusal}");
}

#[tokio::test]
async fn an_honest_exchange_is_whole_agrees_and_leaves_a_session() {
    let mut world = world().await;
    let (mut unsealer, answered) = world.exchange(0);
    let said = unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
    assert_eq!((said.status, said.tier), (200, Tier::Confidential));
    assert_eq!(read(&mut unsealer, &answered.parts).unwrap(), b"onetwothree");
    let concluded = unsealer.conclude(Some(7)).unwrap();
    assert_eq!(concluded.disagreement, None);
    assert_eq!(concluded.ended.receipt.closing.usage.completion(), 7);
    assert!(unsealer.conclude(Some(7)).is_none(), "once");
    // The next request to it is warm: its wrap is a tenth as long.
    let (sealed, _) = world.seal();
    assert!(sealed.wraps[0].len() < 200 && sealed.wraps[1].len() > 1000);
}

#[tokio::test]
async fn parts_that_are_changed_reordered_dropped_doubled_or_of_another_answer_do_not_open() {
    let mut world = world().await;
    let (mut other, others) = world.exchange(0);
    other.head(sealed_answer(&others.head, Vec::new())).unwrap();
    type Tamper = fn(&mut Vec<Bytes>, &[Bytes]);
    let tampers: [(&str, Tamper); 7] = [
        ("changed", |parts, _| {
            let mut part = parts[1].to_vec();
            part[5] ^= 1;
            parts[1] = part.into();
        }),
        ("reordered", |parts, _| parts.swap(0, 1)),
        ("dropped", |parts, _| drop(parts.remove(1))),
        ("doubled", |parts, _| parts.insert(1, parts[0].clone())),
        ("of another answer", |parts, others| parts[0] = others[0].clone()),
        ("an end of another answer", |parts, others| {
            parts[3] = others[3].clone()
        }),
        ("an earlier end", |parts, _| parts.swap(2, 3)),
    ];
    for (what, tamper) in tampers {
        let (mut unsealer, mut answered) = world.exchange(0);
        unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
        tamper(&mut answered.parts, &others.parts);
        let refusal = read(&mut unsealer, &answered.parts).expect_err(what);
        violated(&refusal, "does not open");
        assert!(unsealer.conclude(None).is_none(), "{what}");
    }
}

#[tokio::test]
async fn an_answer_without_its_receipt_is_cut_and_nothing_follows_an_end() {
    let mut world = world().await;
    let (mut unsealer, mut answered) = world.exchange(0);
    unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
    let last = answered.parts.pop().unwrap();
    violated(&read(&mut unsealer, &answered.parts).unwrap_err(), "cut");
    assert!(unsealer.part(last).is_err(), "it is over");

    let (mut unsealer, answered) = world.exchange(0);
    unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
    read(&mut unsealer, &answered.parts).unwrap();
    violated(
        &unsealer.part(answered.parts[0].clone()).unwrap_err(),
        "after the end",
    );
}

#[tokio::test]
async fn clear_fields_that_are_changed_make_the_answer_unreadable() {
    let mut world = world().await;
    // Each byte of the head of the answer: request, worker, nonce, status, tier, price, media type.
    let length = world.exchange(0).1.head.len();
    for at in 0..length {
        let (mut unsealer, answered) = world.exchange(0);
        let mut head = answered.head.to_vec();
        head[at] ^= 1;
        let taken = unsealer.head(sealed_answer(&head.into(), Vec::new()));
        let read = taken.and_then(|_| read(&mut unsealer, &answered.parts));
        assert_eq!(read.unwrap_err().fault, Fault::ProtocolViolation, "byte {at}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_sealed_or_of_another_request_is_refused() {
    let mut world = world().await;
    let (mut unsealer, _) = world.exchange(0);
    violated(&unsealer.head(None).unwrap_err(), "not sealed");
    let (_, others) = world.exchange(0);
    let (mut unsealer, _) = world.exchange(0);
    let refusal = unsealer
        .head(sealed_answer(&others.head, Vec::new()))
        .unwrap_err();
    violated(&refusal, "another request");
}

/// What the proxy says of those who were passed over.
type Said<'a> = dyn Fn(&World, &EncodedHead) -> Vec<Bytes> + 'a;

#[tokio::test]
async fn whoever_is_passed_over_must_have_said_so() {
    let mut world = world().await;
    let (unsealer, answered) = world.exchange(1);
    let request = EncodedHead::clone(match &unsealer.state {
        crate::sealed::unseal::State::Asked(pending) => pending.head(),
        _ => unreachable!("it was asked"),
    });
    drop(unsealer);
    let busy = world.refusal(0, &request, Reason::Busy);
    // Each time a new exchange, with what the proxy says of the first candidate.
    let mut say = async |skipped: Option<&Said<'_>>| {
        let (mut sealed, drawn) = world.seal();
        let head = sealed.head.clone();
        let answered = world.serve(1, &mut sealed, |_| {});
        let mut unsealer = Unsealer::new(Arc::clone(&world.board), drawn, sealed.pending);
        let skipped = skipped.map_or_else(Vec::new, |skipped| skipped(&world, &head));
        let taken = unsealer.head(sealed_answer(&answered.head, skipped)).map(|_| ());
        taken.map(|()| unsealer.skipped().to_vec())
    };
    violated(&say(None).await.unwrap_err(), "0 reasons for 1");
    let replayed = say(Some(&|_, _| vec![busy.clone()])).await;
    violated(&replayed.unwrap_err(), "another request");
    let of_another = say(Some(&|world, head| vec![world.refusal(2, head, Reason::Busy)])).await;
    violated(&of_another.unwrap_err(), "another worker");
    let own = say(Some(&|world, head| vec![world.refusal(0, head, Reason::Busy)])).await;
    assert_eq!(own.unwrap(), [Skip::Refused(Reason::Busy)]);
    // A lost link is the proxy's word: it is taken, shown and counted.
    let lost = say(Some(&|_, _| vec![Bytes::new()])).await;
    assert_eq!(lost.unwrap(), [Skip::ClaimedLost]);
    let metrics = world.board.metrics.all.encode();
    assert!(
        metrics.contains("candidates_skipped_total{reason=\"link_lost\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("sealed_violations_total{reason=\"skipped\"} 3"),
        "{metrics}"
    );
    drop(answered);
}

#[tokio::test]
async fn a_forgotten_session_is_forgotten_here_too_and_only_on_the_workers_word() {
    let mut world = world().await;
    let (mut unsealer, answered) = world.exchange(0);
    unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
    read(&mut unsealer, &answered.parts).unwrap();
    for (signer, again) in [(2, None), (0, Some(true))] {
        let (sealed, drawn) = world.seal();
        assert!(sealed.wraps[0].len() < 200, "warm");
        let refusal = world.refusal(signer, &sealed.head, Reason::UnknownSession);
        let mut unsealer = Unsealer::new(Arc::clone(&world.board), drawn, sealed.pending);
        assert_eq!(
            unsealer.refused(Fault::ProtocolViolation, vec![refusal]).ok(),
            again
        );
    }
    let (sealed, _) = world.seal();
    assert!(sealed.wraps[0].len() > 1000, "cold again");
}

/// Each lie of a worker in its receipt is named.
#[tokio::test]
async fn receipts_that_disagree_are_named() {
    let mut world = world().await;
    type Lie = fn(&mut Closing);
    let lies: [(&str, Lie); 7] = [
        ("statement", |it| it.statement = Digest([7; 32])),
        ("model", |it| it.model = Digest([7; 32])),
        ("engine", |it| it.engine = Digest([7; 32])),
        ("evidence", |it| it.evidence = Digest([7; 32])),
        ("engine place", |it| it.engine_place = EnginePlace::Outside),
        ("usage", |it| it.usage = Usage::new(12, 4, 8, 2).unwrap()),
        ("life of the sealing key", |it| it.started = 1),
    ];
    for (field, lie) in lies {
        let (mut sealed, drawn) = world.seal();
        let answered = world.serve(0, &mut sealed, lie);
        let mut unsealer = Unsealer::new(Arc::clone(&world.board), drawn, sealed.pending);
        unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
        read(&mut unsealer, &answered.parts).unwrap();
        let concluded = unsealer.conclude(Some(7)).unwrap();
        assert_eq!(concluded.disagreement.map(|it| it.field), Some(field));
    }
}
