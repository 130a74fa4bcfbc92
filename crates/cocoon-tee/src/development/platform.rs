use super::fault::{Fault, PlatformFault};

/// The machine that the development TEE plays: its security versions and what its certificate says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Platform {
    pub(super) fmspc: [u8; 6],
    pub(super) cpu_svn: [u8; 16],
    pub(super) pce_svn: u16,
    pub(super) tee_tcb_svn: [u8; 16],
    pub(super) qe_svn: u16,
    smt: bool,
    dynamic: bool,
    cached_keys: bool,
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const BOOLEAN: u8 = 0x01;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113741.1.13.1, the arc of what a PCK certificate says.
const ARC: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];

// === impl Platform ===

impl Platform {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        let bad = |kind| fault == Some(Fault::Platform(kind));
        Self {
            // No processor of Intel's: the letters of "DEV".
            fmspc: *b"DEV\0\0\0",
            cpu_svn: [4, 4, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            pce_svn: 13,
            // Module security version 7 of module version 1.
            tee_tcb_svn: [7, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            qe_svn: 8,
            smt: bad(PlatformFault::Smt),
            dynamic: bad(PlatformFault::DynamicPlatform),
            cached_keys: bad(PlatformFault::CachedKeys),
        }
    }

    /// What the PCK certificate says, as Intel's platform CA writes it.
    pub(super) fn sgx_extension(&self) -> Vec<u8> {
        let mut components: Vec<Vec<u8>> = (1_u8..)
            .zip(&self.cpu_svn)
            .map(|(number, svn)| entry(&[2, number], INTEGER, &[*svn]))
            .collect();
        let [high, low] = self.pce_svn.to_be_bytes();
        let pce_svn: &[u8] = if high == 0 { &[low] } else { &[high, low] };
        components.push(entry(&[2, 17], INTEGER, pce_svn));
        components.push(entry(&[2, 18], OCTET_STRING, &self.cpu_svn));
        let flag = |value| if value { 0xff } else { 0 };
        let configuration = [
            entry(&[7, 1], BOOLEAN, &[flag(self.dynamic)]),
            entry(&[7, 2], BOOLEAN, &[flag(self.cached_keys)]),
            entry(&[7, 3], BOOLEAN, &[flag(self.smt)]),
        ];
        element(
            SEQUENCE,
            &[
                entry(&[1], OCTET_STRING, b"DEVELOPMENT ONLY"),
                entry(&[2], SEQUENCE, &components.concat()),
                entry(&[3], OCTET_STRING, &[0, 0]),
                entry(&[4], OCTET_STRING, &self.fmspc),
                entry(&[5], ENUMERATED, &[1]),
                entry(&[6], OCTET_STRING, b"DEVELOPMENT ONLY"),
                entry(&[7], SEQUENCE, &configuration.concat()),
            ]
            .concat(),
        )
    }
}

/// A name below the arc and its value.
fn entry(below: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    let name = element(OID, &[&ARC, below].concat());
    element(SEQUENCE, &[name, element(tag, value)].concat())
}

/// One DER element of less than 64 KiB; everything here is below 1 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = vec![tag];
    match (high, low) {
        (0, 0..=0x7f) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}
