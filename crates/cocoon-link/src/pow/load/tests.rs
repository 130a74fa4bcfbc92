use std::time::Duration;

use tokio::time::advance;

use super::*;

fn options(at_once: usize, at_once_per_source: usize) -> HandshakeOptions {
    HandshakeOptions {
        at_once,
        at_once_per_source,
        ..HandshakeOptions::default()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(base: u8, in_flight: usize, per_second: u32) -> u8 {
    difficulty(
        base,
        Load {
            in_flight,
            at_once: 100,
            per_second,
        },
    )
}

#[test]
fn the_difficulty_rises_with_the_load() {
    for (in_flight, per_second, expected) in [
        (1, 1, 20),
        (24, 49, 20),
        (25, 1, 21),
        (50, 1, 22),
        (75, 1, 23),
        (100, 1, 23),
        (1, 50, 21),
        (1, 99, 21),
        (1, 100, 22),
        (1, 200, 23),
        (1, 400, 24),
        (50, 50, 22),
        // Never more than an honest dialler can do in time.
        (100, u32::MAX, 24),
        (usize::MAX, 1, 23),
    ] {
        assert_eq!(
            at(20, in_flight, per_second),
            expected,
            "{in_flight} {per_second}"
        );
    }
}

#[test]
fn what_is_configured_is_the_least() {
    assert_eq!(at(0, 100, u32::MAX), 0);
    assert_eq!(at(1, 1, 1), 1);
    assert_eq!(at(26, 1, 1), 26);
    assert_eq!(at(26, 100, 10_000), 26);
    assert_eq!(at(u8::MAX, 100, 10_000), u8::MAX);
    let no_room = Load {
        in_flight: 1,
        at_once: 0,
        per_second: 1,
    };
    assert_eq!(difficulty(20, no_room), 23);
}

#[test]
fn the_difficulty_never_falls_when_the_load_rises() {
    for in_flight in 1..100 {
        assert!(at(18, in_flight, 1) <= at(18, in_flight + 1, 1));
    }
    for rate in 1..3000 {
        assert!(at(18, 1, rate) <= at(18, 1, rate + 1));
    }
}

#[tokio::test]
async fn places_are_limited_and_come_back() {
    let load = PowLoad::new(options(3, 2));
    let first = load.admit(ip("10.0.0.1")).unwrap();
    let second = load.admit(ip("10.0.0.1")).unwrap();
    assert_eq!(load.admit(ip("10.0.0.1")).unwrap_err(), Overload::Source);
    let third = load.admit(ip("10.0.0.2")).unwrap();
    assert_eq!(load.admit(ip("10.0.0.3")).unwrap_err(), Overload::Total);
    assert_eq!(load.in_flight(), 3);
    assert_eq!(third.load().in_flight, 3);
    drop(first);
    let fourth = load.admit(ip("10.0.0.1")).unwrap();
    drop((second, third, fourth));
    assert_eq!(load.in_flight(), 0);
    // Nothing is remembered of who has gone.
    assert!(load.state().sources.is_empty());
}

#[tokio::test]
async fn a_limit_of_none_admits_nobody_and_remembers_nobody() {
    let load = PowLoad::new(options(3, 0));
    assert_eq!(load.admit(ip("10.0.0.1")).unwrap_err(), Overload::Source);
    assert!(load.state().sources.is_empty());
}

#[tokio::test]
async fn one_ipv6_host_is_one_source() {
    let load = PowLoad::new(options(9, 1));
    let _first = load.admit(ip("2001:db8:0:1::1")).unwrap();
    assert_eq!(
        load.admit(ip("2001:db8:0:1:ffff::2")).unwrap_err(),
        Overload::Source
    );
    let _other = load.admit(ip("2001:db8:0:2::1")).unwrap();
    let _plain = load.admit(ip("10.0.0.1")).unwrap();
    assert_eq!(load.admit(ip("::ffff:10.0.0.1")).unwrap_err(), Overload::Source);
    let _mapped = load.admit(ip("::ffff:10.0.0.2")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_that_of_about_the_last_second() {
    let load = PowLoad::new(options(1, 1));
    let rate = || {
        load.admit(ip("10.0.0.1"))
            .map_or(0, |admission| admission.load().per_second)
    };
    for count in 1..=60 {
        assert_eq!(rate(), count);
    }
    // The next second begins: what was before counts in full, then fades.
    advance(Duration::from_secs(1)).await;
    assert_eq!(rate(), 61);
    advance(Duration::from_millis(500)).await;
    assert_eq!(rate(), 32);
    advance(Duration::from_millis(499)).await;
    assert_eq!(rate(), 3);
    // After a pause nothing is left.
    advance(Duration::from_secs(5)).await;
    assert_eq!(rate(), 1);
}
