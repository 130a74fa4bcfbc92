use super::{detect, discover_at};
use crate::scripted::{Scripted, Step, answer};
use crate::{EngineKind, EngineOptions};

/// A server that knows these paths.
async fn serve(paths: &'static [(&'static str, &'static str)]) -> Scripted {
    Scripted::by(|_, request| {
        let known = paths
            .iter()
            .find(|(path, _)| request.starts_with(&format!("GET {path} ")));
        vec![known.map_or_else(
            || answer("404 Not Found", "application/json", "{}"),
            |(_, body)| answer("200 OK", "application/json", body),
        )]
    })
    .await
}

const LIST: &str = r#"{"object":"list","data":[{"id":"m","owned_by":"library"}]}"#;

#[tokio::test]
async fn each_kind_is_told_by_its_own_answers() {
    for (paths, kind) in [
        (
            &[("/v1/models", r#"{"data":[{"id":"m","owned_by":"vllm"}]}"#)][..],
            Some(EngineKind::Vllm),
        ),
        (
            &[("/v1/models", r#"{"data":[{"id":"m","owned_by":"sglang"}]}"#)],
            Some(EngineKind::Sglang),
        ),
        (
            &[("/v1/models", r#"{"data":[{"id":"m","owned_by":"llamacpp"}]}"#)],
            Some(EngineKind::LlamaCpp),
        ),
        (
            &[("/v1/models", LIST), ("/api/version", r#"{"version":"1"}"#)],
            Some(EngineKind::Ollama),
        ),
        (
            &[
                ("/v1/models", r#"{"data":[]}"#),
                ("/api/version", r#"{"version":"1"}"#),
            ],
            Some(EngineKind::Ollama),
        ),
        (
            &[("/v1/models", LIST), ("/api/v0/models", r#"{"data":[]}"#)],
            Some(EngineKind::LmStudio),
        ),
        (
            &[("/v1/models", LIST), ("/api/version", "[]")],
            Some(EngineKind::Generic),
        ),
        (&[("/v1/models", LIST)], Some(EngineKind::Generic)),
        (&[("/v1/models", "<html>")], None),
        (&[("/", "{}")], None),
    ] {
        let server = serve(paths).await;
        assert_eq!(
            detect(&server.address(), &EngineOptions::default()).await,
            kind,
            "{paths:?}"
        );
    }
}

#[tokio::test]
async fn engines_are_found_in_the_order_of_preference_and_silence_is_no_engine() {
    let ollama = serve(&[("/v1/models", LIST), ("/api/version", r#"{"version":"1"}"#)]).await;
    let silent = Scripted::start(vec![vec![Step::AwaitClose]]).await;
    let vllm = serve(&[("/v1/models", r#"{"data":[{"id":"m","owned_by":"vllm"}]}"#)]).await;
    let gone = serve(&[]).await.addr.port();
    let ports = [silent.addr.port(), ollama.addr.port(), gone, vllm.addr.port()];
    let found = discover_at(&ports).await;
    let kinds: Vec<EngineKind> = found.iter().map(|found| found.kind).collect();
    assert_eq!(kinds, [EngineKind::Ollama, EngineKind::Vllm]);
    assert_eq!(found[0].address, ollama.address());
}
