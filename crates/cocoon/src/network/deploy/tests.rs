use cocoon_types::Multipliers;

#[test]
fn multipliers_are_read_exactly() {
    let read = super::multipliers("1.0, 0.1,8,12.3456").unwrap();
    let expected = Multipliers {
        prompt: 10_000,
        cached: 1_000,
        completion: 80_000,
        reasoning: 123_456,
    };
    assert_eq!(read, expected);
    for bad in [
        "",
        "1,1,1",
        "1,1,1,1,1",
        "1,1,1,-1",
        "1,1,1,1.",
        "1,1,1,.5",
        "1,1,1,0.00001",
        "1,1,1,999999",
        "1,1,1,1e3",
    ] {
        assert!(super::multipliers(bad).is_err(), "{bad}");
    }
}
