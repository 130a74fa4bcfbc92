use std::sync::Arc;

use axum::{body::Body, http::Request, middleware};
use serde_json::json;
use tower::ServiceExt;

use super::{Health, check, router};
use crate::{
    guard::{Guard, GuardOptions},
    metrics::Metrics,
};

async fn ask(ready: bool, path: &str, host: &str) -> (u16, String) {
    let guard = Guard::new("127.0.0.1:1".parse().unwrap(), GuardOptions::default()).unwrap();
    let health = Health {
        ready,
        detail: json!({"workers": 2}),
    };
    let routes = router(Arc::new(move || health.clone()), Metrics::new("proxy"))
        .layer(middleware::from_fn_with_state(guard, check));
    let request = Request::get(path)
        .header("host", host)
        .body(Body::empty())
        .unwrap();
    let answer = routes.oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn health_says_what_the_role_says() {
    assert_eq!(
        ask(true, "/health", "localhost").await,
        (200, r#"{"ready":true,"workers":2}"#.into())
    );
    assert_eq!(ask(false, "/health", "localhost").await.0, 503);
}

#[tokio::test]
async fn metrics_are_behind_the_guard() {
    let (status, text) = ask(true, "/metrics", "127.0.0.1:12000").await;
    assert_eq!(status, 200);
    assert!(text.contains("cocoon_build_info"), "{text}");
    let (status, text) = ask(true, "/metrics", "evil.org").await;
    assert_eq!(status, 403);
    assert!(text.contains("forbidden_origin"), "{text}");
}
