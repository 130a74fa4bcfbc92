//! One answer from the API: shown as it comes, and given back whole for the conversation.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use cocoon_openai::SseReader;
use serde::Deserialize;

use crate::api;
use crate::exit::Hinted;
use crate::text::data;

/// An answer that stands still for this long is given up.
const SILENCE: Duration = Duration::from_secs(120);
/// The largest answer that is taken unstreamed, in bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Writes without a line end, at once.
pub(super) fn show(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Sends the request, shows the answer, and gives its text.
pub(super) async fn answer(
    request: reqwest::RequestBuilder,
    base: &str,
    as_json: bool,
) -> anyhow::Result<String> {
    let sent = tokio::time::timeout(SILENCE, request.send())
        .await
        .context("the gateway does not answer")?;
    let mut answer = sent.map_err(|error| api::unreachable(base, &error))?;
    if !answer.status().is_success() {
        return Err(api::refused(answer).await);
    }
    if as_json {
        let mut body = Vec::new();
        while let Some(bytes) = next(&mut answer).await? {
            anyhow::ensure!(
                body.len() + bytes.len() <= ANSWER_LIMIT,
                "the answer is larger than {ANSWER_LIMIT} bytes"
            );
            body.extend_from_slice(&bytes);
        }
        data!("{}", String::from_utf8_lossy(&body));
        return Ok(String::new());
    }
    let (mut reader, mut text, mut done) = (SseReader::default(), String::new(), false);
    while let Some(bytes) = next(&mut answer).await? {
        let batch = reader
            .push(bytes)
            .context("the gateway sent something that is not a stream of events")?;
        for (_, event) in batch.events() {
            match event.data().as_deref() {
                Some(b"[DONE]") => done = true,
                Some(payload) => {
                    let delta = delta(payload)?;
                    show(&delta);
                    text.push_str(&delta);
                }
                None => {}
            }
        }
    }
    data!("");
    if !done {
        return Err(Hinted::failed(
            "the answer was cut off",
            "ask again; the gateway's log says what broke",
        ));
    }
    Ok(text)
}

async fn next(answer: &mut reqwest::Response) -> anyhow::Result<Option<bytes::Bytes>> {
    let bytes = tokio::time::timeout(SILENCE, answer.chunk())
        .await
        .context("the answer stands still")?;
    bytes.context("the connection to the gateway broke in the middle of the answer")
}

/// The text that one event adds; an error event is an error.
fn delta(payload: &[u8]) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default)]
        choices: Vec<Choice>,
        error: Option<Failure>,
    }
    #[derive(Deserialize)]
    struct Choice {
        delta: Delta,
    }
    #[derive(Deserialize)]
    struct Delta {
        content: Option<String>,
    }
    #[derive(Deserialize)]
    struct Failure {
        message: String,
    }
    let event: Event =
        serde_json::from_slice(payload).context("the gateway sent an event that is not a chat chunk")?;
    if let Some(failure) = event.error {
        return Err(Hinted::failed(
            format!("the answer broke off: {}", failure.message),
            "ask again",
        ));
    }
    Ok(event
        .choices
        .into_iter()
        .filter_map(|choice| choice.delta.content)
        .collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_error_event_is_an_error_and_deltas_are_text() {
        let text = super::delta(br#"{"choices":[{"index":0,"delta":{"content":"Pa"}}],"id":"x"}"#).unwrap();
        assert_eq!(text, "Pa");
        assert_eq!(
            super::delta(br#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#).unwrap(),
            ""
        );
        let error =
            super::delta(br#"{"error":{"message":"the worker was lost","code":"worker_lost"}}"#).unwrap_err();
        assert!(error.to_string().contains("the worker was lost"));
    }
}
