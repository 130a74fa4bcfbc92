use proptest::prelude::*;

use super::*;

/// spec/ton.md 13: the wallet's address in both forms.
const RAW: &str = "0:714db5bbc8ee8bbb40f82c233cbe60a92201566d8f6ac1492551d518617ee59d";
const FRIENDLY: &str = "UQBxTbW7yO6Lu0D4LCM8vmCpIgFWbY9qwUklUdUYYX7lna09";

#[test]
fn both_forms_of_the_vector_are_one_address() {
    let address: Address = RAW.parse().unwrap();
    assert_eq!(FRIENDLY.parse(), Ok(address));
    assert_eq!(address.non_bounceable(), FRIENDLY);
    assert_eq!(address.to_string().parse(), Ok(address));
    assert_eq!(serde_json::to_string(&address).unwrap(), format!("\"{address}\""));
}

#[test]
fn every_mistyped_character_is_noticed() {
    for at in 0..FRIENDLY.len() {
        let mut typed = FRIENDLY.to_owned();
        let other = if &FRIENDLY[at..=at] == "A" { "B" } else { "A" };
        typed.replace_range(at..=at, other);
        assert!(typed.parse::<Address>().is_err(), "{typed}");
    }
}

#[test]
fn what_is_no_address_here_says_why() {
    assert_eq!("".parse::<Address>(), Err(AddressError::Form));
    assert_eq!(
        RAW.replace("0:7", "-1:7").parse::<Address>(),
        Err(AddressError::Workchain)
    );
    assert_eq!(
        RAW.replace("0:7", "2:7").parse::<Address>(),
        Err(AddressError::Form)
    );
    assert_eq!(RAW[..65].parse::<Address>(), Err(AddressError::Form));
    assert_eq!("é".repeat(24).parse::<Address>(), Err(AddressError::Form));
    assert_eq!(
        format!("0:{}", "é".repeat(32)).parse::<Address>(),
        Err(AddressError::Form)
    );
    let elsewhere = "Ef8zMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM0vF";
    assert_eq!(elsewhere.parse::<Address>(), Err(AddressError::Workchain));
}

/// The original compares addresses as text, flags included (spec/network.md 6.3).
#[test]
fn the_mark_of_a_test_network_is_taken_from_the_peers_own_address() {
    let address: Address = RAW.parse().unwrap();
    let marked = address.packed(NON_BOUNCEABLE | TEST_ONLY);
    let bounceable_and_marked = address.packed(BOUNCEABLE | TEST_ONLY);
    assert_eq!(address.in_the_form_of(FRIENDLY), FRIENDLY);
    assert_eq!(address.in_the_form_of(&marked), marked);
    assert_eq!(address.in_the_form_of(&bounceable_and_marked), marked);
    for other in ["", "UQ", "é!é!", RAW] {
        assert_eq!(address.in_the_form_of(other), FRIENDLY, "{other}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = text.parse::<Address>();
        let _ = Address::new([7; 32]).in_the_form_of(&text);
    }

    #[test]
    fn text_comes_back(account: [u8; 32]) {
        let address = Address::new(account);
        prop_assert_eq!(address.to_string().parse(), Ok(address));
        prop_assert_eq!(address.non_bounceable().parse(), Ok(address));
    }
}
