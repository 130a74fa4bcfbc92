//! SEV-SNP evidence of a made-up AMD: what is good verifies under the default policy, and each way to be bad has its own
//! refusal.

mod evidence;
mod policy;
#[path = "../support/mod.rs"]
mod support;

use cocoon_attest::CertificateFault as Fault;
use cocoon_attest::snp::{
    AMD_ROOTS, SnpGuestRules, SnpKeyKind, SnpLink, SnpMeasurements, SnpPlatformRules, SnpPolicy, SnpProduct,
    SnpRefusal as Refusal, verify,
};
use evidence::{CERTIFIED, CHAIN, CONSISTENCY, FORM, REVOCATION};
use policy::{MACHINE, SETTINGS};
use support::snp::{self as snp, SnpDraft, SnpKeys, offset};
use support::x509::ListDraft;

/// A way to be bad and what is said of it.
type Case = (fn(&mut SnpDraft, &mut SnpPolicy), Refusal);

fn policy() -> SnpPolicy {
    SnpPolicy {
        measurements: SnpMeasurements::Listed(vec![snp::MEASUREMENT]),
        ..SnpPolicy::default()
    }
}

const fn at(of: SnpLink, fault: Fault) -> Refusal {
    Refusal::Certificate { of, fault }
}

/// Each case of the tables must end in its refusal.
fn refuses(tables: &[&[Case]]) {
    let keys = SnpKeys::new();
    for (number, (change, refusal)) in tables.iter().copied().flatten().enumerate() {
        let (mut draft, mut policy) = (SnpDraft::good(&keys), policy());
        change(&mut draft, &mut policy);
        let made = draft.make(&keys);
        assert_eq!(
            verify(&made.report, &made.chain, &[&made.root], &policy, snp::NOW),
            Err(*refusal),
            "case {number}"
        );
    }
}

#[test]
fn bad_reports_have_their_refusals() {
    refuses(&[FORM, CONSISTENCY]);
}

#[test]
fn bad_chains_have_their_refusals() {
    refuses(&[CHAIN, CERTIFIED]);
}

#[test]
fn bad_revocation_lists_have_their_refusals() {
    refuses(&[REVOCATION]);
}

#[test]
fn what_the_policy_forbids_has_its_refusal() {
    refuses(&[MACHINE, SETTINGS]);
}

#[test]
fn what_is_good_is_accepted() {
    let keys = SnpKeys::new();
    let made = SnpDraft::good(&keys).make(&keys);
    let mut strict = policy();
    strict.report_data = Some(snp::REPORT_DATA);
    let claims = verify(&made.report, &made.chain, &[&made.root], &strict, snp::NOW).expect("good");
    assert_eq!(claims.key_kind, SnpKeyKind::Vcek);
    assert_eq!(
        claims.expires_at,
        snp::LIST_VALIDITY.end,
        "the list ends before the certificates"
    );
    assert!(claims.revocation_judged);
    // AMD's own roots do not know this AMD: its names are plain, AMD's have six parts.
    assert_eq!(
        verify(&made.report, &made.chain, &AMD_ROOTS, &strict, snp::NOW),
        Err(Refusal::UnknownRoot)
    );
}

/// A provider's key has no chip in it and is accepted only by name.
#[test]
fn loaded_keys_are_accepted_only_by_name() {
    let keys = &SnpKeys::new();
    let mut draft = SnpDraft::good(keys);
    draft.put(offset::KEY_INFO, &[0b100]);
    draft.intermediate.subject = "SEV-VLEK-Genoa".into();
    draft.leaf.issuer = "SEV-VLEK-Genoa".into();
    draft.leaf.subject = "SEV-VLEK".into();
    draft.leaf.extensions.retain(|(name, ..)| *name != snp::amd(&[4]));
    let made = draft.make(keys);
    let ask = |policy: &SnpPolicy| verify(&made.report, &made.chain, &[&made.root], policy, snp::NOW);
    assert_eq!(ask(&policy()), Err(Refusal::LoadedKey));
    let mut by_name = policy();
    by_name.allow_vlek = true;
    let claims = ask(&by_name).expect("allowed");
    assert_eq!((claims.key_kind, claims.chip_id), (SnpKeyKind::Vlek, None));
}

/// The intermediate's list counts too, but does not stand in for the root's.
#[test]
fn both_authorities_may_have_lists() {
    let keys = &SnpKeys::new();
    let draft = SnpDraft::good(keys);
    let mut of_intermediate = ListDraft::new("SEV-Genoa", snp::LIST_VALIDITY);
    let made = draft.make(keys);
    let ask = |lists: Vec<Vec<u8>>| {
        let mut chain = made.chain.clone();
        chain.revocation_lists = lists;
        verify(&made.report, &chain, &[&made.root], &policy(), snp::NOW).map(|claims| claims.expires_at)
    };
    let [of_root] = &made.chain.revocation_lists[..] else {
        panic!("one list");
    };
    of_intermediate.next_update = Some(snp::NOW + 5);
    let good = of_intermediate.sign(&keys.intermediate);
    assert_eq!(ask(vec![good.clone()]), Err(Refusal::RevocationListMissing));
    assert_eq!(ask(vec![of_root.clone(), good.clone()]), Ok(snp::NOW + 5));
    assert_eq!(
        ask(vec![of_root.clone(), good.clone(), good]),
        Err(Refusal::RevocationLists)
    );
    of_intermediate.serials = vec![vec![0]];
    let bad = of_intermediate.sign(&keys.intermediate);
    assert_eq!(
        ask(vec![of_root.clone(), bad]),
        Err(at(SnpLink::RevocationList, Fault::Revoked))
    );
}

#[test]
fn defaults_are_as_documented() {
    let policy = SnpPolicy::default();
    assert!(
        policy
            .products
            .iter()
            .all(|rule| rule.product != SnpProduct::Milan)
    );
    assert_eq!(policy.measurements, SnpMeasurements::Listed(Vec::new()));
    assert!(policy.require_revocation_list && !policy.allow_vlek);
    assert!(!SnpGuestRules::default().allow_debug && SnpPlatformRules::default().require_alias_check);
}
