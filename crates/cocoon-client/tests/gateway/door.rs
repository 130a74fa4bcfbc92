//! Who may ask: Host, Origin, API keys.

use cocoon_client::{App, StartError};
use cocoon_web::keys::KeyFile;

use crate::support::{CHAT, FakeProxy, Gateway, options, whole};

#[tokio::test]
async fn foreign_hosts_and_origins_are_turned_away() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&proxy]).await;
    for headers in [
        &[("host", "evil.org")][..],
        &[("origin", "https://evil.org")],
        &[("origin", "null")],
        &[("host", "127.0.0.1.evil.org:10000")],
    ] {
        let reply = gateway.chat(headers).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "forbidden_origin"),
            "{headers:?}"
        );
        assert!(reply.header("access-control-allow-origin").is_empty());
    }
    assert_eq!(
        gateway
            .caller()
            .await
            .send("GET", "/health", &[("host", "evil.org")], "")
            .await
            .status,
        403
    );
    assert_eq!(proxy.count(), 0);
    let reply = gateway
        .chat(&[("origin", "http://localhost:3000"), ("host", "[::1]:1")])
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
}

#[tokio::test]
async fn a_page_that_is_allowed_may_ask_ahead() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let mut options = options(&[&proxy]);
    options.allowed_origins = vec!["https://app.example.org".into()];
    let gateway = Gateway::with(options).await;
    let mut caller = gateway.caller().await;
    let headers = [
        ("origin", "https://app.example.org"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let reply = caller.send("OPTIONS", "/v1/chat/completions", &headers, "").await;
    assert_eq!(reply.status, 204);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        "https://app.example.org"
    );
    assert!(
        reply
            .header("access-control-allow-headers")
            .contains("authorization")
    );
}

#[tokio::test]
async fn keys_are_required_where_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    for (listen, api_keys) in [("127.0.0.1:0", true), ("0.0.0.0:0", false)] {
        let mut options = options(&[&proxy]);
        options.listen = Some(listen.parse().unwrap());
        options.api_keys = Some(api_keys);
        options.state_dir = Some(dir.path().join(listen.replace(':', "_")));
        let file = KeyFile::in_dir(options.state_dir.as_ref().unwrap());
        let refused = App::start(options.clone().build().unwrap()).await.unwrap_err();
        let StartError::Guard(reason) = refused else {
            panic!("{refused}")
        };
        assert!(reason.to_string().contains("cocoon key new"), "{reason}");

        let key = file
            .create("app", cocoon_web::keys::KeyLimits::default(), 0)
            .unwrap()
            .key
            .expose()
            .clone();
        let gateway = Gateway::with(options).await;
        gateway.linked(1).await;
        let mut caller = gateway.caller().await;
        for wrong in ["", "Bearer sk-1234", "Bearer ck_0000000000000000_00"] {
            for (method, path) in [
                ("POST", "/v1/chat/completions"),
                ("GET", "/v1/models"),
                ("GET", "/metrics"),
            ] {
                let reply = caller.send(method, path, &[("authorization", wrong)], CHAT).await;
                assert_eq!((reply.status, reply.code().as_str()), (401, "invalid_api_key"));
                assert_eq!(reply.header("www-authenticate"), "Bearer");
            }
        }
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        assert_eq!(
            caller
                .send("POST", "/v1/chat/completions", &headers, CHAT)
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn on_loopback_any_key_will_do_unless_keys_are_required() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&proxy]).await;
    assert_eq!(
        gateway
            .chat(&[("authorization", "Bearer sk-anything")])
            .await
            .status,
        200
    );
}
