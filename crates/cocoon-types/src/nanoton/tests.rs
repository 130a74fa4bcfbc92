use proptest::prelude::*;

use super::*;

#[test]
fn people_read_and_write_ton() {
    assert_eq!(Nanoton::new(50_000_000).to_string(), "0.05 TON");
    assert_eq!(Nanoton::new(15_000_000_000).to_string(), "15 TON");
    assert_eq!(Nanoton::new(96_400).to_string(), "0.0000964 TON");
    assert_eq!("0.05".parse(), Ok(Nanoton::new(50_000_000)));
    assert_eq!("15 TON".parse(), Ok(Nanoton::new(15_000_000_000)));
}

#[test]
fn what_is_not_exactly_an_amount_is_refused() {
    for text in [
        "",
        "-1",
        "+1",
        "1e3",
        ".5",
        "1.",
        "0.0000000001",
        "18446744074",
        "1 000",
        "1,5",
        "TON",
        "٣",
    ] {
        assert_eq!(text.parse::<Nanoton>(), Err(NanotonError), "{text}");
    }
}

#[test]
fn nothing_wraps() {
    let all = Nanoton::new(u64::MAX);
    assert_eq!(all.checked_add(Nanoton::new(1)), None);
    assert_eq!(Nanoton::ZERO.checked_sub(Nanoton::new(1)), None);
    assert_eq!(all.checked_mul(2), None);
    assert_eq!(all.checked_div(Nanoton::ZERO), None);
}

proptest! {
    #[test]
    fn text_comes_back(nano: u64) {
        let amount = Nanoton::new(nano);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }
}
