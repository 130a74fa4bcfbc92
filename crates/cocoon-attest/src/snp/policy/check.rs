//! Steps 9 to 13: the policy, in the order of its fields.

use super::{SnpGuestRules, SnpMeasurements, SnpPlatformRules, SnpPolicy, SnpProductRule};
use crate::snp::SnpTcbs;
use crate::snp::product::{SnpCpu, SnpProduct};
use crate::snp::refusal::SnpRefusal;
use crate::snp::report::{Report, SnpKeyKind};
use crate::snp::tcb::{SnpTcb, SnpTcbKind};

impl SnpPolicy {
    pub(in crate::snp) fn check(
        &self,
        report: &Report<'_>,
        product: SnpProduct,
        tcbs: &SnpTcbs,
    ) -> Result<(), SnpRefusal> {
        self.check_tcb(report, product, tcbs)?;
        self.guest.check(report)?;
        self.platform.check(report)?;
        self.check_guest(report)?;
        self.check_expected(report)
    }

    /// Step 9: what the machine is and runs.
    fn check_tcb(&self, report: &Report<'_>, product: SnpProduct, tcbs: &SnpTcbs) -> Result<(), SnpRefusal> {
        let rule = self
            .products
            .iter()
            .find(|rule| rule.product == product)
            .ok_or(SnpRefusal::Product(product))?;
        if report.key_kind == SnpKeyKind::Vlek && !self.allow_vlek {
            return Err(SnpRefusal::LoadedKey);
        }
        let minimum = rule.minimum_for(report.cpu)?;
        for (kind, tcb) in [
            (SnpTcbKind::Reported, tcbs.reported),
            (SnpTcbKind::Committed, tcbs.committed),
            (SnpTcbKind::Current, tcbs.current),
            (SnpTcbKind::Launch, tcbs.launch),
        ] {
            if let Some(part) = tcb.first_below(&minimum) {
                let (got, least) = (tcb.part(part), minimum.part(part));
                return Err(SnpRefusal::Tcb {
                    kind,
                    part,
                    got,
                    least,
                });
            }
        }
        let provisional =
            tcbs.committed != tcbs.current || report.committed_firmware != report.current_firmware;
        if provisional && !self.allow_provisional_firmware {
            return Err(SnpRefusal::ProvisionalFirmware);
        }
        // The committed one: what runs can be rolled back to it.
        let (got, least) = (report.committed_firmware, self.minimum_firmware);
        if got < least {
            return Err(SnpRefusal::Firmware { got, least });
        }
        Ok(())
    }

    /// Step 12: who asked, and whose guest it is.
    fn check_guest(&self, report: &Report<'_>) -> Result<(), SnpRefusal> {
        let (got, most) = (report.vmpl, self.maximum_vmpl);
        if got > most {
            return Err(SnpRefusal::Vmpl { got, most });
        }
        let (got, least) = (report.guest_svn, self.minimum_guest_svn);
        if got < least {
            return Err(SnpRefusal::GuestSvn { got, least });
        }
        if !allows(&self.id_keys, report.id_key_digest) {
            return Err(SnpRefusal::IdKey);
        }
        if !allows(&self.author_keys, report.author_key_digest) {
            return Err(SnpRefusal::AuthorKey);
        }
        Ok(())
    }

    /// Step 13: what runs, and for whom.
    fn check_expected(&self, report: &Report<'_>) -> Result<(), SnpRefusal> {
        match &self.measurements {
            SnpMeasurements::ByCaller => {}
            SnpMeasurements::Listed(list) if list.contains(report.measurement) => {}
            SnpMeasurements::Listed(_) => return Err(SnpRefusal::Measurement),
        }
        if self
            .host_data
            .is_some_and(|expected| expected != *report.host_data)
        {
            return Err(SnpRefusal::HostData);
        }
        if self
            .report_data
            .is_some_and(|expected| expected != *report.report_data)
        {
            return Err(SnpRefusal::ReportData);
        }
        Ok(())
    }
}

impl SnpProductRule {
    /// The minimum with the microcode of this kind of processor in it.
    fn minimum_for(&self, cpu: Option<SnpCpu>) -> Result<SnpTcb, SnpRefusal> {
        let mut minimum = self.minimum;
        if !self.microcode.is_empty() {
            let kind = self.microcode.iter().find(|kind| Some(kind.cpu) == cpu);
            let kind = kind.ok_or(SnpRefusal::ProcessorNotListed(cpu))?;
            minimum.microcode = minimum.microcode.max(kind.least);
        }
        Ok(minimum)
    }
}

impl SnpGuestRules {
    /// Step 10.
    fn check(&self, report: &Report<'_>) -> Result<(), SnpRefusal> {
        let guest = report.guest_policy;
        let faults = [
            (guest.debug() && !self.allow_debug, "allows debugging"),
            (
                guest.migration_agent() && !self.allow_migration_agent,
                "allows a migration agent",
            ),
            (guest.smt() && !self.allow_smt, "allows SMT"),
            (guest.cxl() && !self.allow_cxl, "allows CXL"),
            (
                self.require_single_socket && !guest.single_socket(),
                "allows more than one socket",
            ),
            (
                self.require_aes_256 && !guest.aes_256(),
                "does not ask for AES-256",
            ),
            (
                self.require_rapl_disabled && !guest.rapl_disabled(),
                "does not ask for RAPL to be off",
            ),
            (
                self.require_ciphertext_hiding && !guest.ciphertext_hiding(),
                "does not ask for ciphertext hiding",
            ),
            (
                self.require_page_swap_disabled && !guest.page_swap_disabled(),
                "allows pages to be swapped",
            ),
            (guest.abi() < self.minimum_abi, "asks for too old an ABI"),
        ];
        first(&faults).map_or(Ok(()), |fault| Err(SnpRefusal::Guest(fault)))
    }
}

impl SnpPlatformRules {
    /// Step 11.
    fn check(&self, report: &Report<'_>) -> Result<(), SnpRefusal> {
        let platform = report.platform;
        let faults = [
            (platform.smt() && !self.allow_smt, "has SMT on"),
            (
                self.require_tsme && !platform.tsme(),
                "does not encrypt all memory (TSME)",
            ),
            (self.require_ecc && !platform.ecc(), "has memory without ECC"),
            (
                self.require_rapl_disabled && !platform.rapl_disabled(),
                "has RAPL on",
            ),
            (
                self.require_ciphertext_hiding && !platform.ciphertext_hiding(),
                "does not hide ciphertext",
            ),
            (
                self.require_alias_check && !platform.alias_check(),
                "has not checked its memory for aliases",
            ),
        ];
        first(&faults).map_or(Ok(()), |fault| Err(SnpRefusal::Platform(fault)))
    }
}

fn first(faults: &[(bool, &'static str)]) -> Option<&'static str> {
    faults.iter().find_map(|&(is, fault)| is.then_some(fault))
}

fn allows(list: &Option<Vec<[u8; 48]>>, digest: &[u8; 48]) -> bool {
    list.as_ref().is_none_or(|list| list.contains(digest))
}
