//! What an appraisal costs a link, cold and remembered, and how long a certificate is with a quote and its collateral in it.
//!
//! `cargo run -p cocoon-link --example appraisal --release`
#![expect(clippy::print_stdout, reason = "an example that prints its figures")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cocoon_attest::{EvidenceRule, ImageRule, Policy, Side, Simulated};
use cocoon_link::{Appraiser, Identity};
use cocoon_tee::Tee;
use cocoon_tee::development::{DevelopmentTee, image};

const NOW: u64 = 1_795_400_000;
const ROUNDS: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let tee = Arc::new(DevelopmentTee::new(NOW)?);
    let roots = tee.roots()?;
    let policy = Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let appraiser = Appraiser::new(policy, roots);
    let tee = Tee::Development(tee, Box::new(image("worker")));
    let (identity, made) = {
        let start = Instant::now();
        (Identity::attested(Arc::new(tee), NOW)?, start.elapsed())
    };
    let certificate = identity.certificate_der();
    let mut cold = Vec::new();
    let mut remembered = Vec::new();
    for _ in 0..ROUNDS {
        appraiser.forget();
        for times in [&mut cold, &mut remembered] {
            let start = Instant::now();
            appraiser.appraise(certificate, Side::Dialler, NOW)?;
            times.push(start.elapsed());
        }
    }
    println!("certificate        {} bytes", certificate.len());
    println!("made in            {made:?} (key, quote, collateral)");
    println!("cold appraisal     {:?} (median of {ROUNDS})", median(cold));
    println!("remembered         {:?}", median(remembered));
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
