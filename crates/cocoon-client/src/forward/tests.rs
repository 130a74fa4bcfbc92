use cocoon_types::{Fault, Refusal};

use super::{may_try_elsewhere, presentable};

#[test]
fn a_peers_words_are_shortened_and_its_faults_are_its_own() {
    let shown = presentable(Refusal::new(
        Fault::Unauthorized,
        format!("a\n{}", "é".repeat(600)),
    ));
    assert_eq!(shown.fault, Fault::ProtocolViolation);
    assert!(shown.message.starts_with("a é") && shown.message.len() < 510);
    assert_eq!(
        presentable(Refusal::new(Fault::Busy, "full")),
        Refusal::new(Fault::Busy, "full")
    );
}

#[test]
fn a_bad_request_is_bad_everywhere() {
    for fault in [
        Fault::InvalidRequest,
        Fault::ContextTooLong,
        Fault::Timeout,
        Fault::EngineFailed,
    ] {
        assert!(!may_try_elsewhere(fault));
    }
    for fault in [
        Fault::Busy,
        Fault::ProxyLost,
        Fault::WorkerLost,
        Fault::UnknownModel,
    ] {
        assert!(may_try_elsewhere(fault));
    }
}
