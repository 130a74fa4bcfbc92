//! The model file: what it says of itself, its tokenizer, its chat template.

use std::path::Path;

use anyhow::{Context as _, bail};
use cocoon_types::Fault;
use llama_cpp_2::{
    LlamaContextLoadError, LogOptions,
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
    send_logs_to_tracing,
    token::LlamaToken,
};

use crate::{api::Problem, engine::Token, template::ChatTemplate};

/// A loaded model. Shared between the engine's thread and the requests that tokenize.
pub(crate) struct Model {
    backend: LlamaBackend,
    llama: LlamaModel,
    context_length: usize,
    template: Option<ChatTemplate>,
    /// Prepended to every prompt that does not begin with it, if the model wants it.
    bos: Option<Token>,
    suppressed: Vec<Token>,
    ends: Vec<Token>,
    /// Bytes of the longest token: no prompt longer than this times the context can fit.
    longest_piece: usize,
}

/// llama.cpp rounds a slot's context up to a multiple of this; we round down instead, so that nobody promises more.
const CONTEXT_STEP: usize = 256;
/// Largest chat template that is compiled, in bytes; the longest in use have about 20 KiB.
const MAX_TEMPLATE_BYTES: usize = 256 * 1024;

// === impl Model ===

impl Model {
    /// Loads the file. `context` is shortened to what the model was trained for.
    ///
    /// # Errors
    /// When the file is not a model that generates text, or there is no memory for it.
    pub(crate) fn load(path: &Path, context: usize, gpu_layers: Option<u32>) -> anyhow::Result<Self> {
        // Only while loading: later messages could hold content.
        send_logs_to_tracing(LogOptions::default());
        let mut backend = LlamaBackend::init()?;
        if !path.is_file() {
            bail!("there is no file {}", path.display());
        }
        let params = match gpu_layers {
            Some(layers) => LlamaModelParams::default().with_n_gpu_layers(layers),
            None => LlamaModelParams::default(),
        };
        let loaded = LlamaModel::load_from_file(&backend, path, &params)
            .with_context(|| format!("llama.cpp cannot load {}", path.display()));
        let llama = loaded?;
        refuse_encoders(&llama)?;
        backend.void_logs();
        let trained = usize::try_from(llama.n_ctx_train())?;
        let context_length = round_context(context, trained)?;
        if context_length < context {
            tracing::warn!(context, trained, context_length, "the context was shortened");
        }
        let template = read_template(&llama);
        let vocab = llama.vocab();
        let bos = Some(vocab.bos().0).filter(|bos| *bos >= 0 && vocab.should_add_bos());
        let suppressed = vocab.suppress_tokens().iter().map(|token| token.0).collect();
        let ends = vocab
            .tokens()
            .filter(|token| vocab.is_eog(*token))
            .map(|token| token.0)
            .collect();
        let longest = vocab
            .tokens()
            .map(|token| vocab.token_to_piece(token, true, None).len())
            .max();
        let longest_piece = longest
            .filter(|longest| *longest > 0)
            .context("the model has no vocabulary")?;
        Ok(Self {
            backend,
            llama,
            context_length,
            template,
            bos,
            suppressed,
            ends,
            longest_piece,
        })
    }

    pub(crate) fn context(
        &self,
        params: LlamaContextParams,
    ) -> Result<LlamaContext<'_>, LlamaContextLoadError> {
        self.llama.new_context(&self.backend, params)
    }

    /// Tokens that one sequence can hold, prompt and answer together.
    pub(crate) fn context_length(&self) -> usize {
        self.context_length
    }

    pub(crate) fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// Size of the vocabulary.
    pub(crate) fn vocabulary(&self) -> i32 {
        self.llama.n_vocab()
    }

    pub(crate) fn embedding_width(&self) -> usize {
        usize::try_from(self.llama.n_embd_out()).unwrap_or(0)
    }

    /// Whether one sequence's memory can be copied to another's.
    pub(crate) fn copies_memory(&self) -> bool {
        !self.llama.is_recurrent() && !self.llama.is_hybrid()
    }

    pub(crate) fn is_end(&self, token: Token) -> bool {
        self.ends.contains(&token)
    }

    /// Tokens that end an answer.
    pub(crate) fn ends(&self) -> &[Token] {
        &self.ends
    }

    /// Tokens that the model file says must never be drawn.
    pub(crate) fn suppressed(&self) -> &[Token] {
        &self.suppressed
    }

    /// The token's bytes; with `special` also of control tokens, which are empty otherwise.
    pub(crate) fn piece(&self, token: Token, special: bool) -> Vec<u8> {
        if token < 0 || token >= self.vocabulary() {
            return Vec::new();
        }
        self.llama
            .vocab()
            .token_to_piece(LlamaToken(token), special, None)
    }

    /// The tokens of a text that fit a prompt; `special` reads `<|im_start|>` and the like as the tokens that they name.
    ///
    /// Slow for long texts (a millisecond per few kB), and deep in recursion for some tokenizers: call it on a thread
    /// of the blocking pool, whose stacks are large (see `main`).
    pub(crate) fn tokenize(&self, text: &str, special: bool) -> Result<Vec<Token>, Problem> {
        let least = text.len() / self.longest_piece;
        if least >= self.context_length {
            return Err(self.too_long(&format!("at least {least}")));
        }
        let tokens = self.llama.vocab().tokenize(text.as_bytes(), false, special);
        self.as_prompt(tokens.into_iter().map(|token| token.0).collect())
    }

    /// Checks token ids that came from a caller, or from the tokenizer, and begins them as the model wants.
    pub(crate) fn as_prompt(&self, mut tokens: Vec<Token>) -> Result<Vec<Token>, Problem> {
        if let Some(bos) = self.bos
            && tokens.first() != Some(&bos)
        {
            tokens.insert(0, bos);
        }
        let known = 0..self.vocabulary();
        if tokens.is_empty() || !tokens.iter().all(|token| known.contains(token)) {
            return Err(Problem::new(
                Fault::InvalidRequest,
                "the prompt is empty or holds a token id outside the vocabulary",
            ));
        }
        if tokens.len() >= self.context_length {
            return Err(self.too_long(&tokens.len().to_string()));
        }
        Ok(tokens)
    }

    fn too_long(&self, count: &str) -> Problem {
        Problem::new(
            Fault::ContextTooLong,
            format!(
                "This model's maximum context length is {} tokens. However, your prompt has {count} tokens, and an \
                 answer needs one at least. Please shorten the prompt.",
                self.context_length
            ),
        )
    }
}

fn round_context(asked: usize, trained: usize) -> anyhow::Result<usize> {
    let length = asked.min(trained) / CONTEXT_STEP * CONTEXT_STEP;
    if length == 0 {
        bail!("the context must be {CONTEXT_STEP} tokens at least");
    }
    Ok(length)
}

/// Models that only read (BERT and the like) would run into llama.cpp's assertions.
fn refuse_encoders(llama: &LlamaModel) -> anyhow::Result<()> {
    let architecture = llama.meta_val_str("general.architecture").unwrap_or_default();
    let encoder = ["bert", "t5", "clip", "whisper", "wavtokenizer", "embedding"];
    match encoder.into_iter().find(|word| architecture.contains(word)) {
        Some(_) => bail!("models of architecture {architecture} do not generate text"),
        None => Ok(()),
    }
}

fn read_template(llama: &LlamaModel) -> Option<ChatTemplate> {
    let source = llama.chat_template(None).ok()?.to_string().ok()?;
    if source.len() > MAX_TEMPLATE_BYTES {
        tracing::warn!(
            bytes = source.len(),
            "the chat template is too large and is not used"
        );
        return None;
    }
    let vocab = llama.vocab();
    let text = |token: LlamaToken| match token.0 {
        0.. => String::from_utf8_lossy(&vocab.token_to_piece(token, true, None)).into_owned(),
        _ => String::new(),
    };
    match ChatTemplate::new(&source, text(vocab.bos()), text(vocab.eos())) {
        Ok(template) => Some(template),
        Err(error) => {
            tracing::warn!(%error, "the chat template of the model file is not used");
            None
        }
    }
}
