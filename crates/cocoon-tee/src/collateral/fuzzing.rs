//! A collateral service's answers, as bytes of a fuzzer.

use super::wire::{self, Part};

/// The first byte says which answer it is, the second how long its header is; then header and body.
///
/// # Panics
/// What is read has more bytes than came, or other ones.
pub(crate) fn answer(data: &[u8]) {
    let Some(([which, length], rest)) = data.split_first_chunk() else {
        return;
    };
    let part = match which % 4 {
        0 => Part::PckCrl,
        1 => Part::TcbInfo,
        2 => Part::QeIdentity,
        _ => Part::RootCrl,
    };
    let (header, body) = rest.split_at(usize::from(*length).min(rest.len()));
    if let Ok(text) = wire::chain(header, part) {
        assert!(text.len() <= header.len());
    }
    if let Ok(read) = wire::signed_text(body, part) {
        // The signature covers these exact bytes, so they must be the ones that came.
        let is_there = body
            .windows(read.text.len())
            .any(|place| place == read.text.as_bytes());
        assert!(is_there && !read.text.is_empty());
    }
    assert!(wire::list(body.to_vec()).len() <= body.len());
}
