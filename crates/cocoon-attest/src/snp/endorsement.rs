use super::product::SnpProduct;
use super::refusal::SnpRefusal;
use super::report::{Report, SnpKeyKind};
use crate::der;
use crate::x509::{X509, small_unsigned};

/// 1.3.6.1.4.1.3704.1, AMD's arc for endorsement keys (57230 "Versioned Chip Endorsement Key Certificate and KDS Interface
/// Specification", table of extensions).
macro_rules! amd {
    ($($last:literal),+) => { &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, $($last),+] };
}

const PRODUCT_NAME: &[u8] = amd!(2);
const SPL_BOOTLOADER: &[u8] = amd!(3, 1);
const SPL_TEE: &[u8] = amd!(3, 2);
const SPL_SNP: &[u8] = amd!(3, 3);
const SPL_4: &[u8] = amd!(3, 4);
const SPL_5: &[u8] = amd!(3, 5);
const SPL_6: &[u8] = amd!(3, 6);
const SPL_7: &[u8] = amd!(3, 7);
const SPL_MICROCODE: &[u8] = amd!(3, 8);
const SPL_FMC: &[u8] = amd!(3, 9);
const HARDWARE_ID: &[u8] = amd!(4);

const IA5_STRING: u8 = 0x16;

/// Step 6: what AMD certified about the key must be what the report says: product, chip and TCB version.
pub(super) fn check(leaf: &X509<'_>, product: SnpProduct, report: &Report<'_>) -> Result<(), SnpRefusal> {
    let wanted = match report.key_kind {
        SnpKeyKind::Vcek => "SEV-VCEK",
        SnpKeyKind::Vlek => "SEV-VLEK",
    };
    if leaf.common_name() != Some(wanted) {
        return Err(SnpRefusal::KeyKind);
    }
    let name = leaf
        .extension(PRODUCT_NAME)
        .and_then(|value| der::only(value, IA5_STRING).ok())
        .and_then(|text| std::str::from_utf8(text.content).ok());
    if !name.is_some_and(|name| product.has_name(name)) {
        return Err(SnpRefusal::ProductName);
    }
    match (report.key_kind, leaf.extension(HARDWARE_ID)) {
        (SnpKeyKind::Vcek, Some(id)) => check_chip(id, product, report.chip_id)?,
        // A loaded key belongs to a provider, not to a chip.
        (SnpKeyKind::Vlek, None) => {}
        _ => return Err(SnpRefusal::HardwareId),
    }
    if certified_tcb(leaf, product) == Some(report.reported_tcb) {
        Ok(())
    } else {
        Err(SnpRefusal::CertifiedTcb)
    }
}

/// Turin's ids have 8 bytes, the others 64; the report's field is filled up with zeros.
fn check_chip(certified: &[u8], product: SnpProduct, reported: &[u8; 64]) -> Result<(), SnpRefusal> {
    let size = match product {
        SnpProduct::Turin => 8,
        SnpProduct::Milan | SnpProduct::Genoa => 64,
    };
    // With MASK_CHIP_ID the host leaves the field empty.
    if reported.iter().all(|&byte| byte == 0) {
        return Err(SnpRefusal::ChipIdMasked);
    }
    match reported.split_at_checked(size) {
        Some((id, fill)) if id == certified && fill.iter().all(|&byte| byte == 0) => Ok(()),
        _ => Err(SnpRefusal::HardwareId),
    }
}

/// The certified security patch levels in the order of the report's field.
fn certified_tcb(leaf: &X509<'_>, product: SnpProduct) -> Option<[u8; 8]> {
    let order = match product {
        SnpProduct::Turin => [
            SPL_FMC,
            SPL_BOOTLOADER,
            SPL_TEE,
            SPL_SNP,
            SPL_5,
            SPL_6,
            SPL_7,
            SPL_MICROCODE,
        ],
        SnpProduct::Milan | SnpProduct::Genoa => [
            SPL_BOOTLOADER,
            SPL_TEE,
            SPL_4,
            SPL_5,
            SPL_6,
            SPL_7,
            SPL_SNP,
            SPL_MICROCODE,
        ],
    };
    let mut tcb = [0; 8];
    for (part, name) in tcb.iter_mut().zip(order) {
        let content = der::only(leaf.extension(name)?, der::INTEGER).ok()?.content;
        *part = u8::try_from(small_unsigned(content)?).ok()?;
    }
    Some(tcb)
}
