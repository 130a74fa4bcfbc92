//! `structured_outputs` (vLLM): what to constrain passes, how the engine does it does not.

use std::collections::BTreeMap;

use cocoon_openai::fold_name;
use cocoon_types::Refusal;
use serde::de::IgnoredAny;

use super::unsupported;

pub(super) fn check(value: &[u8]) -> Result<(), Refusal> {
    let refuse = || unsupported("structured_outputs", "choose the engine's grammar backend");
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_slice(value).map_err(|_| refuse())?;
    let is_inner = |name: &String| name.starts_with('_') || fold_name(name).contains("backend");
    if members.keys().any(is_inner) {
        Err(refuse())
    } else {
        Ok(())
    }
}
