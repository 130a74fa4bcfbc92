//! How long a verification takes, without any cache. Run it optimised, on an idle machine:
//! `cargo run -p cocoon-attest --example verification --release`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::time::Instant;

use cocoon_attest::Roots;
use cocoon_attest::tdx::{Collateral, TdxPolicy, verify};

const SAMPLES: [(&str, &[u8], &[u8], u64); 2] = [
    (
        "quote 4, TDX 1.0",
        include_bytes!("../testdata/tdx/tdx_quote"),
        include_bytes!("../testdata/tdx/tdx_quote_collateral.json"),
        1_750_500_000,
    ),
    (
        "quote 5, TDX 1.5 extended",
        include_bytes!("../testdata/tdx/tdx_quote_td15ex"),
        include_bytes!("../testdata/tdx/tdx_quote_td15ex_collateral.json"),
        1_791_500_000,
    ),
];

fn main() {
    const ROUNDS: u32 = 500;
    let roots = Roots::makers();
    let policy = TdxPolicy::server();
    for (name, quote, json, now) in SAMPLES {
        let collateral = Collateral::from_json(json).unwrap();
        let parts = collateral.parts();
        let bytes = parts.root_ca_crl.len()
            + parts.pck_crl.len()
            + parts.tcb_info.len()
            + parts.qe_identity.len()
            + parts.tcb_info_issuer_chain.len()
            + parts.qe_identity_issuer_chain.len()
            + parts.pck_crl_issuer_chain.len()
            + 128;
        println!(
            "{name}: quote {} bytes, collateral {bytes} bytes, as JSON {}",
            quote.len(),
            json.len()
        );
        measure("  read the collateral's JSON", ROUNDS, || {
            Collateral::from_json(json).unwrap();
        });
        measure("  verify (cold)", ROUNDS, || {
            verify(quote, &collateral, roots.intel(), &policy, now).unwrap();
        });
        let mut forged = quote.to_vec();
        forged[700] ^= 1;
        measure("  refuse a forged one", ROUNDS, || {
            verify(&forged, &collateral, roots.intel(), &policy, now).unwrap_err();
        });
        measure("  refuse it a day late", ROUNDS, || {
            verify(quote, &collateral, roots.intel(), &policy, now + 90 * 86_400).unwrap_err();
        });
    }
}

/// Prints the mean and the best of a few runs, in microseconds.
fn measure(what: &str, rounds: u32, work: impl Fn()) {
    work();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{what}: median {median:.0} µs, best {:.0} µs", times[0]);
}
