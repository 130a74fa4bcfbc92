use serde_json::json;

use super::{Account, Which};

fn account() -> Account {
    let proxy = |name: &str| {
        json!({"proxy": name, "proxy_contract": "EQ", "contract": "EQ", "state": "open", "balance": "1500000000",
            "stake": "10000000", "charged_tokens": 1, "signed_tokens": 2, "used_tokens": 2, "available_tokens": 5,
            "available": "18446744073709551615", "price_per_token": "20", "withdrawable": null})
    };
    let value = json!({"wallet": {"address": "UQ", "balance": "0"}, "proxies": [proxy("a:1"), proxy("b:2")]});
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_whole_range_of_amounts_is_read_and_nothing_else() {
    assert_eq!(account().proxies[0].available.unwrap().0.nano(), u64::MAX);
    for bad in [
        json!("-1"),
        json!("1.5"),
        json!(""),
        json!(7),
        json!("18446744073709551616"),
    ] {
        let value = json!({"wallet": {"address": "UQ", "balance": bad}, "proxies": []});
        assert!(serde_json::from_value::<Account>(value).is_err(), "{bad}");
    }
}

#[test]
fn a_proxy_has_to_be_named_when_there_are_several() {
    let which = |proxy: Option<&str>| Which {
        proxy: proxy.map(str::to_owned),
        no_wait: false,
    };
    let mut account = account();
    assert_eq!(which(Some("b:2")).choose(&account).unwrap().proxy, "b:2");
    assert!(which(Some("c:3")).choose(&account).is_err());
    assert!(which(None).choose(&account).is_err());
    account.proxies.pop();
    assert_eq!(which(None).choose(&account).unwrap().proxy, "a:1");
}
