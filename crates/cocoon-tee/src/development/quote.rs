//! Quotes, in the form in which Intel's quoting enclave writes them.

use aws_lc_rs::digest::{SHA256, digest};
use cocoon_attest::Measurements;

use super::fault::{DomainFault, Fault, FormFault, PlatformFault, QeFault};
use super::key::Key;
use super::pki::Pki;
use super::{DevelopmentError, Platform, QE_MISC_SELECT, QE_PRODUCT, QE_SIGNER, QuoteFormat};

/// Bit of the domain's attributes.
const SEPT_VE_DISABLE: u64 = 1 << 28;

/// Intel's quoting enclaves; the verifier accepts no other maker.
const QE_VENDOR: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

/// What a quote is made of.
pub(super) struct Order<'a> {
    pub(super) format: QuoteFormat,
    pub(super) report_data: &'a [u8; 64],
    pub(super) measurements: &'a Measurements,
    pub(super) fault: Option<Fault>,
}

// === impl Order ===

impl Order<'_> {
    fn domain(&self, fault: DomainFault) -> bool {
        self.fault == Some(Fault::Domain(fault))
    }

    fn qe(&self, fault: QeFault) -> bool {
        self.fault == Some(Fault::Qe(fault))
    }

    fn form(&self, fault: FormFault) -> bool {
        self.fault == Some(Fault::Form(fault))
    }

    fn module(&self, fault: PlatformFault) -> bool {
        self.fault == Some(Fault::Platform(fault))
    }

    pub(super) fn make(
        &self,
        pki: &Pki,
        attestation_key: &Key,
        platform: &Platform,
    ) -> Result<Vec<u8>, DevelopmentError> {
        let mut quote = self.header();
        let body = self.body(platform);
        if self.format != QuoteFormat::V4 {
            let kind: u16 = match self.format {
                _ if self.form(FormFault::BodyType) => 9,
                QuoteFormat::V5Extended => 4,
                QuoteFormat::V4 | QuoteFormat::V5 => 3,
            };
            quote.extend(kind.to_le_bytes());
            let odd = usize::from(self.form(FormFault::BodySize));
            quote.extend(length(body.len() + odd));
        }
        quote.extend(&body);
        let signature = attestation_key.sign(&quote)?;
        if self.domain(DomainFault::Altered) {
            // A register that is in the image hash, after it was signed.
            let last = quote.len().saturating_sub(100);
            if let Some(byte) = quote.get_mut(last) {
                *byte ^= 1;
            }
        }
        let certification = self.certification(pki, attestation_key, platform)?;
        let kind: u16 = if self.form(FormFault::Certification) { 5 } else { 6 };
        let mut data = [&signature[..], &attestation_key.point()].concat();
        data.extend(kind.to_le_bytes());
        data.extend(length(certification.len()));
        data.extend(certification);
        if self.form(FormFault::Length) {
            data.push(0);
        }
        quote.extend(length(data.len()));
        quote.extend(data);
        if self.form(FormFault::Truncated) {
            quote.pop();
        }
        if self.form(FormFault::Trailing) {
            quote.extend([0, 1]);
        }
        if self.form(FormFault::TooLong) {
            quote.resize(cocoon_attest::MAX_QUOTE_BYTES + 1, 0);
        }
        Ok(quote)
    }

    fn header(&self) -> Vec<u8> {
        let version: u16 = match self.format {
            _ if self.form(FormFault::Version) => 3,
            QuoteFormat::V4 => 4,
            QuoteFormat::V5 | QuoteFormat::V5Extended => 5,
        };
        let key_type: u16 = if self.form(FormFault::KeyType) { 3 } else { 2 };
        let tee_type: u32 = if self.form(FormFault::TeeType) { 0 } else { 0x81 };
        let mut header = Vec::new();
        header.extend(version.to_le_bytes());
        header.extend(key_type.to_le_bytes());
        header.extend(tee_type.to_le_bytes());
        header.extend([0; 4]);
        if self.form(FormFault::Vendor) {
            header.extend([0; 16]);
        } else {
            header.extend(QE_VENDOR);
        }
        // Number of the quoting enclave, and four zeros.
        header.extend(b"DEVELOPMENT ONLY\0\0\0\0");
        header
    }

    fn body(&self, platform: &Platform) -> Vec<u8> {
        let mut attributes = SEPT_VE_DISABLE;
        for (fault, bit) in [
            (DomainFault::Debug, 1),
            (DomainFault::Profiling, 1 << 4),
            (DomainFault::Migratable, 1 << 29),
            (DomainFault::NoSeptVeDisable, SEPT_VE_DISABLE),
            (DomainFault::ServiceTdExtension, 1 << 17),
            (DomainFault::Reserved, 1 << 40),
            (DomainFault::Perfmon, 1 << 63),
        ] {
            if self.domain(fault) {
                attributes ^= bit;
            }
        }
        let mut svn = platform.tee_tcb_svn;
        if self.module(PlatformFault::RelaunchAdvised) {
            let [first, ..] = &mut svn;
            *first = first.saturating_sub(1);
        }
        let seam_attributes: u64 = u64::from(self.module(PlatformFault::ModuleAttributes));
        let mut report_data = *self.report_data;
        if self.domain(DomainFault::ReportData) {
            let [first, ..] = &mut report_data;
            *first ^= 1;
        }
        let image = self.measurements;
        let mut body = Vec::new();
        body.extend(svn);
        // The module's measurement, and its signer, who is Intel when it is zero.
        body.extend([0xde; 48]);
        body.extend([0; 48]);
        body.extend(seam_attributes.to_le_bytes());
        body.extend(attributes.to_le_bytes());
        // x87, SSE, AVX, AVX-512, PKRU, AMX: as real domains have them.
        body.extend(0x0006_02e7_u64.to_le_bytes());
        for register in [
            &image.mrtd,
            &image.mr_config_id,
            &image.mr_owner,
            &image.mr_owner_config,
        ]
        .into_iter()
        .chain(&image.rtmr)
        {
            body.extend(register);
        }
        body.extend(report_data);
        if self.format != QuoteFormat::V4 {
            body.extend(platform.tee_tcb_svn);
            let bound = u8::from(self.domain(DomainFault::ServiceTd));
            body.extend([bound; 48]);
        }
        if self.format == QuoteFormat::V5Extended {
            // Number of the virtual machine, of the domain, devices, and the service domains that it was made with.
            body.extend([0; 237]);
        }
        body
    }

    fn certification(
        &self,
        pki: &Pki,
        attestation_key: &Key,
        platform: &Platform,
    ) -> Result<Vec<u8>, DevelopmentError> {
        let auth_data: Vec<u8> = if self.form(FormFault::AuthData) {
            Vec::new()
        } else {
            (0..32).collect()
        };
        let report = self.qe_report(&attestation_key.point(), &auth_data, platform);
        let key = if self.qe(QeFault::ForeignKey) {
            pki.foreign_key()
        } else {
            pki.pck_key()
        };
        let signature = key.sign(&report)?;
        let mut chain = if self.form(FormFault::ShortChain) {
            pki.pck_alone().to_owned()
        } else if self.form(FormFault::LongChain) {
            pki.pck_chain() + pki.pck_alone()
        } else if self.form(FormFault::NoPem) {
            pki.pck_chain().replace("BEGIN", "BEGUN")
        } else {
            pki.pck_chain()
        };
        chain.push('\0');
        let kind: u16 = if self.form(FormFault::PckCertification) {
            3
        } else {
            5
        };
        let count = u16::try_from(auth_data.len()).unwrap_or_default();
        Ok([
            &report[..],
            &signature,
            &count.to_le_bytes(),
            &auth_data,
            &kind.to_le_bytes(),
            &length(chain.len()),
            chain.as_bytes(),
        ]
        .concat())
    }

    fn qe_report(&self, key: &[u8; 64], auth_data: &[u8], platform: &Platform) -> Vec<u8> {
        let mut signer = QE_SIGNER;
        if self.qe(QeFault::Signer) {
            let [first, ..] = &mut signer;
            *first ^= 1;
        }
        let product = QE_PRODUCT + u16::from(self.qe(QeFault::Product));
        let misc = QE_MISC_SELECT ^ u32::from(self.qe(QeFault::Miscellaneous));
        // Initialised, 64 bit, may use the key for provisioning; the second bit is debug.
        let flags: u8 = if self.qe(QeFault::Attributes) { 0x17 } else { 0x15 };
        let mut vouched = digest(&SHA256, &[key, auth_data].concat()).as_ref().to_vec();
        if self.qe(QeFault::ReportData)
            && let Some(first) = vouched.first_mut()
        {
            *first ^= 1;
        }
        let mut report = Vec::new();
        report.extend(platform.cpu_svn);
        report.extend(misc.to_le_bytes());
        report.extend([0; 28]);
        report.extend([flags, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0]);
        // Measurement of the enclave: any, the QE identity does not name one.
        report.extend([0xde; 32]);
        report.extend([0; 32]);
        report.extend(signer);
        report.extend([0; 96]);
        report.extend(product.to_le_bytes());
        report.extend(platform.qe_svn.to_le_bytes());
        report.extend([0; 60]);
        report.extend(vouched);
        report.extend([0; 32]);
        report
    }
}

/// A count of bytes as quotes write it; all of them are far below 4 GiB.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}
