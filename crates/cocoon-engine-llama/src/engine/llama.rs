use std::num::NonZeroU32;

use anyhow::Context as _;
use llama_cpp_2::{
    context::params::LlamaPoolingType,
    context::{LlamaContext, params::LlamaContextParams},
    llama_batch::LlamaBatch,
    sampling::LlamaSampler,
    token::{LlamaToken, data_array::LlamaTokenDataArray, logit_bias::LlamaLogitBias},
};
use llguidance::Matcher;

use super::{Row, RunError, Runner, Sampled, Sampling, Token, TokenLogprob, runner::MAX_ROWS};
use crate::model::Model;

/// llama.cpp behind [`Runner`]. Its aborts are kept out of reach: batches of at most `n_batch` rows, positions that
/// follow on, slots and tokens that exist, samplers that cannot end up without a candidate.
pub(crate) struct LlamaRunner<'model> {
    model: &'model Model,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    /// A second context, made when the first embedding is asked for: hidden states and logits do not mix.
    embedder: Option<LlamaContext<'model>>,
    threads: i32,
}

/// How one sequence's tokens are drawn.
pub(crate) struct ModelSampler {
    chain: LlamaSampler,
    constraint: Option<Box<Matcher>>,
}

// === impl LlamaRunner ===

impl<'model> LlamaRunner<'model> {
    /// Makes the context for `slots` sequences and runs one token, so that the first caller does not wait for pages
    /// of the model file.
    pub(crate) fn new(model: &'model Model, slots: u32, threads: i32) -> anyhow::Result<Self> {
        let context = model
            .context(context_params(model, slots, threads)?)
            .context("llama.cpp could not make a context (is there enough memory?)")?;
        let mut runner = Self {
            model,
            context,
            batch: LlamaBatch::new(MAX_ROWS, 1),
            embedder: None,
            threads,
        };
        runner.run(&[Row {
            token: 0,
            position: 0,
            slot: 0,
            output: true,
        }])?;
        runner.truncate(0, 0);
        Ok(runner)
    }

    fn fill(&mut self, rows: &[Row]) -> Result<(), RunError> {
        self.batch.clear();
        for row in rows {
            let position = i32::try_from(row.position).map_err(|_| RunError::Decode)?;
            let slot = i32::try_from(row.slot).map_err(|_| RunError::Decode)?;
            self.batch
                .add(LlamaToken(row.token), position, &[slot], row.output)
                .map_err(|_| RunError::Decode)?;
        }
        Ok(())
    }

    fn logits(&self, row: usize) -> &[f32] {
        self.context.get_logits_ith(i32::try_from(row).unwrap_or(0))
    }

    /// Draws from what the grammar admits: the free choice if it is admitted, else a choice under the grammar's mask,
    /// which is dearer.
    fn sample_constrained(
        &self,
        chain: &mut LlamaSampler,
        matcher: &mut Matcher,
        row: usize,
    ) -> Result<Sampled, RunError> {
        let mut free = self.candidates(row);
        chain.apply(&mut free);
        let mut token = free.selected_token().ok_or(RunError::Constraint)?;
        let admitted = matcher
            .validate_tokens(&[token.0.cast_unsigned()])
            .map_err(|_| RunError::Constraint)?;
        if admitted == 0 {
            let mask = matcher.compute_mask_or_eos().map_err(|_| RunError::Constraint)?;
            let mut masked = self.candidates(row);
            masked
                .data
                .retain(|candidate| mask.is_allowed(candidate.id().0.cast_unsigned()));
            if masked.data.is_empty() {
                return Err(RunError::Constraint);
            }
            chain.apply(&mut masked);
            token = masked.selected_token().ok_or(RunError::Constraint)?;
        }
        chain.accept(token);
        if !self.is_end(token.0) {
            matcher
                .consume_token(token.0.cast_unsigned())
                .map_err(|_| RunError::Constraint)?;
        }
        Ok(Sampled {
            token: token.0,
            complete: matcher.is_stopped(),
        })
    }

    fn candidates(&self, row: usize) -> LlamaTokenDataArray {
        let row = i32::try_from(row).unwrap_or(0);
        LlamaTokenDataArray::from_iter(self.context.candidates_ith(row), false)
    }
}

impl Runner for LlamaRunner<'_> {
    type Sampler = ModelSampler;

    fn context_length(&self) -> usize {
        self.model.context_length()
    }

    fn sampler(&self, sampling: &Sampling, constraint: Option<Box<Matcher>>) -> ModelSampler {
        ModelSampler {
            chain: chain(self.model, sampling),
            constraint,
        }
    }

    fn truncate(&mut self, slot: usize, keep: usize) -> usize {
        let (Ok(slot), Ok(from)) = (u32::try_from(slot), u32::try_from(keep)) else {
            return 0;
        };
        if keep > 0
            && matches!(
                self.context.clear_kv_cache_seq(Some(slot), Some(from), None),
                Ok(true)
            )
        {
            return keep;
        }
        // Recurrent models and the like cannot forget a part.
        let _ = self.context.clear_kv_cache_seq(Some(slot), None, None);
        0
    }

    fn copy(&mut self, from: usize, to: usize) -> bool {
        let (Ok(from), Ok(to)) = (i32::try_from(from), i32::try_from(to)) else {
            return false;
        };
        // Between memories of their own, llama.cpp copies all or aborts: no positions are named.
        self.model.copies_memory() && self.context.copy_kv_cache_seq(from, to, None, None).is_ok()
    }

    fn run(&mut self, rows: &[Row]) -> Result<(), RunError> {
        self.fill(rows)?;
        self.context.decode(&mut self.batch).map_err(|_| RunError::Decode)
    }

    fn sample(&mut self, sampler: &mut ModelSampler, row: usize) -> Result<Sampled, RunError> {
        let ModelSampler { chain, constraint } = sampler;
        match constraint {
            Some(matcher) => self.sample_constrained(chain, matcher, row),
            None => Ok(Sampled {
                token: chain
                    .sample(&self.context, i32::try_from(row).map_err(|_| RunError::Decode)?)
                    .0,
                complete: false,
            }),
        }
    }

    fn logprob(&self, row: usize, token: Token, top: u8) -> TokenLogprob {
        let logits = self.logits(row);
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
        let normal = most + sum.ln();
        let own = usize::try_from(token).ok().and_then(|token| logits.get(token));
        TokenLogprob {
            bytes: self.model.piece(token, true),
            logprob: own.map_or(f32::NEG_INFINITY, |logit| logit - normal),
            top: likeliest(logits, usize::from(top))
                .into_iter()
                .map(|(token, logit)| (self.model.piece(token, true), logit - normal))
                .collect(),
        }
    }

    fn is_end(&self, token: Token) -> bool {
        self.model.is_end(token)
    }

    fn piece(&self, token: Token, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.model.piece(token, false));
    }

    fn embedding_width(&self) -> usize {
        self.model.embedding_width()
    }

    fn embed(&mut self, tokens: &[Token], position: usize, sum: &mut [f32]) -> Result<(), RunError> {
        let rows: Vec<Row> = (position..)
            .zip(tokens)
            .map(|(position, &token)| Row {
                token,
                position,
                slot: 0,
                output: true,
            })
            .collect();
        self.fill(&rows)?;
        let context = match &mut self.embedder {
            Some(context) => context,
            none => {
                let params = context_params(self.model, 1, self.threads)
                    .map_err(|_| RunError::Decode)?
                    .with_embeddings(true)
                    .with_pooling_type(LlamaPoolingType::None);
                none.insert(self.model.context(params).map_err(|_| RunError::Decode)?)
            }
        };
        if position == 0 {
            // Not `clear_kv_cache`: that writes zeros over all of it.
            let _ = context.clear_kv_cache_seq(Some(0), None, None);
        }
        context.decode(&mut self.batch).map_err(|_| RunError::Decode)?;
        for row in 0..tokens.len() {
            let row = i32::try_from(row).map_err(|_| RunError::Decode)?;
            let state = context.embeddings_ith(row).map_err(|_| RunError::Decode)?;
            sum.iter_mut().zip(state).for_each(|(sum, value)| *sum += value);
        }
        Ok(())
    }
}

fn context_params(model: &Model, slots: u32, threads: i32) -> anyhow::Result<LlamaContextParams> {
    let tokens = u32::try_from(model.context_length())?
        .checked_mul(slots)
        .context("context times parallel is too large")?;
    let rows = u32::try_from(MAX_ROWS)?;
    Ok(LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(tokens))
        .with_n_seq_max(slots)
        .with_n_batch(rows)
        .with_n_ubatch(rows)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        // A memory of its own for each slot: a long neighbour does not slow a short one down.
        .with_kv_unified(false))
}

/// The order of llama.cpp's own server.
fn chain(model: &Model, sampling: &Sampling) -> LlamaSampler {
    let mut steps = Vec::new();
    let mut biases: Vec<LlamaLogitBias> = model
        .suppressed()
        .iter()
        .map(|&token| LlamaLogitBias::new(LlamaToken(token), BAN))
        .collect();
    biases.extend(sampling.bias.iter().map(|&(token, bias)| {
        // OpenAI: -100 bans a token.
        LlamaLogitBias::new(LlamaToken(token), if bias <= -100.0 { BAN } else { bias })
    }));
    if sampling.ignore_end {
        let ends = model.ends().iter();
        biases.extend(ends.map(|&token| LlamaLogitBias::new(LlamaToken(token), BAN)));
    }
    let vocabulary = model.vocabulary();
    if !biases.is_empty() {
        steps.push(LlamaSampler::logit_bias(vocabulary, &biases));
    }
    let penalised = sampling.frequency_penalty != 0.0
        || sampling.presence_penalty != 0.0
        || (sampling.repetition_penalty - 1.0).abs() > f32::EPSILON;
    if penalised {
        steps.push(LlamaSampler::penalties(
            vocabulary,
            // The whole answer counts, as in OpenAI's definition.
            i32::try_from(model.context_length()).unwrap_or(i32::MAX),
            sampling.repetition_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ));
    }
    if sampling.temperature < LEAST_TEMPERATURE {
        steps.push(LlamaSampler::greedy());
    } else {
        if sampling.top_k > 0 {
            steps.push(LlamaSampler::top_k(sampling.top_k));
        }
        if sampling.top_p < 1.0 {
            steps.push(LlamaSampler::top_p(sampling.top_p, 1));
        }
        if sampling.min_p > 0.0 {
            steps.push(LlamaSampler::min_p(sampling.min_p, 1));
        }
        steps.push(LlamaSampler::temp(sampling.temperature));
        let seed = sampling.seed.unwrap_or_else(|| fastrand::u32(..u32::MAX));
        steps.push(LlamaSampler::dist(seed));
    }
    LlamaSampler::chain(steps, true)
}

/// Taken from the logit of a token that must not be drawn. Finite: if a grammar admits only such tokens, a choice among
/// infinities would end the process.
const BAN: f32 = -1.0e30;
/// Below this the division by the temperature overflows, and the result is the likeliest token anyway.
const LEAST_TEMPERATURE: f32 = 0.001;

/// The `count` greatest logits, greatest first.
fn likeliest(logits: &[f32], count: usize) -> Vec<(Token, f32)> {
    let mut best: Vec<(Token, f32)> = Vec::with_capacity(count + 1);
    for (token, &logit) in (0..).zip(logits) {
        if best.len() == count && best.last().is_none_or(|(_, least)| logit <= *least) {
            continue;
        }
        let at = best.partition_point(|(_, better)| *better >= logit);
        best.insert(at, (token, logit));
        best.truncate(count);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn the_greatest_logits_come_in_order() {
        let logits = [0.5, -1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0];
        assert_eq!(likeliest(&logits, 3), [(2, 3.0), (4, 3.0), (5, 2.0)]);
        assert_eq!(likeliest(&logits, 0), []);
        assert_eq!(likeliest(&logits[..1], 5), [(0, 0.5)]);
    }
}
