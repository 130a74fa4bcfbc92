//! How long it takes to verify an SEV-SNP report, GPU evidence and an event log, without any cache. Run it optimised, on an
//! idle machine: `cargo run -p cocoon-attest --example devices --release`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::time::Instant;

use cocoon_attest::event_log::{EventLog, Register};
use cocoon_attest::gpu::{self, GpuEvidence, GpuPolicy, NVIDIA_DEVICE_ROOT};
use cocoon_attest::snp::{
    self, AMD_ROOTS, SnpChain, SnpFirmware, SnpMeasurements, SnpPlatformRules, SnpPolicy, SnpProductRule,
};

const SNP_REPORT: &[u8] = include_bytes!("../tests/evidence/snp/milan-report.bin");
const VCEK: &[u8] = include_bytes!("../tests/evidence/snp/milan-vcek.der");
const ASK: &[u8] = include_bytes!("../tests/evidence/snp/milan-ask.der");
const GPU_REPORT: &[u8] = include_bytes!("../tests/evidence/gpu/hopper-report.bin");
const GPU_CHAIN: &str = include_str!("../tests/evidence/gpu/hopper-chain.pem");
const LOG: &[u8] = include_bytes!("../../../fuzz/corpus/attest_event_log/guest");

/// 2024-01-01, within all certificates.
const NOW: u64 = 1_704_067_200;
const ROUNDS: u32 = 500;

fn main() {
    let chain = SnpChain {
        leaf: VCEK.to_vec(),
        intermediate: ASK.to_vec(),
        revocation_lists: Vec::new(),
    };
    let policy = snp_policy();
    let bytes = SNP_REPORT.len() + chain.leaf.len() + chain.intermediate.len();
    measure("SEV-SNP report, Milan", bytes, || {
        snp::verify(SNP_REPORT, &chain, &AMD_ROOTS, &policy, NOW).unwrap();
    });
    let evidence = gpu_evidence();
    let bytes = evidence.report.len() + evidence.chain.iter().map(Vec::len).sum::<usize>();
    let nonce = gpu::nonce_in(&evidence.report).unwrap();
    measure("GPU evidence, H100", bytes, || {
        gpu::verify(&evidence, &nonce, NVIDIA_DEVICE_ROOT, &GpuPolicy::default(), NOW).unwrap();
    });
    let registers = EventLog::parse(LOG).unwrap().replay();
    measure("event log, 8 events", LOG.len(), || {
        let log = EventLog::parse(LOG).unwrap();
        log.explain(&registers, &[Register::Rtmr0, Register::Rtmr1])
            .unwrap();
    });
}

fn measure(name: &str, bytes: usize, work: impl Fn()) {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    let each = start.elapsed() / ROUNDS;
    println!("{name}: {} µs, {bytes} bytes", each.as_micros());
}

/// What the machine of the sample needs (tests/snp_real.rs).
fn snp_policy() -> SnpPolicy {
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

fn gpu_evidence() -> GpuEvidence {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let (report, chain) = (STANDARD.encode(GPU_REPORT), STANDARD.encode(GPU_CHAIN));
    let json = format!(r#"[{{"evidence": "{report}", "certificate": "{chain}"}}]"#);
    gpu::parse_json(json.as_bytes()).unwrap().pop().unwrap()
}
