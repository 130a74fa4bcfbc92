use super::*;

fn test_keys() -> TrustKeys {
    TrustKeys {
        is_test: true,
        accept_simulated: true,
        ..TrustKeys::default()
    }
}

#[test]
fn who_takes_simulated_evidence_shows_some_unless_told_otherwise() {
    assert!(matches!(test_keys().build().unwrap().tee, TeeChoice::ReportData));
    assert!(matches!(
        TrustKeys::default().build().unwrap().tee,
        TeeChoice::None
    ));
    let none = TrustKeys {
        tee: Some("none".into()),
        ..test_keys()
    };
    assert!(matches!(none.build().unwrap().tee, TeeChoice::None));
}

#[test]
fn development_needs_a_directory_and_a_test_network() {
    let keys = |tee: &str, directory: Option<&str>, is_test| TrustKeys {
        tee: Some(tee.into()),
        development_tee: directory.map(Into::into),
        is_test,
        ..TrustKeys::default()
    };
    assert!(keys("development", Some("/tee"), true).build().is_ok());
    let refused = |keys: TrustKeys| keys.build().unwrap_err();
    assert_eq!(
        refused(keys("development", None, true)),
        TrustKeysError::NoDirectory
    );
    assert_eq!(
        refused(keys("development", Some("/tee"), false)),
        TrustKeysError::NeedsTest("tee")
    );
    assert_eq!(
        refused(keys("machine", Some("/tee"), false)),
        TrustKeysError::NeedsTest("development_tee")
    );
    assert_eq!(
        refused(keys("tdx", None, true)),
        TrustKeysError::Tee("tdx".into())
    );
    let production = TrustKeys {
        is_test: false,
        ..test_keys()
    };
    assert_eq!(refused(production), TrustKeysError::SimulatedNeedsTest);
}

#[test]
fn without_a_registry_simulated_evidence_stays_on_this_machine() {
    let keys = |has_registry, listen: [u8; 4]| TrustKeys {
        has_registry,
        listens: vec![("listen_workers", IpAddr::from(listen))],
        ..test_keys()
    };
    assert!(keys(false, [127, 0, 0, 2]).build().is_ok());
    assert!(keys(true, [0, 0, 0, 0]).build().is_ok());
    let refused = keys(false, [0, 0, 0, 0]).build().unwrap_err().to_string();
    assert!(
        refused.starts_with("listen_workers: 0.0.0.0 is not loopback") && refused.contains("hint:"),
        "{refused}"
    );
}

#[test]
fn images_are_hashes() {
    let keys = |images: Vec<String>| TrustKeys {
        worker_images: images,
        ..test_keys()
    };
    let built = keys(vec!["ab".repeat(32)]).build().unwrap();
    assert_eq!(built.worker_images, [[0xab; 32]]);
    let refused = keys(vec!["ab".into()]).build().unwrap_err().to_string();
    assert!(refused.starts_with("worker_images"), "{refused}");
    assert!(keys(vec!["ab".repeat(32); MAX_IMAGES + 1]).build().is_err());
}
