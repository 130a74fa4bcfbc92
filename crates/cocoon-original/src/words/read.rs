//! Messages taken apart.

use bytes::Bytes;
use cocoon_tl::{TlError, TlObject as _, client, peek_id, proxy};

use super::{Asked, AskedByClient, Leg, Said};

pub(super) fn asked(leg: Leg, message: &Bytes) -> Option<Result<Asked, TlError>> {
    let bytes = message.clone();
    Some(match (leg, peek_id(message)?) {
        (Leg::Client, client::RunQuery::ID) => client::RunQuery::from_boxed(bytes).map(|run| Asked {
            id: run.request_id,
            query: run.query,
            coefficient: i64::from(run.max_coefficient),
            timeout: run.timeout,
            client: Some(AskedByClient {
                model: run.model_name,
                max_tokens: run.max_tokens,
                config_version: run.min_config_version,
            }),
        }),
        (Leg::Client, client::RunQueryEx::ID) => client::RunQueryEx::from_boxed(bytes).map(|run| Asked {
            id: run.request_id,
            query: run.query,
            coefficient: i64::from(run.max_coefficient),
            timeout: run.timeout,
            client: Some(AskedByClient {
                model: run.model_name,
                max_tokens: run.max_tokens,
                config_version: run.min_config_version,
            }),
        }),
        (Leg::Worker, proxy::RunQuery::ID) => proxy::RunQuery::from_boxed(bytes).map(|run| Asked {
            id: run.request_id,
            query: run.query,
            coefficient: run.coefficient,
            timeout: run.timeout,
            client: None,
        }),
        (Leg::Worker, proxy::RunQueryEx::ID) => proxy::RunQueryEx::from_boxed(bytes).map(|run| Asked {
            id: run.request_id,
            query: run.query,
            coefficient: run.coefficient,
            timeout: run.timeout,
            client: None,
        }),
        _ => return None,
    })
}

pub(super) fn said(leg: Leg, message: &Bytes) -> Option<Result<([u8; 32], Said), TlError>> {
    let id = peek_id(message)?;
    match leg {
        Leg::Client => said_by_proxy(id, message.clone()),
        Leg::Worker => said_by_worker(id, message.clone()),
    }
}

/// Both legs have the same messages under names of their own.
macro_rules! said_by {
    ($name:ident, $leg:ident, $tokens:ident) => {
        fn $name(id: u32, bytes: Bytes) -> Option<Result<([u8; 32], Said), TlError>> {
            use $leg::{QueryAnswer, QueryAnswerEx, QueryAnswerPart};
            Some(match id {
                $leg::QueryAnswerData::ID | $leg::QueryAnswerError::ID => {
                    QueryAnswer::from_boxed(bytes).map(|answer| match answer {
                        QueryAnswer::Answer(said) => (
                            said.request_id,
                            Said::Answer {
                                payload: said.answer,
                                last: said.is_completed.then_some(said.$tokens),
                            },
                        ),
                        QueryAnswer::Error(said) => {
                            failed(said.request_id, said.error_code, said.error, false)
                        }
                    })
                }
                $leg::QueryAnswerPartData::ID | $leg::QueryAnswerPartError::ID => {
                    QueryAnswerPart::from_boxed(bytes).map(|part| match part {
                        QueryAnswerPart::Part(said) => (
                            said.request_id,
                            Said::Part {
                                payload: said.answer,
                                last: said.is_completed.then_some(said.$tokens),
                            },
                        ),
                        QueryAnswerPart::Error(said) => {
                            failed(said.request_id, said.error_code, said.error, true)
                        }
                    })
                }
                $leg::QueryAnswerExData::ID | $leg::QueryAnswerErrorEx::ID | $leg::QueryAnswerPartEx::ID => {
                    QueryAnswerEx::from_boxed(bytes).map(|answer| match answer {
                        QueryAnswerEx::Answer(said) => (
                            said.request_id,
                            Said::Answer {
                                payload: said.answer,
                                last: said.final_info.map(|info| info.tokens_used),
                            },
                        ),
                        QueryAnswerEx::Part(said) => (
                            said.request_id,
                            Said::Part {
                                payload: said.answer,
                                last: said.final_info.map(|info| info.tokens_used),
                            },
                        ),
                        QueryAnswerEx::Error(said) => {
                            failed(said.request_id, said.error_code, said.error, false)
                        }
                    })
                }
                _ => return None,
            })
        }
    };
}

said_by!(said_by_proxy, client, request_tokens_used);
said_by!(said_by_worker, proxy, tokens_used);

fn failed(id: [u8; 32], code: i32, words: cocoon_tl::TlString, begun: bool) -> ([u8; 32], Said) {
    (id, Said::Failed { code, words, begun })
}
