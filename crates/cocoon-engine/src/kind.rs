use std::fmt;

/// What serves the model. The kind decides which request fields are refused, and where health is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's `llama-server`.
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// LM Studio.
    LmStudio,
    /// Our own, started and watched by the worker.
    BuiltIn,
    /// Any other server of OpenAI's API: refuses what any known engine is refused.
    Generic,
}

/// The text names no kind of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of engine: expected vllm, sglang, llama.cpp, ollama, lm-studio or generic")]
pub struct EngineKindError;

// === impl EngineKind ===

impl EngineKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Vllm,
        Self::Sglang,
        Self::LlamaCpp,
        Self::Ollama,
        Self::LmStudio,
        Self::BuiltIn,
        Self::Generic,
    ];

    /// The word for people and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::LlamaCpp => "llama.cpp",
            Self::Ollama => "ollama",
            Self::LmStudio => "lm-studio",
            Self::BuiltIn => "built-in",
            Self::Generic => "generic",
        }
    }

    /// Where the engine says that it is well.
    pub(crate) const fn health_path(self) -> &'static str {
        match self {
            Self::Vllm | Self::Sglang | Self::LlamaCpp | Self::BuiltIn => "/health",
            Self::Ollama => "/api/version",
            Self::LmStudio | Self::Generic => "/v1/models",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for EngineKind {
    type Err = EngineKindError;
    /// A kind that a person may name; the built-in engine is none, since only the worker can start it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .filter(|kind| *kind != Self::BuiltIn)
            .find(|kind| kind.as_str() == text)
            .ok_or(EngineKindError)
    }
}
