//! Steps of an answer put together.

use bytes::Bytes;
use cocoon_tl::{TlObject as _, client, proxy, shared::TokensUsed};

use super::Said;
use crate::usage::NOTHING;

/// Both legs have the same messages under names of their own.
macro_rules! written_for {
    ($leg:ident, $tokens:ident, $version_0:ident, $later:ident) => {
        impl Said {
            pub(super) fn $version_0(self, request_id: [u8; 32]) -> Bytes {
                match self {
                    Self::Answer { payload, last } => $leg::QueryAnswerData {
                        answer: payload,
                        is_completed: last.is_some(),
                        request_id,
                        $tokens: last.unwrap_or(NOTHING),
                    }
                    .to_boxed(),
                    Self::Part { payload, last } => $leg::QueryAnswerPartData {
                        answer: payload,
                        is_completed: last.is_some(),
                        request_id,
                        $tokens: last.unwrap_or(NOTHING),
                    }
                    .to_boxed(),
                    Self::Failed { code, words, begun } if begun => $leg::QueryAnswerPartError {
                        error_code: code,
                        error: words,
                        request_id,
                        $tokens: NOTHING,
                    }
                    .to_boxed(),
                    Self::Failed { code, words, .. } => $leg::QueryAnswerError {
                        error_code: code,
                        error: words,
                        request_id,
                        $tokens: NOTHING,
                    }
                    .to_boxed(),
                }
            }

            pub(super) fn $later(
                self,
                request_id: [u8; 32],
                info: impl Fn(TokensUsed) -> $leg::QueryFinalInfo,
            ) -> Bytes {
                match self {
                    Self::Answer { payload, last } => $leg::QueryAnswerExData {
                        request_id,
                        answer: payload,
                        final_info: last.map(info),
                    }
                    .to_boxed(),
                    Self::Part { payload, last } => $leg::QueryAnswerPartEx {
                        request_id,
                        answer: payload,
                        final_info: last.map(info),
                    }
                    .to_boxed(),
                    Self::Failed { code, words, .. } => $leg::QueryAnswerErrorEx {
                        request_id,
                        error_code: code,
                        error: words,
                        final_info: Some(info(NOTHING)),
                    }
                    .to_boxed(),
                }
            }
        }
    };
}

written_for!(client, request_tokens_used, client_version_0, client_later);
written_for!(proxy, tokens_used, worker_version_0, worker_later);
