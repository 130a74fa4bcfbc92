//! The content key, wrapped to one worker: by HPKE, or by a session that an earlier request left (docs/sealing.md 3.2, 5).

pub(crate) mod book;

use aws_lc_rs::hkdf::Prk;
use bytes::Bytes;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender_with_rng};
use zeroize::Zeroizing;

use crate::cipher::{Cipher, Failed, MATERIAL, TAG, expand, extract};
use crate::codec::{Malformed, Reader, Write};
use crate::content::{AnswerSecret, ContentKey, answer_prk};
use crate::error::SealError;
use crate::keys::sessions::{SessionId, SessionSecret};
use crate::random::{Random, Stream, draw};
use crate::{Digest, SealingPublic, domain};

const COLD: u8 = 1;
const WARM: u8 = 2;

/// Bytes of an encapsulated X-Wing key.
const ENC: usize = 1120;

/// Content key and options.
const TEXT: usize = 33;

/// The client asks for a session.
const REMEMBER: u8 = 1;

/// Bytes of the longest wrap.
pub const MAX_WRAP: usize = 1 + ENC + TEXT + TAG;

/// What a client keeps to wrap later requests to a worker without public-key work; erased when it is dropped.
pub struct Session {
    pub(crate) key: Digest,
    pub(crate) not_after: u64,
    id: SessionId,
    secret: SessionSecret,
}

/// A wrap on its way to a worker, and what its maker keeps.
pub(crate) struct Wrapped {
    pub(crate) bytes: Bytes,
    pub(crate) answer: Prk,
    pub(crate) session: Option<Session>,
}

/// What a worker finds in a wrap.
pub(crate) struct Unwrapped {
    pub(crate) content_key: ContentKey,
    pub(crate) answer: Prk,
    pub(crate) session: Option<(SessionId, SessionSecret)>,
}

/// A wrap, taken apart.
pub(crate) enum Wrap<'a> {
    Cold {
        enc: &'a [u8],
        ciphertext: [u8; TEXT + TAG],
    },
    Warm {
        session: SessionId,
        salt: [u8; 32],
        ciphertext: [u8; TEXT + TAG],
    },
}

/// Wraps by HPKE.
pub(crate) fn cold(
    to: &SealingPublic,
    head_hash: Digest,
    content_key: &ContentKey,
    remember: bool,
    random: &mut dyn Random,
) -> Result<Wrapped, SealError> {
    let mut stream = Stream::new(random)?;
    let info = [domain::WRAP.bytes(), &to.id().0].concat();
    let (enc, mut context) =
        setup_sender_with_rng::<AesGcm256, HkdfSha256, XWing>(&OpModeS::Base, &to.hpke, &info, &mut stream)
            .map_err(|_| Failed)?;
    let text = text(content_key, remember);
    let sealed = context
        .seal(&*text, &aad(head_hash, to.id()))
        .map_err(|_| Failed)?;
    let mut bytes = Vec::with_capacity(MAX_WRAP);
    bytes.u8(COLD);
    bytes.put(&enc.to_bytes());
    bytes.put(&sealed);
    let answer = exported(|domain, out| context.export(domain, out).is_ok())?;
    let session = if remember {
        let mut id = [0; 16];
        let secret = session_of(&mut id, |domain, out| context.export(domain, out).is_ok())?;
        Some(Session {
            key: to.id(),
            not_after: to.not_after(),
            id,
            secret,
        })
    } else {
        None
    };
    Ok(Wrapped {
        bytes: bytes.into(),
        answer: answer_prk(content_key, &answer),
        session,
    })
}

/// Wraps by a session.
pub(crate) fn warm(
    session: &Session,
    head_hash: Digest,
    content_key: &ContentKey,
    random: &mut dyn Random,
) -> Result<Wrapped, SealError> {
    let salt: [u8; 32] = draw(random)?;
    let (cipher, secret) = warm_keys(&session.secret, &salt, head_hash)?;
    let mut text = text(content_key, false);
    let tag = cipher.seal(0, &aad(head_hash, session.key), &mut *text)?;
    let mut bytes = Vec::with_capacity(1 + 16 + 32 + TEXT + TAG);
    bytes.u8(WARM);
    bytes.put(&session.id);
    bytes.put(&salt);
    bytes.put(&*text);
    bytes.put(&tag);
    Ok(Wrapped {
        bytes: bytes.into(),
        answer: answer_prk(content_key, &secret),
        session: None,
    })
}

// === impl Wrap ===

impl<'a> Wrap<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let wrap = match reader.u8("wrap")? {
            COLD => Self::Cold {
                enc: reader.take(ENC, "encapsulated key")?,
                ciphertext: reader.array("wrapped key")?,
            },
            WARM => Self::Warm {
                session: reader.array("session id")?,
                salt: reader.array("salt")?,
                ciphertext: reader.array("wrapped key")?,
            },
            _ => return Err(Malformed("wrap: kind")),
        };
        reader.finish("wrap: bytes left over")?;
        Ok(wrap)
    }
}

/// Opens a cold wrap with the worker's secret key.
pub(crate) fn open_cold(
    secret: &<XWing as Kem>::PrivateKey,
    key_id: Digest,
    head_hash: Digest,
    enc: &[u8],
    ciphertext: &[u8],
) -> Result<Unwrapped, Failed> {
    let enc = Deserializable::from_bytes(enc).map_err(|_| Failed)?;
    let info = [domain::WRAP.bytes(), &key_id.0].concat();
    let mut context = setup_receiver::<AesGcm256, HkdfSha256, XWing>(&OpModeR::Base, secret, &enc, &info)
        .map_err(|_| Failed)?;
    let text = Zeroizing::new(
        context
            .open(ciphertext, &aad(head_hash, key_id))
            .map_err(|_| Failed)?,
    );
    let (content_key, remember) = read_text(&text)?;
    let answer = exported(|domain, out| context.export(domain, out).is_ok())?;
    let session = if remember {
        let mut id = [0; 16];
        let secret = session_of(&mut id, |domain, out| context.export(domain, out).is_ok())?;
        Some((id, secret))
    } else {
        None
    };
    let answer = answer_prk(&content_key, &answer);
    Ok(Unwrapped {
        content_key,
        answer,
        session,
    })
}

/// Opens a warm wrap with the session's secret.
pub(crate) fn open_warm(
    secret: &SessionSecret,
    key_id: Digest,
    head_hash: Digest,
    salt: &[u8; 32],
    ciphertext: &[u8],
) -> Result<Unwrapped, Failed> {
    let (cipher, answer) = warm_keys(secret, salt, head_hash)?;
    let mut text = Zeroizing::new([0; TEXT + TAG]);
    for (to, from) in text.iter_mut().zip(ciphertext) {
        *to = *from;
    }
    let text = cipher.open(0, &aad(head_hash, key_id), &mut *text)?;
    let (content_key, _) = read_text(text)?;
    let answer = answer_prk(&content_key, &answer);
    Ok(Unwrapped {
        content_key,
        answer,
        session: None,
    })
}

fn warm_keys(
    secret: &SessionSecret,
    salt: &[u8; 32],
    head_hash: Digest,
) -> Result<(Cipher, Zeroizing<[u8; 32]>), Failed> {
    let prk = extract(domain::WARM_WRAP, &***secret);
    let all = expand::<{ MATERIAL + 32 }>(&prk, domain::WARM_WRAP, &[salt, &head_hash.0])?;
    let (material, answer) = all.split_first_chunk::<MATERIAL>().ok_or(Failed)?;
    let answer = Zeroizing::new(answer.try_into().map_err(|_| Failed)?);
    Ok((Cipher::new(material)?, answer))
}

/// The secret of the answer, from an HPKE context.
fn exported(export: impl Fn(&[u8], &mut [u8]) -> bool) -> Result<AnswerSecret, Failed> {
    let mut secret = Box::new(Zeroizing::new([0; 32]));
    let done = export(domain::ANSWER_SECRET.bytes(), &mut **secret);
    done.then_some(secret).ok_or(Failed)
}

/// Id and secret of the session that an HPKE context begins.
fn session_of(
    id: &mut SessionId,
    export: impl Fn(&[u8], &mut [u8]) -> bool,
) -> Result<SessionSecret, Failed> {
    let mut secret = Box::new(Zeroizing::new([0; 32]));
    let done =
        export(domain::SESSION_ID.bytes(), id) && export(domain::SESSION_SECRET.bytes(), &mut **secret);
    done.then_some(secret).ok_or(Failed)
}

fn aad(head_hash: Digest, key_id: Digest) -> Vec<u8> {
    [domain::WRAP_AAD.bytes(), &head_hash.0, &key_id.0].concat()
}

fn text(content_key: &ContentKey, remember: bool) -> Zeroizing<[u8; TEXT]> {
    let mut text = Zeroizing::new([0; TEXT]);
    let options = if remember { REMEMBER } else { 0 };
    for (to, from) in text.iter_mut().zip(content_key.iter().chain([&options])) {
        *to = *from;
    }
    text
}

fn read_text(text: &[u8]) -> Result<(ContentKey, bool), Failed> {
    let (key, options) = text.split_first_chunk::<32>().ok_or(Failed)?;
    let mut content_key = Box::new(Zeroizing::new([0; 32]));
    content_key.copy_from_slice(key);
    match options {
        [0] => Ok((content_key, false)),
        [REMEMBER] => Ok((content_key, true)),
        _ => Err(Failed),
    }
}

// === impl Session ===

impl Session {
    /// Whether the session can still be used.
    pub const fn lives_at(&self, now: u64) -> bool {
        now < self.not_after
    }

    /// The sealing key that it ends with.
    pub const fn key(&self) -> Digest {
        self.key
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.key)
    }
}
