//! What a bundle shows: proven, claimed, not shown, or failed.

use cocoon_types::Tier;

use super::Receipt;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The file is whole and of this format.
    File,
    /// Heads, receipt and hashes are of one and the same exchange, within the limits that the client set.
    Exchange,
    /// The receipt is signed by the worker's receipt key.
    WorkerSignature,
    /// The worker stood in a signed offer list, at this price.
    Offer,
    /// The statement that carries the keys is backed by evidence.
    Hardware,
    /// The tier that served.
    Tier,
    /// The weights.
    Model,
    /// The engine.
    Engine,
    /// When it was.
    Time,
    /// How many tokens.
    Usage,
    /// What it cost.
    Price,
    /// The request that was given is the one.
    Request,
    /// The answer that was given is the one.
    Answer,
}

/// How well something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody need be believed but the named one.
    Proven {
        /// What it rests on.
        by: String,
    },
    /// Somebody says so.
    Claimed {
        /// Who.
        by: String,
    },
    /// The bundle, or whoever checks it, does not have what it takes.
    NotShown {
        /// What is missing.
        why: String,
    },
    /// It is not so: the bundle is worthless.
    Failed {
        /// What does not fit.
        why: String,
    },
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub standing: Standing,
}

/// All findings about a bundle, in the order in which they were checked.
#[derive(Clone, Debug)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
    /// The receipt, if there is one to be read; worth what the findings say.
    pub receipt: Option<Receipt>,
}

// === impl Report ===

impl Report {
    /// Whether nothing failed. What is only claimed or not shown is listed in the findings.
    pub fn is_valid(&self) -> bool {
        !self
            .findings
            .iter()
            .any(|finding| matches!(finding.standing, Standing::Failed { .. }))
    }

    /// How one subject stands.
    pub fn standing(&self, subject: Subject) -> Option<&Standing> {
        self.findings
            .iter()
            .find(|finding| finding.subject == subject)
            .map(|finding| &finding.standing)
    }

    /// The tier, if it is proven.
    pub fn proven_tier(&self) -> Option<Tier> {
        let proven = matches!(self.standing(Subject::Tier), Some(Standing::Proven { .. }));
        let receipt = self.receipt.as_ref()?;
        (proven && self.is_valid()).then_some(receipt.tier)
    }

    pub(crate) fn add(&mut self, subject: Subject, standing: Standing) {
        self.findings.push(Finding { subject, standing });
    }
}

// === impl Standing ===

impl Standing {
    pub(crate) fn proven(by: impl Into<String>) -> Self {
        Self::Proven { by: by.into() }
    }

    pub(crate) fn claimed(by: impl Into<String>) -> Self {
        Self::Claimed { by: by.into() }
    }

    pub(crate) fn not_shown(why: impl Into<String>) -> Self {
        Self::NotShown { why: why.into() }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into() }
    }

    /// The lower-case word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Proven { .. } => "proven",
            Self::Claimed { .. } => "claimed",
            Self::NotShown { .. } => "not shown",
            Self::Failed { .. } => "failed",
        }
    }

    /// By whom, or why.
    pub fn detail(&self) -> &str {
        match self {
            Self::Proven { by } | Self::Claimed { by } => by,
            Self::NotShown { why } | Self::Failed { why } => why,
        }
    }
}

impl Subject {
    /// The lower-case words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Exchange => "exchange",
            Self::WorkerSignature => "worker's signature",
            Self::Offer => "offer",
            Self::Hardware => "hardware",
            Self::Tier => "tier",
            Self::Model => "model",
            Self::Engine => "engine",
            Self::Time => "time",
            Self::Usage => "usage",
            Self::Price => "price",
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}
