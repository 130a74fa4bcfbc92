use super::Fault;

#[test]
fn every_fault_survives_the_wire_and_codes_are_unique() {
    for (index, row) in Fault::TABLE.iter().enumerate() {
        assert_eq!(Fault::from_wire_code(row.0.wire_code()), row.0);
        assert_eq!(row.0.code(), row.4, "the first row that names a fault is its row");
        for other in &Fault::TABLE[index + 1..] {
            assert_ne!(row.1, other.1, "wire code used twice");
            assert_ne!(row.4, other.4, "OpenAI code used twice");
        }
    }
}

#[test]
fn an_unknown_wire_code_is_internal_and_never_retried() {
    assert_eq!(Fault::from_wire_code(9999), Fault::Internal);
    assert!(!Fault::from_wire_code(-1).is_retryable_elsewhere());
}

#[test]
fn what_the_caller_did_wrong_is_never_retried() {
    for row in Fault::TABLE.iter().filter(|row| row.2 < 500) {
        assert!(!row.0.is_retryable_elsewhere(), "{:?}", row.0);
    }
}
