//! Real evidence of an H100 (tests/evidence/README.md): it verifies from the time at which its certificates begin, is
//! refused before, and no byte of it can be changed. NVIDIA's device certificates end in the year 9999.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_attest::CertificateFault as Fault;
use cocoon_attest::gpu::{
    GpuClaims, GpuEvidence, GpuLink, GpuMode, GpuPolicy, GpuReference, GpuReferenceValue, GpuRefusal,
    GpuRevocation, GpuShortfall, GpuVerdict, MAX_GPUS, MAX_JSON_BYTES, NVIDIA_DEVICE_ROOT, nonce_in,
    parse_json, verify,
};

const REPORT: &[u8] = include_bytes!("evidence/gpu/hopper-report.bin");
const CHAIN: &str = include_str!("evidence/gpu/hopper-chain.pem");
/// From NVIDIA's manifest for another firmware: index, digests.
const OTHER_FIRMWARE: &str = include_str!("evidence/gpu/firmware-96.00.5e.00.01.txt");
/// 2024-07-01.
const NOW: u64 = 1_719_792_000;
/// 2022-03-01: the youngest certificate, the provisioner's, begins.
const BEGIN: u64 = 1_646_092_800;

/// NVIDIA's JSON form of it.
fn json() -> String {
    format!(
        r#"[{{"arch": "HOPPER", "nonce": "00", "evidence": "{}", "certificate": "{}"}}]"#,
        STANDARD.encode(REPORT),
        STANDARD.encode(CHAIN)
    )
}

fn evidence() -> GpuEvidence {
    let mut list = parse_json(json().as_bytes()).expect("NVIDIA's form");
    list.pop().expect("one GPU")
}

fn nonce() -> [u8; 32] {
    nonce_in(REPORT).expect("a report")
}

fn verified(evidence: &GpuEvidence, policy: &GpuPolicy, now: u64) -> Result<GpuClaims, GpuRefusal> {
    verify(evidence, &nonce(), NVIDIA_DEVICE_ROOT, policy, now)
}

/// Allows exactly what this GPU measures, under its own versions. These are no manifest's values: none was published for
/// this driver and firmware.
fn of_itself(claims: &GpuClaims) -> GpuPolicy {
    let values = |indices: std::ops::Range<u8>| {
        indices
            .map(|index| GpuReferenceValue {
                index,
                allowed: vec![
                    claims.measurements[usize::from(index)][..]
                        .try_into()
                        .expect("SHA-384"),
                ],
            })
            .collect()
    };
    GpuPolicy {
        drivers: vec![GpuReference {
            version: claims.driver.clone(),
            measurements: values(21..41),
        }],
        firmwares: vec![GpuReference {
            version: claims.firmware.to_uppercase(),
            measurements: values(0..20),
        }],
        ..GpuPolicy::default()
    }
}

#[test]
fn it_verifies_and_says_what_it_is() {
    let claims = verified(&evidence(), &GpuPolicy::default(), NOW).expect("it is genuine");
    assert_eq!(claims.driver, "550.90.07");
    assert_eq!(claims.firmware, "96.00.9f.00.01");
    assert_eq!(claims.model, "GH100 A01 GSP BROM");
    assert_eq!(claims.measurements.len(), 64);
    assert_eq!((claims.feature, claims.protected_pcie), (None, false));
    assert_eq!(claims.revocation, GpuRevocation::NotJudged);
    assert_eq!(claims.expires_at, 253_402_300_799, "9999-12-31 23:59:59");
    assert_eq!(
        claims.verdict,
        GpuVerdict::NotAttested(GpuShortfall::Driver),
        "a genuine GPU is not yet an allowed one"
    );
}

#[test]
fn it_counts_only_with_reference_values_and_mode() {
    let mut evidence = evidence();
    let policy = of_itself(&verified(&evidence, &GpuPolicy::default(), NOW).expect("it is genuine"));
    let judge = |evidence: &GpuEvidence, policy: &GpuPolicy| {
        verified(evidence, policy, NOW).expect("it is genuine").verdict
    };
    assert_eq!(
        judge(&evidence, &policy),
        GpuVerdict::NotAttested(GpuShortfall::ModeUnknown),
        "the report does not say it"
    );
    evidence.mode = GpuMode::Confidential;
    assert_eq!(judge(&evidence, &policy), GpuVerdict::Attested);
    // The manifest of another firmware has other digests; the index of the first that differs is known.
    let mut other = policy;
    other.firmwares[0].measurements = OTHER_FIRMWARE
        .lines()
        .map(|line| {
            let (index, digests) = line.split_once(' ').expect("index, digests");
            let digest = |text: &str| hex::decode(text).expect("hex").try_into().expect("SHA-384");
            GpuReferenceValue {
                index: index.parse().expect("a number"),
                allowed: digests.split(' ').map(digest).collect(),
            }
        })
        .collect();
    assert_eq!(other.firmwares[0].measurements.len(), 12);
    assert_eq!(
        judge(&evidence, &other),
        GpuVerdict::NotAttested(GpuShortfall::Measurement(1))
    );
}

#[test]
fn it_is_refused_at_another_time_or_for_another_nonce_or_root() {
    let evidence = evidence();
    let policy = GpuPolicy::default();
    assert!(verified(&evidence, &policy, BEGIN).is_ok());
    assert_eq!(
        verified(&evidence, &policy, BEGIN - 1),
        Err(GpuRefusal::Certificate {
            of: GpuLink::Certificate(2),
            fault: Fault::NotYetValid { not_before: BEGIN }
        })
    );
    assert_eq!(
        verify(&evidence, &[0; 32], NVIDIA_DEVICE_ROOT, &policy, NOW),
        Err(GpuRefusal::Nonce)
    );
    assert_eq!(
        verify(&evidence, &nonce(), &evidence.chain[3], &policy, NOW),
        Err(GpuRefusal::UnknownRoot)
    );
}

#[test]
fn no_byte_can_be_changed() {
    let good = evidence();
    let policy = GpuPolicy::default();
    // The blocks are 64 times the same form; thirteen is prime to their size of 55, so every field of it is met.
    let blocks = 64..3500;
    let steps = (0..blocks.start)
        .chain(blocks.clone().step_by(13))
        .chain((blocks.end..good.report.len()).step_by(2));
    for at in steps {
        let mut bad = good.clone();
        bad.report[at] ^= 1 << (at % 8);
        assert!(verified(&bad, &policy, NOW).is_err(), "byte {at} of the report");
        bad.report.truncate(at);
        assert!(verified(&bad, &policy, NOW).is_err(), "report cut at {at}");
    }
    for place in 0..good.chain.len() {
        for at in (0..good.chain[place].len()).step_by(7) {
            let mut bad = good.clone();
            bad.chain[place][at] ^= 1 << (at % 8);
            assert!(
                verified(&bad, &policy, NOW).is_err(),
                "byte {at} of certificate {place}"
            );
        }
        let mut longer = good.clone();
        longer.chain[place].push(0);
        assert!(verified(&longer, &policy, NOW).is_err());
    }
}

#[test]
fn the_chain_has_one_order() {
    let good = evidence();
    let policy = GpuPolicy::default();
    for (one, other) in (0..5).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let mut bad = good.clone();
        bad.chain.swap(one, other);
        assert!(verified(&bad, &policy, NOW).is_err(), "{one} and {other} swapped");
    }
    for left_out in 0..5 {
        let mut bad = good.clone();
        bad.chain.remove(left_out);
        assert!(verified(&bad, &policy, NOW).is_err(), "without {left_out}");
    }
    let mut twice = good.clone();
    twice.chain.push(good.chain[4].clone());
    assert_eq!(verified(&twice, &policy, NOW), Err(GpuRefusal::Loop(4)));
    twice.chain.push(good.chain[4].clone());
    assert_eq!(
        verified(&twice, &policy, NOW),
        Err(GpuRefusal::ChainLength { got: 7 })
    );
}

#[test]
fn a_file_has_limits() {
    let json = json();
    let entry = json.trim_start_matches('[').trim_end_matches(']');
    let many = format!("[{}]", vec![entry; MAX_GPUS].join(","));
    assert_eq!(parse_json(many.as_bytes()).expect("that many").len(), MAX_GPUS);
    let too_many = format!("[{}]", vec![entry; MAX_GPUS + 1].join(","));
    assert_eq!(parse_json(too_many.as_bytes()), Err(GpuRefusal::JsonTooLarge));
    let long = vec![b' '; MAX_JSON_BYTES + 1];
    assert_eq!(parse_json(&long), Err(GpuRefusal::JsonTooLarge));
    for (text, refusal) in [
        ("{}", GpuRefusal::Json("it is not a list of evidence")),
        (
            r#"[{"evidence": "!", "certificate": ""}]"#,
            GpuRefusal::Json("evidence"),
        ),
        (
            r#"[{"evidence": "", "certificate": ""}]"#,
            GpuRefusal::Json("certificate"),
        ),
    ] {
        assert_eq!(parse_json(text.as_bytes()), Err(refusal), "{text}");
    }
}
