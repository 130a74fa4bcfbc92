use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{ALIAS, FRANCE, ask, harness::Engine};

fn vector(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[tokio::test]
async fn embeddings_in_both_encodings() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let long = "words and more words ".repeat(120);
    let body = json!({"model": ALIAS, "input": ["a cat", long, "a cat"]});
    let (status, answer) = engine.post("/v1/embeddings", body).await;
    assert_eq!(status, 200, "{answer}");
    let vectors: Vec<_> = (0..3).map(|i| vector(&answer["data"][i]["embedding"])).collect();
    assert_eq!(
        (vectors[0].len(), answer["data"][1]["index"].as_u64()),
        (576, Some(1))
    );
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    for vector in &vectors {
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }
    let tokens = answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(tokens > 400 && answer["usage"]["total_tokens"] == tokens);
    let body = json!({"model": ALIAS, "input": "a cat", "encoding_format": "base64"});
    let (_, encoded) = engine.post("/v1/embeddings", body).await;
    let bytes = STANDARD
        .decode(encoded["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let decoded: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    assert_eq!(decoded, vectors[0]);
    let (status, error) = engine
        .post(
            "/v1/embeddings",
            json!({"model": ALIAS, "input": "a", "dimensions": 5}),
        )
        .await;
    assert_eq!((status, &error["error"]["param"]), (400, &json!("dimensions")));
    // Answers are not disturbed by it.
    let answer = engine.chat(ask(FRANCE, json!({}))).await;
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "The capital of France is Paris."
    );
}
