use cocoon_engine::{Engine, EngineKind, EngineOptions};
use cocoon_types::ModelName;

use super::{Chosen, model};
use crate::engine::Wishes;

/// Models as an engine lists them; `EngineModel` is made by the engine's client only.
async fn models(names: &[&str]) -> Vec<cocoon_engine::EngineModel> {
    let data: Vec<String> = names
        .iter()
        .map(|name| format!("{{\"id\":\"{name}\"}}"))
        .collect();
    let body = format!("{{\"data\":[{}]}}", data.join(","));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    });
    let engine = Engine::new(
        address.parse().unwrap(),
        EngineKind::Generic,
        &EngineOptions::default(),
    );
    engine.models().await.unwrap()
}

fn wishes(announced: Option<&str>, own: Option<&str>) -> Wishes {
    Wishes {
        model: announced.map(|name| ModelName::new(name).unwrap()),
        engine_model: own.map(str::to_owned),
        endpoints: Vec::new(),
        context_length: None,
        capacity: None,
    }
}

fn names(chosen: Result<Chosen, String>) -> (String, String) {
    let chosen = chosen.unwrap();
    (chosen.own, chosen.announced.to_string())
}

fn pair(own: &str, announced: &str) -> (String, String) {
    (own.to_owned(), announced.to_owned())
}

#[tokio::test]
async fn the_only_model_needs_no_words() {
    let one = models(&["org/m"]).await;
    assert_eq!(names(model(&wishes(None, None), &one)), pair("org/m", "org/m"));
    assert_eq!(
        names(model(&wishes(Some("m@c:h"), None), &one)),
        pair("org/m", "m@c:h")
    );
}

#[tokio::test]
async fn among_several_one_must_be_named() {
    let two = models(&["a", "b"]).await;
    assert_eq!(
        names(model(&wishes(Some("b@c:h"), None), &two)),
        pair("b", "b@c:h")
    );
    assert_eq!(names(model(&wishes(Some("x"), Some("a")), &two)), pair("a", "x"));
    for (announced, own) in [(None, None), (Some("c"), None), (None, Some("c"))] {
        let note = model(&wishes(announced, own), &two).unwrap_err();
        assert!(note.contains("\"a\"") && note.contains("\"b\""), "{note}");
    }
}

#[tokio::test]
async fn what_cannot_be_announced_is_not() {
    assert!(
        model(&wishes(None, None), &models(&["a b"]).await)
            .unwrap_err()
            .contains("hint: model")
    );
    assert!(model(&wishes(None, None), &models(&[]).await).is_err());
}
