use axum::http::{Request, request::Parts};
use cocoon_types::Fault;

use super::{Guard, GuardError, GuardOptions, names};
use crate::keys::{KeyFile, KeyLimits};

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut builder = Request::get("/v1/models");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn open() -> Guard {
    let options = GuardOptions {
        allowed_origins: vec!["https://app.example.org".into()],
        ..GuardOptions::default()
    };
    Guard::new("127.0.0.1:10000".parse().unwrap(), options).unwrap()
}

#[test]
fn loopback_names_are_told_from_names_that_look_alike() {
    for good in [
        "localhost",
        "LocalHost:1",
        "127.0.0.1",
        "127.0.0.1:10000",
        "127.0.0.2:80",
        "[::1]",
        "[::1]:10000",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(names::is_loopback_authority(good), "{good}");
    }
    for bad in [
        "",
        ":80",
        "localhost.evil.org",
        "localhost.",
        "evil.org:localhost",
        "127.0.0.1.evil.org",
        "127.0.0.1:x",
        "127.0.0.1:80:80",
        "user@localhost",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]x:80",
        "[localhost]",
        "192.168.0.1",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[::]",
        "localhost:70000",
        "[127.0.0.1]",
    ] {
        assert!(!names::is_loopback_authority(bad), "{bad}");
    }
    assert!(names::is_loopback_origin("http://localhost:3000"));
    for bad in [
        "null",
        "",
        "http://evil.org",
        "http://localhost.evil.org",
        "file://",
        "http://localhost/x",
    ] {
        assert!(!names::is_loopback_origin(bad), "{bad}");
    }
}

#[tokio::test]
async fn host_and_origin_decide_on_loopback() {
    let guard = open();
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("host", "localhost:10000")], true),
        (
            &[("host", "127.0.0.1:10000"), ("origin", "http://localhost:3000")],
            true,
        ),
        (
            &[("host", "127.0.0.1:10000"), ("origin", "https://app.example.org")],
            true,
        ),
        (
            &[
                ("host", "127.0.0.1:10000"),
                ("authorization", "Bearer sk-anything"),
            ],
            true,
        ),
        (&[], false),
        (&[("host", "evil.org")], false),
        (&[("host", "localhost"), ("host", "evil.org")], false),
        (&[("host", "localhost"), ("origin", "https://evil.org")], false),
        (
            &[
                ("host", "localhost"),
                ("origin", "https://app.example.org.evil.org"),
            ],
            false,
        ),
        (&[("host", "localhost"), ("origin", "null")], false),
        (
            &[
                ("host", "localhost"),
                ("origin", "http://localhost"),
                ("origin", "http://evil.org"),
            ],
            false,
        ),
    ];
    for (headers, good) in cases {
        let answer = guard.admit(&request(headers)).await;
        assert_eq!(answer.is_ok(), *good, "{headers:?}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.fault, Fault::Forbidden);
        }
    }
    let mut absolute = Request::get("http://evil.org/v1/models").header("host", "localhost");
    let parts = absolute.body(()).unwrap().into_parts().0;
    assert!(guard.admit(&parts).await.is_err());
    absolute = Request::get("http://localhost:1/v1/models").header("host", "localhost");
    assert!(
        guard
            .admit(&absolute.body(()).unwrap().into_parts().0)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn another_address_needs_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let options = GuardOptions {
        state_dir: Some(dir.path().to_owned()),
        ..GuardOptions::default()
    };
    for listen in ["0.0.0.0:10000", "[::]:10000", "192.168.1.2:1"] {
        let listen = listen.parse().unwrap();
        let error = Guard::new(listen, options.clone()).unwrap_err();
        assert!(error.to_string().contains("cocoon key new"), "{error}");
    }
    let new = KeyFile::in_dir(dir.path())
        .create("app", KeyLimits::default(), 1)
        .unwrap();
    let guard = Guard::new("0.0.0.0:10000".parse().unwrap(), options).unwrap();
    let bearer = format!("Bearer {}", new.key.expose());
    let admitted = guard
        .admit(&request(&[
            ("host", "gateway.example.org"),
            ("authorization", &bearer),
        ]))
        .await
        .unwrap();
    assert_eq!(admitted.key.map(|holder| holder.id), Some(new.record.id));
    for headers in [
        &[][..],
        &[("authorization", "Bearer sk-anything")],
        &[("authorization", "Bearer ")],
        &[("authorization", new.key.expose().as_str())],
        &[("authorization", &bearer), ("authorization", "Bearer x")],
    ] {
        assert!(guard.admit(&request(headers)).await.is_err(), "{headers:?}");
    }
    let page = request(&[("authorization", &bearer), ("origin", "https://evil.org")]);
    assert_eq!(guard.admit(&page).await.unwrap_err().fault, Fault::Forbidden);
    assert!(guard.admit_without_key(&request(&[])).is_ok());
}

#[tokio::test]
async fn keys_can_be_required_on_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let options = GuardOptions {
        state_dir: Some(dir.path().to_owned()),
        api_keys: true,
        ..GuardOptions::default()
    };
    let listen = "127.0.0.1:10000".parse().unwrap();
    assert!(matches!(
        Guard::new(listen, options.clone()),
        Err(GuardError::NoKey { .. })
    ));
    let new = KeyFile::in_dir(dir.path())
        .create("app", KeyLimits::default(), 1)
        .unwrap();
    let guard = Guard::new(listen, options).unwrap();
    let refused = guard.admit(&request(&[("host", "localhost")])).await.unwrap_err();
    assert_eq!(refused.fault, Fault::Unauthorized);
    let bearer = format!("bearer {}", new.key.expose());
    assert!(
        guard
            .admit(&request(&[("host", "localhost"), ("authorization", &bearer)]))
            .await
            .is_ok()
    );
    // A key does not make a foreign Host good.
    assert!(
        guard
            .admit(&request(&[("host", "evil.org"), ("authorization", &bearer)]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_browser_page_that_is_allowed_gets_its_headers() {
    let guard = open();
    let mut asked = request(&[
        ("host", "localhost"),
        ("origin", "https://app.example.org"),
        ("access-control-request-method", "POST"),
    ]);
    asked.method = axum::http::Method::OPTIONS;
    let admitted = guard.admit(&asked).await.unwrap();
    let mut answer = admitted.preflight(&asked).unwrap();
    admitted.mark(answer.headers_mut());
    assert_eq!(
        answer.headers()["access-control-allow-origin"],
        "https://app.example.org"
    );
    let plain = request(&[("host", "localhost")]);
    let admitted = guard.admit(&plain).await.unwrap();
    assert!(admitted.preflight(&plain).is_none());
    let mut headers = axum::http::HeaderMap::new();
    admitted.mark(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn origins_in_the_configuration_are_checked() {
    for bad in [
        "*",
        "app.example.org",
        "https://",
        "https://app/",
        "https://a b",
        "https://*.example.org",
    ] {
        let options = GuardOptions {
            allowed_origins: vec![bad.into()],
            ..GuardOptions::default()
        };
        let made = Guard::new("127.0.0.1:1".parse().unwrap(), options);
        assert!(matches!(made, Err(GuardError::Origin(_))), "{bad}");
    }
}
