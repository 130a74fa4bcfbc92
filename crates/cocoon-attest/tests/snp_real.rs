//! A real SEV-SNP report (tests/evidence/README.md): it verifies at its time under the policy that its machine needs, is
//! refused at another time and by the default policy, and no byte of it can be changed.

use cocoon_attest::CertificateFault;
use cocoon_attest::snp::{
    AMD_ROOTS, SnpChain, SnpClaims, SnpFirmware, SnpLink, SnpMeasurements, SnpPlatformRules, SnpPolicy,
    SnpProduct, SnpProductRule, SnpRefusal, SnpTcb, SnpTcbKind, SnpTcbPart, verify,
};

const ASK: &[u8] = include_bytes!("evidence/snp/milan-ask.der");
/// 2024-01-01.
const NOW: u64 = 1_704_067_200;

const REPORT: &[u8] = include_bytes!("evidence/snp/milan-report.bin");
const VCEK: &[u8] = include_bytes!("evidence/snp/milan-vcek.der");
/// First and last second of the VCEK.
const VALID: (u64, u64) = (1_680_549_823, 1_901_474_623);

fn chain() -> SnpChain {
    SnpChain {
        leaf: VCEK.to_vec(),
        intermediate: ASK.to_vec(),
        revocation_lists: Vec::new(),
    }
}

fn verified(policy: &SnpPolicy, now: u64) -> Result<SnpClaims, SnpRefusal> {
    verify(REPORT, &chain(), &AMD_ROOTS, policy, now)
}

/// What this machine of 2023 needs beyond the default: its product line and its old firmware, no revocation list (none was
/// recorded), no alias check (reports of version 2 cannot say it), and whatever guest it was.
fn of_2023() -> SnpPolicy {
    SnpPolicy {
        products: vec![SnpProductRule {
            product: SnpProduct::Milan,
            minimum: SnpTcb {
                fmc: 0,
                bootloader: 3,
                tee: 0,
                snp: 8,
                microcode: 0x73,
            },
            microcode: Vec::new(),
        }],
        require_revocation_list: false,
        minimum_firmware: SnpFirmware {
            major: 1,
            minor: 52,
            build: 4,
        },
        platform: SnpPlatformRules {
            require_alias_check: false,
            ..SnpPlatformRules::default()
        },
        measurements: SnpMeasurements::ByCaller,
        ..SnpPolicy::default()
    }
}

#[test]
fn it_verifies_at_its_time() {
    let claims = verified(&of_2023(), NOW).expect("it is genuine");
    assert_eq!(claims.product, SnpProduct::Milan);
    assert_eq!(claims.measurement, REPORT[0x90..0xc0]);
    assert_eq!(claims.report_data, REPORT[0x50..0x90]);
    assert_eq!(claims.tcbs.reported.microcode, 0x73);
    assert_eq!(claims.expires_at, VALID.1, "the VCEK ends first");
    assert!(!claims.revocation_judged);
    let shown = format!("{claims:?}");
    let id = hex::encode(&REPORT[0x1a0..0x1e0]);
    assert!(!shown.contains(&id[..16]), "the chip id follows a machine");
}

#[test]
fn it_is_refused_at_another_time() {
    let (first, last) = VALID;
    for now in [first, last] {
        assert!(verified(&of_2023(), now).is_ok());
    }
    let at = |of, fault| Err(SnpRefusal::Certificate { of, fault });
    assert_eq!(
        verified(&of_2023(), first - 1),
        at(SnpLink::Leaf, CertificateFault::NotYetValid { not_before: first })
    );
    assert_eq!(
        verified(&of_2023(), last + 1),
        at(SnpLink::Leaf, CertificateFault::Expired { not_after: last })
    );
    // Before AMD had a root of this name.
    let not_before = 1_603_387_385;
    assert_eq!(
        verified(&of_2023(), 1_500_000_000),
        at(SnpLink::Root, CertificateFault::NotYetValid { not_before })
    );
}

/// Each exception of the policy is needed: without it, the named check refuses.
#[test]
fn the_default_policy_refuses_it() {
    let without = |change: fn(&mut SnpPolicy)| {
        let mut policy = of_2023();
        change(&mut policy);
        verified(&policy, NOW)
    };
    assert_eq!(
        verified(&SnpPolicy::default(), NOW),
        Err(SnpRefusal::RevocationListMissing)
    );
    assert_eq!(
        without(|policy| policy.products = SnpPolicy::default().products),
        Err(SnpRefusal::Product(SnpProduct::Milan))
    );
    assert_eq!(
        without(|policy| policy.products = vec![SnpProductRule::milan()]),
        Err(SnpRefusal::ProcessorNotListed(None))
    );
    assert_eq!(
        without(|policy| policy.products[0].minimum.microcode = 0xdb),
        Err(SnpRefusal::Tcb {
            kind: SnpTcbKind::Reported,
            part: SnpTcbPart::Microcode,
            got: 0x73,
            least: 0xdb
        })
    );
    assert!(matches!(
        without(|policy| policy.minimum_firmware.minor = 55),
        Err(SnpRefusal::Firmware { .. })
    ));
    assert_eq!(
        without(|policy| policy.platform = SnpPlatformRules::default()),
        Err(SnpRefusal::Platform("has not checked its memory for aliases"))
    );
    assert_eq!(
        without(|policy| policy.measurements = SnpMeasurements::Listed(Vec::new())),
        Err(SnpRefusal::Measurement)
    );
}

fn refused(report: &[u8], chain: &SnpChain) -> bool {
    verify(report, chain, &AMD_ROOTS, &of_2023(), NOW).is_err()
}

fn changed(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bad = bytes.to_vec();
    bad[at] ^= 1 << (at % 8);
    bad
}

#[test]
fn no_byte_of_the_report_can_be_changed() {
    let chain = chain();
    for at in 0..REPORT.len() {
        assert!(refused(&changed(REPORT, at), &chain), "byte {at}");
        assert!(refused(&REPORT[..at], &chain), "cut at {at}");
    }
    assert!(refused(&[REPORT, &[0]].concat(), &chain));
}

#[test]
fn no_byte_of_the_chain_can_be_changed() {
    let good = chain();
    let with = |leaf: &[u8], intermediate: &[u8]| SnpChain {
        leaf: leaf.to_vec(),
        intermediate: intermediate.to_vec(),
        revocation_lists: Vec::new(),
    };
    for at in 0..VCEK.len() {
        assert!(refused(REPORT, &with(&changed(VCEK, at), ASK)), "VCEK, byte {at}");
        assert!(refused(REPORT, &with(&VCEK[..at], ASK)), "VCEK cut at {at}");
    }
    // Every third byte: half of it is a key, a quarter the signature.
    for at in (0..ASK.len()).step_by(3) {
        assert!(refused(REPORT, &with(VCEK, &changed(ASK, at))), "ASK, byte {at}");
    }
    assert!(refused(REPORT, &with(&[VCEK, &[0]].concat(), ASK)));
    assert!(refused(REPORT, &with(ASK, VCEK)), "in the wrong order");
    assert!(!refused(REPORT, &good));
}

#[test]
fn evidence_of_two_machines_does_not_mix() {
    let mut other = chain();
    other.leaf = include_bytes!("evidence/snp/other-vcek.der").to_vec();
    assert_eq!(
        verify(REPORT, &other, &AMD_ROOTS, &of_2023(), NOW),
        Err(SnpRefusal::HardwareId)
    );
    for roots in [&AMD_ROOTS[1..], &[]] {
        assert_eq!(
            verify(REPORT, &chain(), roots, &of_2023(), NOW),
            Err(SnpRefusal::UnknownRoot)
        );
    }
}
