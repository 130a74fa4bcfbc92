use std::path::PathBuf;
use std::time::Duration;

use cocoon_attest::tdx::{TdxPolicy, verify};

use super::*;
use crate::machine::MachineOptions;

#[test]
fn both_kinds_are_asked_alike() {
    let now = 1_795_400_000;
    let development = Arc::new(DevelopmentTee::new(now).unwrap());
    let tee = Tee::Development(Arc::clone(&development), Box::new(Measurements::ZERO));
    let quote = tee.quote(&[9; 64]).unwrap();
    let collateral = development.collateral(now).unwrap();
    let claims = verify(
        &quote,
        &collateral,
        development.root_der(),
        &TdxPolicy::default(),
        now,
    );
    assert_eq!(claims.unwrap().report_data, [9; 64]);

    let nowhere = MachineOptions {
        reports: PathBuf::from("/nonexistent/tsm/report"),
        registers: PathBuf::from("/nonexistent/tdx_guest"),
        timeout: Duration::from_secs(5),
    };
    let tee = Tee::Machine(Arc::new(Machine::new(nowhere).unwrap()));
    let error = tee.quote(&[9; 64]).unwrap_err();
    assert!(matches!(error, TeeError::Machine(MachineError::NoReports(_))));
    assert_eq!(
        error.to_string(),
        "this machine has no report interface at /nonexistent/tsm/report"
    );
}
