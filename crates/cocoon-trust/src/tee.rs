//! What the configuration names, opened.

use std::sync::Arc;

use cocoon_attest::Roots;
use cocoon_link::{CurrentIdentity, Identity};
use cocoon_tee::collateral::CollateralService;
use cocoon_tee::development::{DevelopmentTee, image};
use cocoon_tee::machine::{Machine, MachineOptions};
use cocoon_tee::{MachineEvidence, Tee};

use crate::keys::{TeeChoice, TrustConfig};
use crate::trust::TrustError;

/// What the configuration names.
pub(crate) struct Opened {
    /// What the node shows.
    pub(crate) identity: CurrentIdentity,
    /// Up to which roots it verifies.
    pub(crate) roots: Roots,
    /// Its evidence, if it is this machine's.
    pub(crate) machine: Option<Arc<MachineEvidence>>,
}

/// Opens it.
pub(crate) async fn open(
    config: &TrustConfig,
    role: &'static str,
    clock: fn() -> u64,
) -> Result<Opened, TrustError> {
    let now = clock();
    let development = match &config.development_tee {
        None => None,
        Some(directory) => {
            let directory = directory.clone();
            let opened = tokio::task::spawn_blocking(move || DevelopmentTee::open_or_create(&directory, now));
            // A panic in there is one here.
            let opened = opened.await.map_err(|_| TrustError::Interrupted)?;
            Some(Arc::new(opened.map_err(TrustError::DevelopmentTee)?))
        }
    };
    // Beside this, the policy must accept simulated evidence, and the registry say that this is a test network.
    let roots = match &development {
        Some(tee) if config.is_test => tee
            .roots()
            .map_err(|error| TrustError::DevelopmentTee(error.into()))?,
        _ => Roots::makers(),
    };
    let mut of_machine = None;
    let identity = match (&config.tee, development) {
        (TeeChoice::ReportData, _) => CurrentIdentity::new(Identity::simulated(now)?),
        (TeeChoice::Development, Some(tee)) => {
            let tee = Tee::Development(tee, Box::new(image(role)));
            CurrentIdentity::attested(Arc::new(tee), now).await?
        }
        (TeeChoice::Machine, _) => {
            let machine = Machine::new(MachineOptions::default()).map_err(TrustError::Machine)?;
            let collateral = CollateralService::new(config.collateral.clone(), roots.intel(), clock);
            let collateral = collateral.map_err(TrustError::Collateral)?;
            let machine = Arc::new(MachineEvidence::new(Arc::new(machine), collateral));
            of_machine = Some(Arc::clone(&machine));
            CurrentIdentity::attested(machine, now).await?
        }
        (TeeChoice::Other(attester), _) => CurrentIdentity::attested(Arc::clone(attester), now).await?,
        (TeeChoice::None | TeeChoice::Development, _) => {
            CurrentIdentity::new(Identity::without_evidence(now)?)
        }
    };
    Ok(Opened {
        identity,
        roots,
        machine: of_machine,
    })
}
