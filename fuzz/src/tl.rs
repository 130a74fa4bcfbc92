//! `cocoon-tl`: frames, packets and the boxed objects of every namespace.
//!
//! Beside "no panic" every target checks that what was accepted, written and accepted again is the same bytes, and that
//! writing never makes an object longer than what was read.

use bytes::{Bytes, BytesMut};
use cocoon_tl::{
    Constructor, TlObject, by_id, client, frame, key_manager_db, peek_id, proxy, proxy_db, root_config, tcp,
    v3,
};

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("tl_client", client),
    ("tl_disk", disk),
    ("tl_frame", frame),
    ("tl_http", http),
    ("tl_key_manager", key_manager),
    ("tl_packet", packet),
    ("tl_proxy", proxy),
    ("tl_v3", v3),
    ("tl_worker", worker),
];

/// A stream of frames, as a link reads it.
pub fn frame(data: &[u8]) {
    let mut rest = Bytes::copy_from_slice(data);
    while let Some(header) = rest.first_chunk() {
        let Ok(header) = frame::read_header(*header) else {
            return;
        };
        if rest.len() - frame::HEADER_LEN < header.len {
            return;
        }
        let mut payload = rest.split_off(frame::HEADER_LEN);
        rest = payload.split_off(header.len);
        if let Ok(packet) = tcp::Packet::from_boxed(payload) {
            let mut out = BytesMut::new();
            frame::write_frame(&mut out, header.seqno, &packet)
                .expect("what was read in a frame fits a frame");
            let again = frame::read_header(*out.first_chunk().expect("a frame has a header"))
                .expect("our own header");
            assert_eq!(
                (again.seqno, again.len + frame::HEADER_LEN),
                (header.seqno, out.len())
            );
            assert!(again.len <= header.len);
        }
    }
}

/// A frame's payload, and what stands in it as a link dispatches it.
pub fn packet(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    whole::<tcp::Packet>(&bytes);
    match tcp::Packet::from_boxed(bytes) {
        Ok(tcp::Packet::Packet(tcp::PacketData { data }))
        | Ok(tcp::Packet::Query(tcp::Query { data, .. }))
        | Ok(tcp::Packet::QueryAnswer(tcp::QueryAnswer { data, .. })) => any(&data),
        _ => {}
    }
}

/// `client.*`
pub fn client(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    namespace(&bytes, &["client."]);
    whole::<client::AuthorizationWithProxy>(&bytes);
    whole::<client::ProxyConnectionAuth>(&bytes);
    whole::<client::QueryAnswer>(&bytes);
    whole::<client::QueryAnswerEx>(&bytes);
    whole::<client::QueryAnswerPart>(&bytes);
    whole::<client::Refund>(&bytes);
}

/// `proxy.*`
pub fn proxy(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    namespace(&bytes, &["proxy."]);
    whole::<proxy::QueryAnswer>(&bytes);
    whole::<proxy::QueryAnswerEx>(&bytes);
    whole::<proxy::QueryAnswerPart>(&bytes);
    whole::<proxy::SignedPayment>(&bytes);
    whole::<proxy::WorkerRequestPayment>(&bytes);
}

/// `worker.*`
pub fn worker(data: &[u8]) {
    namespace(&Bytes::copy_from_slice(data), &["worker."]);
}

/// `http.*`, `test.*` and what has no namespace.
pub fn http(data: &[u8]) {
    namespace(&Bytes::copy_from_slice(data), &["http.", "test.", "tokensUsed"]);
}

/// `keyManager.*`
pub fn key_manager(data: &[u8]) {
    namespace(&Bytes::copy_from_slice(data), &["keyManager."]);
}

/// What the original keeps on disk.
pub fn disk(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let prefixes = [
        "clientRunner.",
        "keyManagerDb.",
        "keyStorageRunner.",
        "proxyDb.",
        "proxyRunner.",
        "rootConfig.",
        "ton.",
        "workerRunner.",
    ];
    namespace(&bytes, &prefixes);
    whole::<key_manager_db::Config>(&bytes);
    whole::<proxy_db::ClientInfo>(&bytes);
    whole::<proxy_db::Config>(&bytes);
    whole::<root_config::Config>(&bytes);
}

/// Protocol 3.
pub fn v3(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    namespace(&bytes, &["cocoon."]);
    whole::<v3::Message>(&bytes);
    if let Ok(message) = v3::Message::from_boxed(bytes) {
        let mut out = BytesMut::new();
        if frame::write_packet(&mut out, 0, &message).is_ok() {
            let payload = out.freeze().slice(frame::HEADER_LEN..);
            let data = message.to_boxed();
            assert!(tcp::Packet::from_boxed(payload) == Ok(tcp::PacketData { data }.into()));
        }
    }
}

/// The object, when its id is of these namespaces; other ids end the input early, so that the fuzzer finds the right ones.
fn namespace(bytes: &Bytes, prefixes: &[&str]) {
    let constructor = peek_id(bytes).and_then(by_id);
    if let Some(found) =
        constructor.filter(|found| prefixes.iter().any(|prefix| found.name().starts_with(prefix)))
    {
        rewrite(found, bytes);
    }
}

fn any(bytes: &Bytes) {
    if let Some(found) = peek_id(bytes).and_then(by_id) {
        rewrite(found, bytes);
    }
}

fn rewrite(constructor: &Constructor, bytes: &Bytes) {
    let first = (constructor.rewrite)(bytes.clone());
    assert_eq!(first.is_ok(), (constructor.describe)(bytes.clone()).is_ok());
    if let Ok(first) = first {
        assert!(first.len() <= bytes.len());
        assert!((constructor.rewrite)(first.clone()) == Ok(first));
    }
}

fn whole<T: TlObject + PartialEq>(bytes: &Bytes) {
    if let Ok(object) = T::from_boxed(bytes.clone()) {
        let written = object.to_boxed();
        assert_eq!(written.len(), object.boxed_size());
        assert!(written.len() <= bytes.len());
        let again = T::from_boxed(written.clone()).expect("our own bytes are accepted");
        // By bytes, not by value: a double may be NaN.
        assert!(again.to_boxed() == written);
    }
}
