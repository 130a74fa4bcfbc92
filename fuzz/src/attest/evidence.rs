//! `cocoon-attest`: evidence of machines.
//!
//! Each target starts from real evidence and lets the input stand in for one part of it. Beside "no panic": what differs
//! from the real part is never accepted.

use cocoon_attest::snp::{
    AMD_ROOTS, SnpChain, SnpFirmware, SnpMeasurements, SnpPlatformRules, SnpPolicy, SnpProductRule, verify,
};

const REPORT: &[u8] = include_bytes!("../../../crates/cocoon-attest/tests/evidence/snp/milan-report.bin");
const VCEK: &[u8] = include_bytes!("../../../crates/cocoon-attest/tests/evidence/snp/milan-vcek.der");
const ASK: &[u8] = include_bytes!("../../../crates/cocoon-attest/tests/evidence/snp/milan-ask.der");

/// Within the validity of the chain.
const NOW: u64 = 1_704_067_200;

/// The first byte says what the rest is: a report, a leaf, an intermediate or a revocation list.
pub fn snp_report(data: &[u8]) {
    let Some((&part, input)) = data.split_first() else {
        return;
    };
    let mut chain = SnpChain {
        leaf: VCEK.to_vec(),
        intermediate: ASK.to_vec(),
        revocation_lists: Vec::new(),
    };
    let (mut report, mut real) = (REPORT, REPORT);
    match part % 4 {
        0 => report = input,
        1 => (chain.leaf, real) = (input.to_vec(), VCEK),
        2 => (chain.intermediate, real) = (input.to_vec(), ASK),
        _ => (chain.revocation_lists, real) = (vec![input.to_vec()], &[]),
    }
    let verified = verify(report, &chain, &AMD_ROOTS, &policy(), NOW);
    assert_eq!(
        verified.is_ok(),
        input == real,
        "only what AMD signed is accepted"
    );
}

/// Lax enough for the machine of the sample.
fn policy() -> SnpPolicy {
    let mut milan = SnpProductRule::MILAN;
    milan.minimum = Default::default();
    SnpPolicy {
        products: vec![milan],
        require_revocation_list: false,
        minimum_firmware: SnpFirmware::default(),
        platform: SnpPlatformRules {
            require_alias_check: false,
            ..SnpPlatformRules::default()
        },
        measurements: SnpMeasurements::ByCaller,
        ..SnpPolicy::default()
    }
}
