//! Every knob, and the one check that catches it.

use super::*;

/// What the strictest policy says to evidence with this fault. `None`: the quote's form has no room for it.
fn expected(fault: Fault, format: QuoteFormat) -> Option<TdxRefusal> {
    let until = NOW - 1;
    let from = NOW + 1;
    let v5 = format != QuoteFormat::V4;
    Some(match fault {
        Fault::Certificate(which, fault) => {
            let item = match which {
                Certificate::Root => Item::Root,
                Certificate::PckCa => Item::PckCa,
                Certificate::Pck => Item::Pck,
                Certificate::TcbSigner => Item::TcbSigner,
                Certificate::QeIdentitySigner => Item::QeIdentitySigner,
            };
            match fault {
                CertificateFault::Expired => TdxRefusal::Expired { item, until },
                CertificateFault::NotYetValid => TdxRefusal::NotYetValid { item, from },
                CertificateFault::Revoked => TdxRefusal::Revoked(item),
                // Another root of the same name: what the real one signed first is refused first.
                CertificateFault::ForeignKey if which == Certificate::Root => {
                    TdxRefusal::Signature(Item::RootCrl)
                }
                CertificateFault::ForeignKey => TdxRefusal::Signature(item),
                CertificateFault::ForeignIssuer => TdxRefusal::Issuer(item),
            }
        }
        Fault::List(which, fault) => {
            let item = match which {
                List::Root => Item::RootCrl,
                List::Pck => Item::PckCrl,
            };
            match fault {
                // A list ends a second before the next one is due.
                ListFault::Expired => TdxRefusal::Expired {
                    item,
                    until: until - 1,
                },
                ListFault::NotYetValid => TdxRefusal::NotYetValid { item, from },
                ListFault::ForeignKey => TdxRefusal::Signature(item),
                ListFault::ForeignIssuer => TdxRefusal::Issuer(item),
                ListFault::Malformed => TdxRefusal::Malformed(item),
            }
        }
        Fault::TcbInfo(fault) => text(fault, Item::TcbInfo, TdxRefusal::TcbInfoKind),
        Fault::QeIdentity(fault) => text(fault, Item::QeIdentity, TdxRefusal::QeIdentityKind),
        Fault::Platform(fault) => match fault {
            PlatformFault::OutOfDate | PlatformFault::ModuleOutOfDate => {
                TdxRefusal::TcbStatus(TcbStatus::OutOfDate)
            }
            PlatformFault::ConfigurationNeeded => TdxRefusal::TcbStatus(TcbStatus::ConfigurationNeeded),
            PlatformFault::SwHardeningNeeded => TdxRefusal::TcbStatus(TcbStatus::SwHardeningNeeded),
            PlatformFault::ConfigurationAndSwHardeningNeeded => {
                TdxRefusal::TcbStatus(TcbStatus::ConfigurationAndSwHardeningNeeded)
            }
            PlatformFault::OutOfDateConfigurationNeeded => {
                TdxRefusal::TcbStatus(TcbStatus::OutOfDateConfigurationNeeded)
            }
            PlatformFault::Revoked | PlatformFault::ModuleRevoked => TdxRefusal::TcbRevoked,
            // TDX 1.0 does not tell that the module was updated since: out of date it is.
            PlatformFault::RelaunchAdvised if v5 => TdxRefusal::TcbStatus(TcbStatus::RelaunchAdvised),
            PlatformFault::RelaunchAdvised => TdxRefusal::TcbStatus(TcbStatus::OutOfDate),
            PlatformFault::Advisory => {
                return Some(TdxRefusal::Advisory(cocoon_attest::tdx::AdvisoryId::new(
                    ADVISORY,
                )));
            }
            PlatformFault::OtherFmspc => TdxRefusal::Fmspc,
            PlatformFault::NoLevel | PlatformFault::NoModule => TdxRefusal::TcbLevel,
            PlatformFault::ModuleSigner => TdxRefusal::TdxModule("signer"),
            PlatformFault::ModuleAttributes => TdxRefusal::TdxModule("attributes"),
            PlatformFault::OldEvaluation => TdxRefusal::TcbEvaluation {
                found: TCB_EVALUATION - 1,
                least: TCB_EVALUATION,
            },
            PlatformFault::Smt => TdxRefusal::Smt,
            PlatformFault::DynamicPlatform => TdxRefusal::DynamicPlatform,
            PlatformFault::CachedKeys => TdxRefusal::CachedKeys,
            PlatformFault::NoExtension => TdxRefusal::Malformed(Item::Pck),
        },
        Fault::Qe(fault) => match fault {
            QeFault::ForeignKey => TdxRefusal::Signature(Item::QeReport),
            QeFault::ReportData => TdxRefusal::QeReportData,
            QeFault::Signer => TdxRefusal::QeIdentity("signer"),
            QeFault::Product => TdxRefusal::QeIdentity("product id"),
            QeFault::Attributes => TdxRefusal::QeIdentity("attributes"),
            QeFault::Miscellaneous => TdxRefusal::QeIdentity("miscellaneous selection"),
            QeFault::NoLevel => TdxRefusal::QeIdentity("security version"),
            QeFault::OutOfDate => TdxRefusal::TcbStatus(TcbStatus::OutOfDate),
            QeFault::Revoked => TdxRefusal::TcbRevoked,
        },
        Fault::Domain(fault) => match fault {
            DomainFault::Debug | DomainFault::Profiling => TdxRefusal::Debug,
            DomainFault::Migratable => TdxRefusal::Migratable,
            DomainFault::NoSeptVeDisable => TdxRefusal::SeptVeDisable,
            DomainFault::ServiceTd if v5 => TdxRefusal::ServiceTd,
            DomainFault::ServiceTd => return None,
            DomainFault::ServiceTdExtension => TdxRefusal::ServiceTd,
            DomainFault::Reserved => TdxRefusal::ReservedAttributes,
            DomainFault::Perfmon => TdxRefusal::Attributes((1 << 63) | (1 << 28)),
            DomainFault::Altered => TdxRefusal::Signature(Item::Quote),
            // Genuine, about somebody else: only the appraisal of a certificate can tell (see `appraisal`).
            DomainFault::ReportData => return None,
        },
        Fault::Form(fault) => match fault {
            FormFault::Truncated => TdxRefusal::QuoteTruncated("signature data"),
            FormFault::Trailing => TdxRefusal::TrailingBytes,
            FormFault::TooLong => TdxRefusal::QuoteTooLong,
            FormFault::Length => TdxRefusal::QuoteLength("signature data"),
            FormFault::Version => TdxRefusal::QuoteVersion(3),
            FormFault::TeeType => TdxRefusal::TeeType(0),
            FormFault::KeyType => TdxRefusal::KeyType(3),
            FormFault::Vendor => TdxRefusal::QeVendor,
            FormFault::BodyType if v5 => TdxRefusal::BodyType(9),
            FormFault::BodySize if v5 => {
                TdxRefusal::BodySize(if format == QuoteFormat::V5 { 649 } else { 886 })
            }
            FormFault::BodyType | FormFault::BodySize => return None,
            FormFault::Certification => TdxRefusal::CertificationData(5),
            FormFault::PckCertification => TdxRefusal::PckCertificationData(3),
            FormFault::AuthData => TdxRefusal::QeAuthData(0),
            FormFault::ShortChain => TdxRefusal::ChainLength {
                item: Item::Pck,
                count: 1,
            },
            FormFault::LongChain => TdxRefusal::ChainLength {
                item: Item::Pck,
                count: 4,
            },
            FormFault::NoPem => TdxRefusal::Malformed(Item::Pck),
        },
    })
}

fn text(fault: TextFault, item: Item, kind: TdxRefusal) -> TdxRefusal {
    match fault {
        TextFault::Expired => TdxRefusal::Expired { item, until: NOW - 1 },
        TextFault::NotYetValid => TdxRefusal::NotYetValid { item, from: NOW + 1 },
        TextFault::ForeignKey | TextFault::Altered => TdxRefusal::Signature(item),
        TextFault::Malformed => TdxRefusal::Malformed(item),
        TextFault::OtherKind => kind,
    }
}

fn strict() -> TdxPolicy {
    TdxPolicy {
        min_tcb_evaluation: TCB_EVALUATION,
        ..TdxPolicy::default()
    }
}

/// Goes through the faults that `part` picks, in every form of quote; gives those that had no effect.
fn refused(part: fn(&Fault) -> bool) -> Vec<(Fault, QuoteFormat)> {
    let mut without_effect = Vec::new();
    for fault in Fault::all().into_iter().filter(part) {
        let tee = DevelopmentTee::with_fault(NOW, fault).unwrap();
        for format in FORMATS {
            let found = verify_own(&tee, format, &strict(), NOW);
            match expected(fault, format) {
                Some(refusal) => assert_eq!(found, Err(refusal), "{fault:?} in {format:?}"),
                None => {
                    assert!(found.is_ok(), "{fault:?} in {format:?}: {found:?}");
                    without_effect.push((fault, format));
                }
            }
        }
    }
    without_effect
}

#[test]
fn every_fault_of_the_pki_is_refused_by_its_own_check() {
    let of_pki = |fault: &Fault| matches!(fault, Fault::Certificate(..) | Fault::List(..));
    assert_eq!(refused(of_pki), []);
}

#[test]
fn every_fault_of_collateral_and_platform_is_refused_by_its_own_check() {
    let of_platform = |fault: &Fault| {
        matches!(
            fault,
            Fault::TcbInfo(_) | Fault::QeIdentity(_) | Fault::Platform(_)
        )
    };
    assert_eq!(refused(of_platform), []);
}

#[test]
fn every_fault_of_the_quote_is_refused_by_its_own_check() {
    let of_quote = |fault: &Fault| matches!(fault, Fault::Qe(_) | Fault::Domain(_) | Fault::Form(_));
    let mut without_effect = refused(of_quote);
    // Nothing falls through but what a form has no room for, and report data, which is the certificate's affair.
    let report_data = Fault::Domain(DomainFault::ReportData);
    without_effect.retain(|(fault, _)| *fault != report_data);
    assert_eq!(
        without_effect,
        [
            (Fault::Domain(DomainFault::ServiceTd), QuoteFormat::V4),
            (Fault::Form(FormFault::BodyType), QuoteFormat::V4),
            (Fault::Form(FormFault::BodySize), QuoteFormat::V4),
        ]
    );
}

#[test]
fn faults_are_listed_once() {
    let all = Fault::all();
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert!(all.len() > 90, "{}", all.len());
}

#[test]
fn every_policy_decision_can_be_made_the_other_way() {
    use cocoon_attest::tdx::{Advisories, TcbStatuses};
    type Relax = fn(&mut TdxPolicy);
    let all_statuses = |policy: &mut TdxPolicy| {
        policy.tcb_statuses = TcbStatuses::NONE
            .and(TcbStatus::SwHardeningNeeded)
            .and(TcbStatus::ConfigurationNeeded)
            .and(TcbStatus::ConfigurationAndSwHardeningNeeded)
            .and(TcbStatus::OutOfDate)
            .and(TcbStatus::OutOfDateConfigurationNeeded)
            .and(TcbStatus::RelaunchAdvised);
        policy.out_of_date_grace = 91 * 86_400;
    };
    let table: &[(Fault, Relax)] = &[
        (Fault::Platform(PlatformFault::OutOfDate), all_statuses),
        (Fault::Platform(PlatformFault::ModuleOutOfDate), all_statuses),
        (Fault::Qe(QeFault::OutOfDate), all_statuses),
        (Fault::Platform(PlatformFault::ConfigurationNeeded), all_statuses),
        (Fault::Platform(PlatformFault::SwHardeningNeeded), all_statuses),
        (
            Fault::Platform(PlatformFault::ConfigurationAndSwHardeningNeeded),
            all_statuses,
        ),
        (
            Fault::Platform(PlatformFault::OutOfDateConfigurationNeeded),
            all_statuses,
        ),
        (Fault::Platform(PlatformFault::RelaunchAdvised), all_statuses),
        (Fault::Platform(PlatformFault::Advisory), |policy| {
            policy.advisories = Advisories::Only(vec![ADVISORY.to_lowercase()]);
        }),
        (Fault::Platform(PlatformFault::Advisory), |policy| {
            policy.advisories = Advisories::AllBut(vec!["INTEL-SA-00001".to_owned()]);
        }),
        (Fault::Platform(PlatformFault::OldEvaluation), |policy| {
            policy.min_tcb_evaluation = TCB_EVALUATION - 1;
        }),
        (Fault::Platform(PlatformFault::Smt), |policy| {
            policy.allow_smt = true;
        }),
        (Fault::Platform(PlatformFault::DynamicPlatform), |policy| {
            policy.allow_dynamic_platform = true;
        }),
        (Fault::Platform(PlatformFault::CachedKeys), |policy| {
            policy.allow_cached_keys = true;
        }),
        (Fault::Domain(DomainFault::Debug), |policy| {
            policy.allow_debug = true;
        }),
        (Fault::Domain(DomainFault::Profiling), |policy| {
            policy.allow_debug = true;
        }),
        (Fault::Domain(DomainFault::ServiceTd), |policy| {
            policy.allow_service_td = true;
        }),
        (Fault::Domain(DomainFault::Perfmon), |policy| {
            policy.attributes |= 1 << 63;
        }),
    ];
    for (fault, relax) in table {
        let tee = DevelopmentTee::with_fault(NOW, *fault).unwrap();
        let mut policy = strict();
        assert!(verify_own(&tee, QuoteFormat::V5, &policy, NOW).is_err());
        relax(&mut policy);
        let found = verify_own(&tee, QuoteFormat::V5, &policy, NOW);
        assert!(found.is_ok(), "{fault:?}: {found:?}");
    }
}

#[test]
fn grace_ends() {
    use cocoon_attest::tdx::TcbStatuses;
    let tee = DevelopmentTee::with_fault(NOW, Fault::Platform(PlatformFault::OutOfDate)).unwrap();
    let since = NOW - 90 * 86_400;
    let mut policy = TdxPolicy {
        tcb_statuses: TcbStatuses::NONE.and(TcbStatus::OutOfDate),
        out_of_date_grace: 90 * 86_400,
        ..TdxPolicy::default()
    };
    assert!(verify_own(&tee, QuoteFormat::V4, &policy, NOW).is_ok());
    policy.out_of_date_grace -= 1;
    assert_eq!(
        verify_own(&tee, QuoteFormat::V4, &policy, NOW),
        Err(TdxRefusal::OutOfDate { since })
    );
}
