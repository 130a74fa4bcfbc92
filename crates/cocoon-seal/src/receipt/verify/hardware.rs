//! What the evidence behind a receipt shows.

use cocoon_types::Tier;

use super::{Appraised, Checks, Parts, hold};
use crate::Digest;
use crate::receipt::EnginePlace;
use crate::receipt::bundle::evidence_digest;
use crate::receipt::report::{Report, Standing, Subject};

impl Parts {
    pub(super) fn hardware(&self, checks: &Checks<'_>, report: &mut Report) {
        let closing = &self.receipt.closing;
        let bound = hold(&[
            (
                Digest::of_statement(&self.bundle.statement) == closing.statement,
                "the receipt names another statement",
            ),
            (
                evidence_digest(&self.bundle.evidence) == closing.evidence,
                "the receipt names other evidence",
            ),
        ]);
        if let Err(why) = bound {
            report.add(Subject::Hardware, Standing::failed(why));
            return;
        }
        let Some(appraiser) = checks.appraiser else {
            let why = "the evidence is here, and nobody judged it";
            report.add(Subject::Hardware, Standing::not_shown(why));
            for subject in [Subject::Tier, Subject::Model, Subject::Engine, Subject::Usage] {
                report.add(subject, Standing::claimed("the worker"));
            }
            return;
        };
        let judged = appraiser.appraise(&self.bundle.statement, &self.bundle.evidence, closing.started);
        let appraised = match judged {
            Ok(appraised) => appraised,
            Err(why) => return report.add(Subject::Hardware, Standing::failed(why)),
        };
        let fits = hold(&[
            (
                appraised.sealing_key == self.bundle.sealing_key,
                "the statement carries another sealing key",
            ),
            (
                appraised.accelerators == closing.accelerators,
                "the receipt names other accelerators than the statement",
            ),
        ]);
        report.add(
            Subject::Hardware,
            match fits {
                Ok(()) if appraised.tier == Tier::Simulated => {
                    Standing::claimed(appraised.vouched_by.clone())
                }
                Ok(()) => Standing::proven(appraised.vouched_by.clone()),
                Err(why) => Standing::failed(why),
            },
        );
        self.measured(&appraised, report);
    }

    /// What follows from evidence that holds.
    fn measured(&self, appraised: &Appraised, report: &mut Report) {
        let closing = &self.receipt.closing;
        // Anybody can make simulated evidence.
        let simulated = (appraised.tier == Tier::Simulated).then_some(&appraised.vouched_by);
        let by = || match appraised.unjudged.as_ref().or(simulated) {
            None => Standing::proven(appraised.vouched_by.clone()),
            Some(whom) => Standing::claimed(whom.clone()),
        };
        let tier = if appraised.tier == self.receipt.tier {
            by()
        } else {
            Standing::failed("the evidence is worth another tier")
        };
        report.add(Subject::Tier, tier);
        let measured = appraised.engine_place == EnginePlace::Measured;
        let of_engine = |fits: bool, why: &str| {
            if !fits || closing.engine_place != appraised.engine_place {
                Standing::failed(why)
            } else if measured {
                by()
            } else {
                Standing::claimed("the worker: its engine is not part of what was measured")
            }
        };
        let model = of_engine(
            appraised.model == closing.model,
            "the receipt names another model",
        );
        report.add(Subject::Model, model);
        let engine = of_engine(
            appraised.engine == closing.engine,
            "the receipt names another engine",
        );
        report.add(Subject::Engine, engine);
        report.add(
            Subject::Usage,
            of_engine(true, "the receipt places the engine elsewhere"),
        );
    }
}
