use cocoon_attest::tdx::{TdxPolicy, verify};

use super::*;
use crate::collateral::tests::{DAY, NOW, Scene, set_clock};
use crate::machine::tests::{Kernel, REPORT_DATA};

async fn asked(machine: &Arc<MachineEvidence>) -> Result<(Vec<u8>, Arc<Collateral>), PresentError> {
    let machine = Arc::clone(machine);
    tokio::task::spawn_blocking(move || machine.evidence(&REPORT_DATA))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_quote_comes_with_its_collateral_and_newer_collateral_follows() {
    let scene = Scene::new().await;
    let kernel = Kernel::answering("tdx_guest", scene.quote.clone(), "5\n");
    let machine = MachineEvidence::new(Arc::new(kernel.machine()), scene.service());
    let machine = Arc::new(machine);
    assert!(machine.collateral().await.is_none(), "nobody knows which yet");
    let (quote, collateral) = asked(&machine).await.unwrap();
    let policy = TdxPolicy::default();
    verify(&quote, &collateral, scene.tee.root_der(), &policy, NOW).unwrap();
    let same = machine.collateral().await.unwrap();
    assert!(Arc::ptr_eq(&same, &collateral));

    // Half of its life: there is newer.
    set_clock(NOW + 16 * DAY);
    scene.serve(NOW + 16 * DAY);
    let newer = machine.collateral().await.unwrap();
    assert!(!Arc::ptr_eq(&newer, &collateral));
    assert!(newer.expires_at().unwrap() > collateral.expires_at().unwrap());

    // Offline it is used to its end, and not further.
    scene.fail();
    set_clock(NOW + 45 * DAY);
    assert!(Arc::ptr_eq(&machine.collateral().await.unwrap(), &newer));
    set_clock(NOW + 47 * DAY);
    assert!(machine.collateral().await.is_none());
}

#[tokio::test]
async fn without_collateral_nothing_is_presented() {
    let scene = Scene::new().await;
    scene.fail();
    let kernel = Kernel::answering("tdx_guest", scene.quote.clone(), "5\n");
    let machine = MachineEvidence::new(Arc::new(kernel.machine()), scene.service());
    let error = asked(&Arc::new(machine)).await.unwrap_err();
    assert!(matches!(error, PresentError::Collateral { .. }));
    assert!(error.to_string().contains("hint: "), "{error}");
}

#[tokio::test]
async fn an_snp_guest_is_told_what_is_missing() {
    let scene = Scene::new().await;
    let kernel = Kernel::answering("sev_guest", vec![1; 1184], "5\n");
    let machine = MachineEvidence::new(Arc::new(kernel.machine()), scene.service());
    let error = asked(&Arc::new(machine)).await.unwrap_err();
    assert!(matches!(error, PresentError::SevSnp), "{error}");
}

#[test]
fn a_thread_without_a_runtime_is_told_so() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let scene = runtime.block_on(Scene::new());
    let kernel = Kernel::answering("tdx_guest", scene.quote.clone(), "5\n");
    let machine = MachineEvidence::new(Arc::new(kernel.machine()), scene.service());
    let refused = machine.evidence(&REPORT_DATA).unwrap_err();
    assert!(matches!(refused, PresentError::NoRuntime));
}
