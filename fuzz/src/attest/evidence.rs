//! `cocoon-attest`: evidence of machines.
//!
//! Each target starts from real evidence and lets the input stand in for one part of it. Beside "no panic": what differs
//! from the real part is never accepted.

use cocoon_attest::event_log::{EventLog, MAX_EVENTS, Register, Registers};
use cocoon_attest::gpu::{self, GpuEvidence, GpuMode, GpuPolicy, GpuVerdict, NVIDIA_DEVICE_ROOT};
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
        _ => chain.revocation_lists = vec![input.to_vec()],
    }
    let verified = verify(report, &chain, &AMD_ROOTS, &policy(), NOW);
    // No list of AMD's is at hand, so nothing that stands in for one is accepted.
    let is_real = part % 4 != 3 && input == real;
    assert_eq!(verified.is_ok(), is_real, "only what AMD signed is accepted");
}

/// Any bytes as an event log. What it leads to, it explains; what it does not lead to, it does not.
pub fn event_log(data: &[u8]) {
    const ALL: &[Register] = &[Register::Rtmr0, Register::Rtmr1, Register::Rtmr2, Register::Rtmr3];
    let Ok(log) = EventLog::parse(data) else {
        return;
    };
    assert!(log.events().len() <= MAX_EVENTS);
    let registers = log.replay();
    let components = log.explain(&registers, ALL).expect("its own registers");
    assert_eq!(
        components.len(),
        log.events().len(),
        "every event is in a register"
    );
    for component in components {
        assert!(component.name.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
    let Registers(mut values) = registers;
    for value in &mut values {
        value[0] ^= 1;
    }
    assert!(log.explain(&Registers(values), ALL).is_err());
}

const GPU_REPORT: &[u8] =
    include_bytes!("../../../crates/cocoon-attest/tests/evidence/gpu/hopper-report.bin");
const GPU_CHAIN: &[u8] = include_bytes!("../../../crates/cocoon-attest/tests/evidence/gpu/hopper-chain.pem");

/// The first byte says what the rest is: changes to the report (two bytes of place, one of value, each), a report, the
/// certificate of the key, a revocation list, or a file in NVIDIA's form.
pub fn gpu_evidence(data: &[u8]) {
    let Some((&part, input)) = data.split_first() else {
        return;
    };
    let mut real = real_gpu();
    let good = real.clone();
    match part % 5 {
        0 => {
            for change in input.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
                if let Some(byte) = real.report.get_mut(at) {
                    *byte = change[2];
                }
            }
        }
        1 => real.report = input.to_vec(),
        2 => real.chain[0] = input.to_vec(),
        3 => real.revocation_lists = vec![input.to_vec()],
        _ => {
            for evidence in gpu::parse_json(input).unwrap_or_default() {
                judge(&evidence, &good);
            }
            return;
        }
    }
    judge(&real, &good);
}

fn judge(evidence: &GpuEvidence, good: &GpuEvidence) {
    let nonce = gpu::nonce_in(&good.report).expect("a real report");
    let verified = gpu::verify(evidence, &nonce, NVIDIA_DEVICE_ROOT, &GpuPolicy::default(), NOW);
    assert_eq!(
        verified.is_ok(),
        evidence == good,
        "only what NVIDIA signed is accepted"
    );
    if let Ok(claims) = verified {
        assert_ne!(
            claims.verdict,
            GpuVerdict::Attested,
            "the default policy counts no GPU"
        );
    }
}

fn real_gpu() -> GpuEvidence {
    let text = std::str::from_utf8(GPU_CHAIN).expect("PEM is text");
    let (mut json, mut chain) = (String::new(), Vec::new());
    base64(text.as_bytes(), &mut json);
    let file = format!(r#"[{{"evidence": "", "certificate": "{json}"}}]"#);
    for entry in gpu::parse_json(file.as_bytes()).expect("NVIDIA's form") {
        chain = entry.chain;
    }
    GpuEvidence {
        report: GPU_REPORT.to_vec(),
        chain,
        revocation_lists: Vec::new(),
        mode: GpuMode::Unknown,
    }
}

fn base64(bytes: &[u8], out: &mut String) {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(word);
        for at in 0..4 {
            let letter = usize::try_from(bits >> (18 - 6 * at) & 63).expect("six bits");
            out.push(if at <= group.len() {
                char::from(LETTERS[letter])
            } else {
                '='
            });
        }
    }
}

/// Lax enough for the machine of the sample.
fn policy() -> SnpPolicy {
    let mut milan = SnpProductRule::milan();
    milan.microcode.clear();
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
