//! What the programs in `tests/` cannot reach: the layout of Turin, of which a certificate but no report was published.

use super::*;

const TURIN_VCEK: &[u8] = include_bytes!("../../tests/evidence/snp/turin-vcek.der");
const TURIN_ASK: &[u8] = include_bytes!("../../tests/evidence/snp/turin-ask.der");
/// 2026-01-01.
const NOW: u64 = 1_767_225_600;

#[test]
fn turin_has_eight_byte_ids_and_one_more_level() {
    let leaf = X509::parse(TURIN_VCEK).unwrap();
    let intermediate = X509::parse(TURIN_ASK).unwrap();
    let root = check_chain(&leaf, &intermediate, &AMD_ROOTS, NOW).unwrap();
    assert_eq!(root.common_name(), Some("ARK-Turin"));
    let mut bytes = [0; SNP_REPORT_BYTES];
    bytes[0] = 5;
    bytes[0x34] = 1;
    bytes[0x188..0x18a].copy_from_slice(&[0x1a, 0x02]);
    // The certified levels are all zero but the microcode's.
    bytes[0x187] = 9;
    bytes[0x1a0..0x1a8].copy_from_slice(&[0x1e, 0x55, 0x0a, 0x8e, 0xe5, 0xcf, 0x9f, 0x4d]);
    let check = |bytes: &[u8]| {
        let report = Report::parse(bytes).unwrap();
        endorsement::check(&leaf, SnpProduct::Turin, &report)
    };
    assert_eq!(check(&bytes), Ok(()));
    let mut longer = bytes;
    longer[0x1a8] = 1;
    assert_eq!(check(&longer), Err(SnpRefusal::HardwareId));
    let mut other = bytes;
    other[0x180] = 1;
    assert_eq!(check(&other), Err(SnpRefusal::CertifiedTcb));
}

#[test]
fn tcb_layouts_differ() {
    let raw = [1, 2, 3, 4, 5, 6, 7, 8];
    let turin = SnpTcb::read(raw, SnpProduct::Turin);
    assert_eq!(
        (turin.fmc, turin.bootloader, turin.tee, turin.snp, turin.microcode),
        (1, 2, 3, 4, 8)
    );
    let milan = SnpTcb::read(raw, SnpProduct::Milan);
    assert_eq!(
        (milan.fmc, milan.bootloader, milan.tee, milan.snp, milan.microcode),
        (0, 1, 2, 7, 8)
    );
}

#[test]
fn every_root_signs_itself() {
    for root in AMD_ROOTS {
        let root = X509::parse(root).unwrap();
        assert_eq!(root.check_issued_by(&root), Ok(()));
        assert_eq!(root.check_authority(1), Ok(()));
    }
}
