//! Request and answer as a person has them: what the gateway took out of the one and added to the other is undone, as far as
//! that makes the salted hash fit. Nothing but the very bytes that were sealed ever does.

use bytes::Bytes;
use cocoon_openai::{RequestBody, unnoted};
use cocoon_seal::{Report, Standing, Subject};
use cocoon_types::Endpoint;

/// What was given beside the bundle.
#[derive(Clone)]
pub(super) struct Texts {
    pub(super) request: Option<Bytes>,
    pub(super) answer: Option<Bytes>,
}

impl Texts {
    /// The report with the forms of the texts that fit; with the texts as they are where none does.
    pub(super) fn best(&self, check: impl Fn(Option<&[u8]>, Option<&[u8]>) -> Report) -> Report {
        let first = check(self.request.as_deref(), self.answer.as_deref());
        let failed = |report: &Report, subject| {
            let standing = report.standing(subject);
            standing.is_some_and(|standing| matches!(standing, Standing::Failed { .. }))
        };
        let mut request = self.request.clone();
        if let Some(given) = &self.request
            && failed(&first, Subject::Request)
            && let Some(form) = sent_forms(given)
                .into_iter()
                .find(|form| !failed(&check(Some(form), None), Subject::Request))
        {
            request = Some(form);
        }
        let mut answer = self.answer.clone();
        if let Some(given) = &self.answer
            && failed(&first, Subject::Answer)
        {
            let plain = unnoted(given);
            if !failed(&check(None, Some(&plain)), Subject::Answer) {
                answer = Some(plain);
            }
        }
        if request == self.request && answer == self.answer {
            return first;
        }
        check(request.as_deref(), answer.as_deref())
    }
}

/// What the gateway seals of a body: without the `cocoon` object.
fn sent_forms(given: &Bytes) -> Vec<Bytes> {
    let form = |endpoint: &Endpoint| {
        let mut body = RequestBody::parse(*endpoint, given).ok()?;
        body.take_cocoon().ok()?;
        Some(body.to_bytes())
    };
    Endpoint::ALL.iter().filter_map(form).collect()
}
