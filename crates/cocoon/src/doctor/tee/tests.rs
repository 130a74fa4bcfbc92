//! Machines that people have, as facts.

use super::super::State;
use super::*;

fn facts(vendor: Vendor, processor: &str, flags: &[&str], kernel: (u32, u32)) -> Facts {
    Facts {
        vendor,
        processor: processor.to_owned(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        kernel: Some(kernel),
        configfs: true,
        ..Facts::default()
    }
}

fn gpu(model: &str, mode: Mode) -> Gpu {
    Gpu {
        model: model.to_owned(),
        mode,
    }
}

fn tdx_guest() -> Facts {
    Facts {
        tdx_guest_device: true,
        report_interface: true,
        ..facts(
            Vendor::Intel,
            "Intel(R) Xeon(R) Platinum 8592+",
            &["hypervisor", "tdx_guest"],
            (6, 11),
        )
    }
}

/// Tier, and the fix of the finding with this name.
fn advice(facts: &Facts, what: &str) -> (Tier, String) {
    let advice = advise(facts);
    assert!(!advice.reason.is_empty());
    let finding = advice.findings.iter().find(|finding| finding.what == what);
    let finding = finding.unwrap_or_else(|| panic!("{what}: {advice:?}"));
    assert_eq!(finding.state == State::Good, finding.fix.is_none(), "{finding:?}");
    (advice.tier, finding.fix.clone().unwrap_or_default())
}

#[test]
fn a_tdx_guest_without_a_gpu_is_confidential() {
    assert_eq!(
        advice(&tdx_guest(), "evidence"),
        (Tier::Confidential, String::new())
    );
    let reason = advise(&tdx_guest()).reason;
    assert!(reason.ends_with(super::PRESENTED), "{reason}");
}

#[test]
fn what_a_worker_cannot_present_yet_is_said() {
    let with_gpu = Facts {
        gpus: vec![gpu("NVIDIA H100 80GB HBM3", Mode::On)],
        ..tdx_guest()
    };
    let reason = advise(&with_gpu).reason;
    assert!(reason.ends_with(super::GPU_NOT_PRESENTED), "{reason}");
    let snp = Facts {
        sev_guest_device: true,
        report_interface: true,
        ..facts(
            Vendor::Amd,
            "AMD EPYC 9554 64-Core Processor",
            &["hypervisor", "sev_snp"],
            (6, 8),
        )
    };
    let reason = advise(&snp).reason;
    assert!(reason.ends_with(super::SNP_NOT_PRESENTED), "{reason}");
}

#[test]
fn a_tdx_guest_with_gpus_is_what_their_mode_is() {
    let with = |gpus: Vec<Gpu>| Facts { gpus, ..tdx_guest() };
    let on = || gpu("NVIDIA H100 80GB HBM3", Mode::On);
    assert_eq!(
        advice(&with(vec![on(), on()]), "GPU mode"),
        (Tier::Confidential, String::new())
    );
    let (tier, fix) = advice(
        &with(vec![on(), gpu("NVIDIA H100 80GB HBM3", Mode::Off)]),
        "GPU mode",
    );
    assert_eq!(tier, Tier::Attested);
    assert!(fix.contains("--set-cc-mode=on"), "{fix}");
    let (tier, fix) = advice(&with(vec![gpu("NVIDIA H200", Mode::DevTools)]), "GPU mode");
    assert_eq!(tier, Tier::Attested);
    assert!(fix.contains("devtools"), "{fix}");
    let (tier, fix) = advice(&with(vec![gpu("NVIDIA H200", Mode::Unknown)]), "GPU mode");
    assert_eq!(tier, Tier::Attested);
    assert!(fix.contains("driver"), "{fix}");
    let (tier, fix) = advice(&with(vec![gpu("NVIDIA GeForce RTX 4090", Mode::Off)]), "GPU mode");
    assert_eq!(tier, Tier::Attested);
    assert!(fix.contains("this model has none"), "{fix}");
}

#[test]
fn a_guest_without_the_report_interface_is_told_the_first_thing_that_is_missing() {
    let without = |change: fn(&mut Facts)| {
        let mut facts = Facts {
            report_interface: false,
            ..tdx_guest()
        };
        change(&mut facts);
        let (tier, fix) = advice(&facts, "evidence");
        assert_eq!(tier, Tier::Open, "no evidence, whatever the guest is");
        fix
    };
    assert!(without(|facts| facts.kernel = Some((6, 6))).contains("Linux 6.7"));
    assert!(without(|facts| facts.tdx_guest_device = false).contains("modprobe tdx_guest"));
    assert!(without(|facts| facts.configfs = false).contains("mount -t configfs"));
    assert!(without(|_| {}).contains("CONFIG_TSM_REPORTS"));
}

#[test]
fn an_snp_guest() {
    let guest = Facts {
        sev_guest_device: true,
        report_interface: true,
        ..facts(
            Vendor::Amd,
            "AMD EPYC 9554 64-Core Processor",
            &["hypervisor", "sev_snp"],
            (6, 8),
        )
    };
    assert_eq!(advice(&guest, "evidence").0, Tier::Confidential);
    let unloaded = Facts {
        sev_guest_device: false,
        report_interface: false,
        ..guest
    };
    let (tier, fix) = advice(&unloaded, "evidence");
    assert_eq!(tier, Tier::Open);
    assert!(fix.contains("modprobe sev-guest"), "{fix}");
}

#[test]
fn bare_hosts() {
    let tdx = Facts {
        kvm_tdx: Some(true),
        ..facts(
            Vendor::Intel,
            "Intel(R) Xeon(R) Platinum 8592+",
            &["tdx_host_platform"],
            (6, 16),
        )
    };
    let (tier, fix) = advice(&tdx, "confidential VM");
    assert_eq!(tier, Tier::Open, "the host itself proves nothing");
    assert!(fix.contains("in such a guest"), "{fix}");
    // The same machine before somebody set it up.
    let unset = Facts {
        kvm_tdx: Some(false),
        kernel: Some((6, 8)),
        ..tdx.clone()
    };
    let (_, fix) = advice(&unset, "confidential VM");
    assert!(fix.contains("Linux 6.16") && fix.contains("BIOS"), "{fix}");
    let snp = facts(Vendor::Amd, "AMD EPYC 9654 96-Core Processor", &[], (6, 14));
    let (_, fix) = advice(&snp, "confidential VM");
    assert!(fix.contains("SMEE") && !fix.contains("Linux"), "{fix}");
    let ready = Facts {
        kvm_snp: Some(true),
        ..snp
    };
    let finding = &advise(&ready).findings[0];
    assert!(finding.found.contains("AMD SEV-SNP"), "{finding:?}");
}

#[test]
fn a_gaming_rig() {
    let rig = Facts {
        gpus: vec![gpu("NVIDIA GeForce RTX 4090", Mode::Unknown)],
        ..facts(Vendor::Amd, "AMD Ryzen 9 7950X 16-Core Processor", &[], (6, 11))
    };
    let (tier, fix) = advice(&rig, "confidential VM");
    assert_eq!(tier, Tier::Open);
    assert!(fix.contains("it takes a server"), "{fix}");
    let (_, fix) = advice(&rig, "GPU mode");
    assert!(fix.contains("this model has none"), "{fix}");
}

#[test]
fn a_laptop_and_an_ordinary_cloud_machine() {
    let laptop = facts(Vendor::Intel, "13th Gen Intel(R) Core(TM) i7-1360P", &[], (6, 8));
    assert_eq!(advice(&laptop, "confidential VM").0, Tier::Open);
    assert_eq!(advise(&laptop).findings.len(), 1, "nothing about GPUs");
    let cloud = facts(
        Vendor::Intel,
        "Intel(R) Xeon(R) Processor",
        &["hypervisor"],
        (6, 8),
    );
    let (tier, fix) = advice(&cloud, "confidential VM");
    assert_eq!(tier, Tier::Open);
    assert!(fix.contains("rent or start a confidential one"), "{fix}");
}

#[test]
fn processors_by_name() {
    for name in [
        "Intel(R) Xeon(R) Platinum 8592+",
        "INTEL(R) Xeon(R) GOLD 6530",
        "Intel(R) Xeon(R) 6980P",
    ] {
        assert!(is_tdx_server(name), "{name}");
    }
    for name in [
        "Intel(R) Xeon(R) Gold 6240R CPU @ 2.60GHz",
        "Intel(R) Core(TM) i9-14900K",
        "",
        "Xeon",
    ] {
        assert!(!is_tdx_server(name), "{name}");
    }
    for name in [
        "AMD EPYC 7763 64-Core Processor",
        "AMD EPYC 9124 16-Core Processor",
    ] {
        assert!(is_snp_server(name), "{name}");
    }
    for name in ["AMD EPYC 7742 64-Core Processor", "AMD Ryzen 9 7950X", "AMD EPYC"] {
        assert!(!is_snp_server(name), "{name}");
    }
}
