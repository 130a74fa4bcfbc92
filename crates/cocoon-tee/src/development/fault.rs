/// One way in which development evidence can be bad. Everything else about it stays genuine, so that exactly one check can
/// catch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A certificate of the PKI.
    Certificate(Certificate, CertificateFault),
    /// A revocation list.
    List(List, ListFault),
    /// The TCB info.
    TcbInfo(TextFault),
    /// The QE identity.
    QeIdentity(TextFault),
    /// What the platform is, as its certificate and the TCB info say.
    Platform(PlatformFault),
    /// The quoting enclave.
    Qe(QeFault),
    /// The trust domain.
    Domain(DomainFault),
    /// The form of the quote.
    Form(FormFault),
}

/// A certificate of the development PKI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// The root that a verifier is given.
    Root,
    /// Issues certificates of platforms.
    PckCa,
    /// Of the platform.
    Pck,
    /// Signs TCB infos.
    TcbSigner,
    /// Signs QE identities.
    QeIdentitySigner,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateFault {
    /// It ended a second ago.
    Expired,
    /// It begins in a second.
    NotYetValid,
    /// Its issuer's list names it.
    Revoked,
    /// Another key signed it (of the root: it has another key than the one that signs).
    ForeignKey,
    /// It names another issuer. The root names nobody, so for it this is nothing.
    ForeignIssuer,
}

/// A revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// The root's.
    Root,
    /// The PCK CA's.
    Pck,
}

/// What is wrong with a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListFault {
    /// The next one was due a second ago.
    Expired,
    /// It is from the future.
    NotYetValid,
    /// Another key signed it.
    ForeignKey,
    /// It names another issuer.
    ForeignIssuer,
    /// It is cut in the middle.
    Malformed,
}

/// What is wrong with TCB info or QE identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextFault {
    /// The next one was due a second ago.
    Expired,
    /// It is from the future.
    NotYetValid,
    /// Another key signed it.
    ForeignKey,
    /// A blank was added after it was signed.
    Altered,
    /// It is cut in the middle, and signed like that.
    Malformed,
    /// It is the one for SGX.
    OtherKind,
}

/// What is wrong with the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlatformFault {
    /// Its TCB status.
    OutOfDate,
    /// Its TCB status.
    ConfigurationNeeded,
    /// Its TCB status.
    SwHardeningNeeded,
    /// Its TCB status.
    ConfigurationAndSwHardeningNeeded,
    /// Its TCB status.
    OutOfDateConfigurationNeeded,
    /// Its TCB status.
    Revoked,
    /// The domain was started before the TDX module was updated (TDX 1.5).
    RelaunchAdvised,
    /// The TDX module is out of date.
    ModuleOutOfDate,
    /// The TDX module is revoked.
    ModuleRevoked,
    /// It is up to date, and open to an advisory.
    Advisory,
    /// The collateral is of another kind of platform.
    OtherFmspc,
    /// It is below every TCB level.
    NoLevel,
    /// The TCB info does not know its TDX module.
    NoModule,
    /// The TDX module is signed by somebody else.
    ModuleSigner,
    /// The TDX module has attributes that it must not have.
    ModuleAttributes,
    /// The collateral is of an evaluation before [`super::TCB_EVALUATION`].
    OldEvaluation,
    /// It runs with SMT.
    Smt,
    /// Packages can be added to it.
    DynamicPlatform,
    /// The maker keeps its root keys.
    CachedKeys,
    /// Its certificate does not say what it is.
    NoExtension,
}

/// What is wrong with the quoting enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QeFault {
    /// Another key than the platform's signed its report.
    ForeignKey,
    /// Its report vouches for another attestation key.
    ReportData,
    /// Signed by somebody else.
    Signer,
    /// Another enclave of the same signer.
    Product,
    /// In debug mode.
    Attributes,
    /// With other extended state.
    Miscellaneous,
    /// Below every level of the QE identity.
    NoLevel,
    /// Out of date.
    OutOfDate,
    /// Revoked.
    Revoked,
}

/// What is wrong with the trust domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainFault {
    /// In debug mode.
    Debug,
    /// Profiled by the host.
    Profiling,
    /// Can be migrated.
    Migratable,
    /// The host may take its pages away unnoticed.
    NoSeptVeDisable,
    /// A service domain is bound to it (TDX 1.5).
    ServiceTd,
    /// It carries the extended structure of service domains (TDX 1.5).
    ServiceTdExtension,
    /// A reserved attribute is set.
    Reserved,
    /// It may use performance counters.
    Perfmon,
    /// A measurement was changed after signing.
    Altered,
    /// The report data is of somebody else.
    ReportData,
}

/// What is wrong with the form of the quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormFault {
    /// The last byte is missing.
    Truncated,
    /// A byte that is not zero follows.
    Trailing,
    /// Longer than any quote.
    TooLong,
    /// The signature data is longer than its content.
    Length,
    /// Version 3.
    Version,
    /// An SGX enclave.
    TeeType,
    /// ECDSA on P-384.
    KeyType,
    /// Another maker's quoting enclave.
    Vendor,
    /// An unknown body (version 5).
    BodyType,
    /// A size that does not fit the body (version 5).
    BodySize,
    /// Certification data that is no QE report.
    Certification,
    /// PCK certification data that is no chain.
    PckCertification,
    /// No QE authentication data.
    AuthData,
    /// The platform's certificate alone.
    ShortChain,
    /// One certificate more than a chain has.
    LongChain,
    /// The chain is not PEM.
    NoPem,
}

// === impl Fault ===

impl Fault {
    /// Each of them, once. [`Certificate::Root`] with [`CertificateFault::ForeignIssuer`] is none.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for certificate in Certificate::ALL {
            for fault in CertificateFault::ALL {
                if (certificate, fault) != (Certificate::Root, CertificateFault::ForeignIssuer) {
                    all.push(Self::Certificate(certificate, fault));
                }
            }
        }
        for list in [List::Root, List::Pck] {
            all.extend(ListFault::ALL.map(|fault| Self::List(list, fault)));
        }
        all.extend(TextFault::ALL.map(Self::TcbInfo));
        all.extend(TextFault::ALL.map(Self::QeIdentity));
        all.extend(PlatformFault::ALL.map(Self::Platform));
        all.extend(QeFault::ALL.map(Self::Qe));
        all.extend(DomainFault::ALL.map(Self::Domain));
        all.extend(FormFault::ALL.map(Self::Form));
        all
    }
}

/// Lists every variant; the match makes the compiler count with us.
macro_rules! all {
    ($name:ident: $($variant:ident),+ $(,)?) => {
        impl $name {
            const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];

            #[expect(dead_code, reason = "a new variant must be listed: the match fails to compile without it")]
            const fn is_listed(self) {
                match self {
                    $(Self::$variant => {})+
                }
            }
        }
    };
}

all!(Certificate: Root, PckCa, Pck, TcbSigner, QeIdentitySigner);
all!(CertificateFault: Expired, NotYetValid, Revoked, ForeignKey, ForeignIssuer);
all!(ListFault: Expired, NotYetValid, ForeignKey, ForeignIssuer, Malformed);
all!(TextFault: Expired, NotYetValid, ForeignKey, Altered, Malformed, OtherKind);
all!(
    PlatformFault: OutOfDate, ConfigurationNeeded, SwHardeningNeeded, ConfigurationAndSwHardeningNeeded,
    OutOfDateConfigurationNeeded, Revoked, RelaunchAdvised, ModuleOutOfDate, ModuleRevoked, Advisory, OtherFmspc, NoLevel,
    NoModule, ModuleSigner, ModuleAttributes, OldEvaluation, Smt, DynamicPlatform, CachedKeys, NoExtension,
);
all!(
    QeFault: ForeignKey, ReportData, Signer, Product, Attributes, Miscellaneous, NoLevel, OutOfDate, Revoked,
);
all!(
    DomainFault: Debug, Profiling, Migratable, NoSeptVeDisable, ServiceTd, ServiceTdExtension, Reserved, Perfmon, Altered,
    ReportData,
);
all!(
    FormFault: Truncated, Trailing, TooLong, Length, Version, TeeType, KeyType, Vendor, BodyType, BodySize, Certification,
    PckCertification, AuthData, ShortChain, LongChain, NoPem,
);
