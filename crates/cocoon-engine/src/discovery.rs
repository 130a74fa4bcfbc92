use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use crate::{Engine, EngineAddress, EngineKind, EngineOptions, Timers};

/// Where each kind of engine listens when nobody says otherwise, in the order in which they are preferred: those that
/// serve many at once first.
pub const USUAL_PORTS: [(u16, EngineKind); 5] = [
    (8000, EngineKind::Vllm),
    (30000, EngineKind::Sglang),
    (8080, EngineKind::LlamaCpp),
    (11434, EngineKind::Ollama),
    (1234, EngineKind::LmStudio),
];

/// Patience with one port of this machine; a refused connection takes no time at all.
const PROBE: Duration = Duration::from_millis(1500);

/// An engine that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it listens.
    pub address: EngineAddress,
    /// What it is, by its own answers; the port counts for nothing.
    pub kind: EngineKind,
}

/// Looks for engines on the usual ports of this machine, all at once; those found, best first.
pub async fn discover() -> Vec<Found> {
    discover_at(&USUAL_PORTS.map(|(port, _)| port)).await
}

async fn discover_at(ports: &[u16]) -> Vec<Found> {
    let probes = ports.iter().map(|port| async move {
        let address = EngineAddress::of(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
        let options = EngineOptions {
            key: None,
            timers: Timers {
                connect: PROBE,
                probe: PROBE,
                ..Timers::default()
            },
        };
        let kind = detect(&address, &options).await?;
        Some(Found { address, kind })
    });
    join_all(probes).await.into_iter().flatten().collect()
}

/// Asks a server what it is; `None` when it does not list models as OpenAI's API does.
pub async fn detect(address: &EngineAddress, options: &EngineOptions) -> Option<EngineKind> {
    let engine = Engine::new(address.clone(), EngineKind::Generic, options);
    let models = engine.models().await.ok()?;
    let owner = models.first().map(|model| model.owner.as_str());
    let by_owner = match owner {
        Some("vllm") => Some(EngineKind::Vllm),
        Some("sglang") => Some(EngineKind::Sglang),
        Some("llamacpp") => Some(EngineKind::LlamaCpp),
        _ => None,
    };
    if by_owner.is_some() {
        return by_owner;
    }
    // The others do not name themselves there, but each has a path of its own.
    for (path, member, kind) in [
        ("/api/version", "version", EngineKind::Ollama),
        ("/api/v0/models", "data", EngineKind::LmStudio),
        ("/props", "default_generation_settings", EngineKind::LlamaCpp),
        ("/get_model_info", "model_path", EngineKind::Sglang),
    ] {
        let Ok(text) = engine.get(path).await else {
            continue;
        };
        let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
        if object.is_ok_and(|object| object.contains_key(member)) {
            return Some(kind);
        }
    }
    Some(EngineKind::Generic)
}

#[cfg(test)]
mod tests;
