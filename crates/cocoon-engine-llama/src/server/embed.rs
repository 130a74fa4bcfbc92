use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Server, json_response, read_body};
use crate::{
    api::{Problem, embedding::Embedding},
    engine::{EmbedJob, Token},
};

pub(super) async fn embeddings(State(server): State<Arc<Server>>, request: Request) -> Response {
    answer(&server, request)
        .await
        .unwrap_or_else(|problem| problem.into_response())
}

async fn answer(server: &Arc<Server>, request: Request) -> Result<Response, Problem> {
    let body = read_body(request).await?;
    let place = server.engine.places(1)?;
    let (inputs, base64) = server
        .prepare(move |server| server.prepare_embedding(&body))
        .await?;
    let tokens: usize = inputs.iter().map(Vec::len).sum();
    let (reply, vectors) = oneshot::channel();
    server.engine.embed(EmbedJob {
        inputs,
        reply,
        _place: place,
    })?;
    let vectors = vectors.await.map_err(|_| Problem::internal())??;
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            let embedding = if base64 {
                encode(vector).into()
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let body = json!({
        "object": "list",
        "data": data,
        "model": server.alias,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    Ok(json_response(body.to_string()))
}

// === impl Server ===

impl Server {
    fn prepare_embedding(&self, body: &[u8]) -> Result<(Vec<Vec<Token>>, bool), Problem> {
        let embedding = Embedding::parse(body)?;
        self.check_model(&embedding.model)?;
        let width = self.model.embedding_width();
        if embedding
            .dimensions
            .is_some_and(|asked| usize::try_from(asked) != Ok(width))
        {
            return Err(Problem::invalid(
                "dimensions",
                format!("this model's embeddings have {width} dimensions"),
            ));
        }
        let inputs = embedding.inputs.into_iter().map(|input| self.tokens(input));
        Ok((inputs.collect::<Result<_, _>>()?, embedding.base64))
    }
}

fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
