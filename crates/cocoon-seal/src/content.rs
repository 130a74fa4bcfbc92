//! What follows from a request's content key, on both sides alike (docs/sealing.md 3.3, 3.4, 4.1).

pub(crate) mod pad;

use aws_lc_rs::hkdf::Prk;
use zeroize::Zeroizing;

use crate::cipher::{Cipher, Failed, MATERIAL, expand, extract};
use crate::digest::{Hasher, hash, plain};
use crate::{Digest, domain};

/// The random key of one request, as it is wrapped to each candidate.
pub(crate) type ContentKey = Box<Zeroizing<[u8; 32]>>;

/// What only the client and one candidate share, beside the content key.
pub(crate) type AnswerSecret = Box<Zeroizing<[u8; 32]>>;

/// Cipher of the body, and the salt of the request's hash.
pub(crate) struct RequestKeys {
    pub(crate) cipher: Cipher,
    pub(crate) salt: [u8; 32],
}

/// Cipher of the answer's parts, and the salt of its hash.
pub(crate) struct AnswerKeys {
    pub(crate) cipher: Cipher,
    pub(crate) salt: [u8; 32],
}

/// Cipher and salt of a request.
pub(crate) fn request_keys(content_key: &[u8; 32], head_hash: Digest) -> Result<RequestKeys, Failed> {
    let content = extract(domain::CONTENT, content_key);
    let material = expand::<MATERIAL>(&content, domain::BODY_KEY, &[&head_hash.0])?;
    let salt = expand::<32>(&content, domain::REQUEST_SALT, &[&head_hash.0])?;
    Ok(RequestKeys {
        cipher: Cipher::new(&material)?,
        salt: *salt,
    })
}

/// The secret that the keys of one candidate's answer come from.
pub(crate) fn answer_prk(content_key: &[u8; 32], secret: &[u8; 32]) -> Prk {
    let mut both = Zeroizing::new([0; 64]);
    let bytes = content_key.iter().chain(secret);
    for (to, from) in both.iter_mut().zip(bytes) {
        *to = *from;
    }
    extract(domain::ANSWER_KEY, &*both)
}

/// Cipher and salt of an answer.
pub(crate) fn answer_keys(
    prk: &Prk,
    key_id: Digest,
    request_hash: Digest,
    nonce: &[u8; 32],
    answer_head: &[u8],
) -> Result<AnswerKeys, Failed> {
    let head_hash = plain(answer_head).0;
    let info: [&[u8]; 4] = [&key_id.0, &request_hash.0, nonce, &head_hash];
    let all = expand::<{ MATERIAL + 32 }>(prk, domain::ANSWER_KEY, &info)?;
    let (material, salt) = all.split_first_chunk::<MATERIAL>().ok_or(Failed)?;
    Ok(AnswerKeys {
        cipher: Cipher::new(material)?,
        salt: salt.try_into().map_err(|_| Failed)?,
    })
}

/// Salted hash of the body, of which the request's hash is made.
pub(crate) fn request_text(salt: &[u8; 32], body: &[u8]) -> Digest {
    hash(domain::REQUEST_TEXT, &[salt, body])
}

/// What stands for the salt where the salt itself is not shown.
pub(crate) fn salt_digest(salt: &[u8; 32]) -> Digest {
    hash(domain::SALT, &[salt])
}

/// The hash by which a request is known.
pub(crate) fn request_hash(head_hash: Digest, salt: Digest, text: Digest) -> Digest {
    hash(domain::REQUEST, &[&head_hash.0, &salt.0, &text.0])
}

/// Begins the salted hash of an answer's text.
pub(crate) fn answer_text(salt: &[u8; 32]) -> Hasher {
    let mut hasher = Hasher::new(domain::ANSWER_TEXT);
    hasher.update(salt);
    hasher
}

/// The hash by which an answer is known.
pub(crate) fn answer_hash(request_hash: Digest, answer_head: &[u8], salt: Digest, text: Digest) -> Digest {
    let head = plain(answer_head);
    hash(domain::ANSWER, &[&request_hash.0, &head.0, &salt.0, &text.0])
}
