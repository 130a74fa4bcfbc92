//! Event logs: what a good one says, and what is said of bad ones.

mod support;

use aws_lc_rs::digest::{SHA384, digest};
use cocoon_attest::event_log::{
    EventLog, EventLogRefusal as Refusal, MAX_EVENT_LOG_BYTES, MAX_EVENTS, Register,
};
use proptest::prelude::*;
use support::event_log::{APPLICATION, LogDraft, VARIABLE, image};

/// A way to be bad and what is said of it.
type Case = (fn(&mut LogDraft), Refusal);

const ALL: [Register; 4] = [Register::Rtmr0, Register::Rtmr1, Register::Rtmr2, Register::Rtmr3];

#[test]
fn a_log_says_which_component_is_in_which_register() {
    let bytes = LogDraft::good().bytes();
    let log = EventLog::parse(&bytes).unwrap();
    let quoted = log.replay();
    let found: Vec<_> = log
        .explain(&quoted, &ALL)
        .unwrap()
        .into_iter()
        .map(|part| (part.register, part.kind, part.name, part.is_name_measured))
        .collect();
    let expected = [
        (
            Register::Rtmr0,
            "EV_EFI_VARIABLE_DRIVER_CONFIG",
            "SecureBoot",
            true,
        ),
        (
            Register::Rtmr1,
            "EV_EFI_BOOT_SERVICES_APPLICATION",
            "\\EFI\\BOOT\\BOOTX64.EFI",
            false,
        ),
        (
            Register::Rtmr0,
            "EV_EFI_ACTION",
            "Calling EFI Application from Boot Option",
            true,
        ),
        (Register::Rtmr3, "EV_IPL", "runtime", true),
    ];
    assert_eq!(
        found,
        expected.map(|(register, kind, name, measured)| (register, kind, name.to_owned(), measured))
    );
}

#[test]
fn registers_are_hashed_up_from_zero() {
    let bytes = LogDraft::good().bytes();
    let log = EventLog::parse(&bytes).unwrap();
    let registers = log.replay();
    let expected = digest(&SHA384, &[[0; 48], [7; 48]].concat());
    assert_eq!(registers.get(Register::Rtmr1), expected.as_ref());
    assert_eq!(registers.get(Register::Rtmr2), &[0; 48]);
    assert_eq!(log.explain(&registers, &ALL).unwrap().len(), 4);
    // The guest extends RTMR3 later: the log explains the others, and tells nothing of that one.
    let mut later = registers;
    later.extend(Register::Rtmr3, &[1; 48]);
    assert_eq!(log.explain(&later, &ALL[..3]).unwrap().len(), 3);
    let register = Register::Rtmr3;
    assert_eq!(log.explain(&later, &ALL), Err(Refusal::Mismatch { register }));
}

#[test]
fn every_way_to_be_bad_has_its_refusal() {
    let cases: [Case; 12] = [
        (
            |log| log.filling = vec![0xff; MAX_EVENT_LOG_BYTES],
            Refusal::TooLarge,
        ),
        (|log| log.algorithms[0] = (0x000b, 32), Refusal::NoSha384),
        (
            |log| log.algorithms[0].1 = 32,
            Refusal::Malformed("list of algorithms"),
        ),
        (
            |log| log.algorithms.push((0x000c, 48)),
            Refusal::Malformed("list of algorithms"),
        ),
        (
            |log| log.algorithms.clear(),
            Refusal::Malformed("list of algorithms"),
        ),
        (
            |log| log.events[1].digests[0].0 = 0x000b,
            Refusal::Algorithm { got: 0x000b },
        ),
        (|log| log.events[1].digests.clear(), Refusal::NoSha384),
        (
            |log| {
                let twice = log.events[1].digests[0].clone();
                log.events[1].digests.push(twice);
            },
            Refusal::Malformed("two digests of one algorithm"),
        ),
        (|log| log.events[1].index = 5, Refusal::Register { got: 5 }),
        (|log| log.events[1].index = 0, Refusal::Register { got: 0 }),
        (|log| log.filling = vec![1], Refusal::Malformed("register")),
        (
            |log| {
                let event = log.events[1].clone();
                log.events.resize(MAX_EVENTS + 2, event);
            },
            Refusal::TooManyEvents,
        ),
    ];
    for (number, (change, refusal)) in cases.into_iter().enumerate() {
        let mut maker = LogDraft::good();
        change(&mut maker);
        assert_eq!(
            EventLog::parse(&maker.bytes()).map(drop),
            Err(refusal),
            "case {number}"
        );
    }
    for bytes in [&[][..], &[0; 64], &[0xff; 64]] {
        assert!(EventLog::parse(bytes).is_err(), "no log at all");
    }
}

#[test]
fn a_cut_or_reordered_log_explains_nothing() {
    let maker = LogDraft::good();
    let bytes = maker.bytes();
    let quoted = EventLog::parse(&bytes).unwrap().replay();
    for end in 0..bytes.len() - maker.filling.len() {
        if let Ok(log) = EventLog::parse(&bytes[..end]) {
            assert!(log.explain(&quoted, &ALL).is_err(), "cut at {end}");
        }
    }
    let mut swapped = LogDraft::good();
    swapped.events.swap(1, 3);
    let bytes = swapped.bytes();
    let register = Register::Rtmr0;
    assert_eq!(
        EventLog::parse(&bytes).unwrap().explain(&quoted, &ALL),
        Err(Refusal::Mismatch { register })
    );
}

#[test]
fn names_are_fit_for_a_terminal() {
    let name_of = |kind: u32, data: &[u8]| {
        let mut draft = LogDraft::good();
        draft.events.truncate(1);
        draft.measured(1, kind, data);
        let bytes = draft.bytes();
        let log = EventLog::parse(&bytes).expect("a log");
        let mut told = log.explain(&log.replay(), &ALL).expect("its own registers");
        told.pop().expect("one event").name
    };
    assert_eq!(name_of(5, b"\x1b[2Jx\xff\0hidden"), "?[2Jx?");
    assert_eq!(name_of(5, &[b'a'; 500]).len(), 128);
    // Lengths that lie.
    for data in [&[0xff; 40][..], &[0; 10]] {
        assert_eq!(name_of(VARIABLE, data), "");
        assert_eq!(name_of(APPLICATION, data), "");
    }
    let mut circle = image("a");
    circle[34] = 0;
    assert_eq!(name_of(APPLICATION, &circle), "", "a node of no length");
}

proptest! {
    /// Whatever changes: no panic, and the log explains the registers only if no digest, register or order changed.
    #[test]
    fn no_measured_byte_can_be_changed(at in 0..800_usize, value: u8) {
        let mut bytes = LogDraft::good().bytes();
        let good = bytes.clone();
        let quoted = EventLog::parse(&good).unwrap().replay();
        let at = at % bytes.len();
        bytes[at] = value;
        let Ok(log) = EventLog::parse(&bytes) else { return Ok(()) };
        if log.explain(&quoted, &ALL).is_ok() {
            let measured = |bytes: &[u8]| -> Vec<_> {
                let log = EventLog::parse(bytes).unwrap();
                log.events().iter().map(|event| (event.register, *event.digest)).collect()
            };
            prop_assert_eq!(measured(&bytes), measured(&good));
        }
    }

    #[test]
    fn bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut log = LogDraft::good().bytes();
        log.truncate(log.len() - 100);
        log.extend(bytes);
        _ = EventLog::parse(&log).map(|log| log.explain(&log.replay(), &ALL).map(drop));
    }
}
