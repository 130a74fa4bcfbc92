use cocoon_types::ModelName;

#[test]
fn models_are_named_as_the_original_names_them() {
    let hash = cocoon_contracts::root::model_hash(&ModelName::new("test-model@0:0").unwrap());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex.len(), 64);
    // `printf test-model@0:0 | sha256sum`
    assert_eq!(
        hex,
        "92a0e466b29094fd188167533c00016d7e926ca78296b78c06e7e7bfa12589bd"
    );
}
