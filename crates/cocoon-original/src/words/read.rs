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

fn said_by_proxy(id: u32, bytes: Bytes) -> Option<Result<([u8; 32], Said), TlError>> {
    use client::{QueryAnswer, QueryAnswerEx, QueryAnswerPart};
    Some(match id {
        client::QueryAnswerData::ID | client::QueryAnswerError::ID => {
            QueryAnswer::from_boxed(bytes).map(|answer| match answer {
                QueryAnswer::Answer(said) => (
                    said.request_id,
                    Said::Answer {
                        payload: said.answer,
                        last: said.is_completed.then_some(said.request_tokens_used),
                    },
                ),
                QueryAnswer::Error(said) => failed(said.request_id, said.error_code, said.error, false),
            })
        }
        client::QueryAnswerPartData::ID | client::QueryAnswerPartError::ID => {
            QueryAnswerPart::from_boxed(bytes).map(|part| match part {
                QueryAnswerPart::Part(said) => (
                    said.request_id,
                    Said::Part {
                        payload: said.answer,
                        last: said.is_completed.then_some(said.request_tokens_used),
                    },
                ),
                QueryAnswerPart::Error(said) => failed(said.request_id, said.error_code, said.error, true),
            })
        }
        client::QueryAnswerExData::ID | client::QueryAnswerErrorEx::ID | client::QueryAnswerPartEx::ID => {
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
                QueryAnswerEx::Error(said) => failed(said.request_id, said.error_code, said.error, false),
            })
        }
        _ => return None,
    })
}

fn said_by_worker(id: u32, bytes: Bytes) -> Option<Result<([u8; 32], Said), TlError>> {
    use proxy::{QueryAnswer, QueryAnswerEx, QueryAnswerPart};
    Some(match id {
        proxy::QueryAnswerData::ID | proxy::QueryAnswerError::ID => {
            QueryAnswer::from_boxed(bytes).map(|answer| match answer {
                QueryAnswer::Answer(said) => (
                    said.request_id,
                    Said::Answer {
                        payload: said.answer,
                        last: said.is_completed.then_some(said.tokens_used),
                    },
                ),
                QueryAnswer::Error(said) => failed(said.request_id, said.error_code, said.error, false),
            })
        }
        proxy::QueryAnswerPartData::ID | proxy::QueryAnswerPartError::ID => {
            QueryAnswerPart::from_boxed(bytes).map(|part| match part {
                QueryAnswerPart::Part(said) => (
                    said.request_id,
                    Said::Part {
                        payload: said.answer,
                        last: said.is_completed.then_some(said.tokens_used),
                    },
                ),
                QueryAnswerPart::Error(said) => failed(said.request_id, said.error_code, said.error, true),
            })
        }
        proxy::QueryAnswerExData::ID | proxy::QueryAnswerErrorEx::ID | proxy::QueryAnswerPartEx::ID => {
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
                QueryAnswerEx::Error(said) => failed(said.request_id, said.error_code, said.error, false),
            })
        }
        _ => return None,
    })
}

fn failed(id: [u8; 32], code: i32, words: cocoon_tl::TlString, begun: bool) -> ([u8; 32], Said) {
    (id, Said::Failed { code, words, begun })
}
