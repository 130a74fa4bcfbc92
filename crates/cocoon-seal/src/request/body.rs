//! The body in pieces (docs/sealing.md 3.3).

use bytes::Bytes;

use crate::cipher::{Cipher, Position, TAG};
use crate::codec::Write;
use crate::content::pad;
use crate::error::SealError;
use crate::{MAX_SEALED, domain};

pub(crate) const MORE: u8 = 0;
pub(crate) const LAST: u8 = 1;

/// Most text in a piece.
const MAX_TEXT: usize = MAX_SEALED - 1 - TAG;

/// Cuts a body into sealed pieces, one at a time.
pub struct BodySealer {
    cipher: Cipher,
    body: Bytes,
    /// Padded bytes that have not been sealed yet; `None` once the last piece is out.
    left: Option<u64>,
    /// The padding has begun.
    marked: bool,
    next: u64,
}

impl BodySealer {
    pub(crate) const fn new(cipher: Cipher, body: Bytes, padded: u64) -> Self {
        Self {
            cipher,
            body,
            left: Some(padded),
            marked: false,
            next: 0,
        }
    }

    /// Whether the last piece is out.
    pub const fn is_done(&self) -> bool {
        self.left.is_none()
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, SealError> {
        let Some(left) = self.left else {
            return Ok(None);
        };
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(MAX_TEXT);
        let left = left.saturating_sub(size as u64);
        let kind = if left == 0 { LAST } else { MORE };
        let mut piece = Vec::with_capacity(1 + size + TAG);
        piece.u8(kind);
        let content = self.body.split_to(size.min(self.body.len()));
        piece.put(&content);
        if content.len() < size && !self.marked {
            pad::fill(&mut piece, 1 + size);
            self.marked = true;
        } else {
            piece.resize(1 + size, 0);
        }
        let position = Position::new(domain::BODY_PIECE, self.next, kind);
        let (_, text) = piece.split_first_mut().ok_or(SealError::Failed)?;
        let tag = self.cipher.seal(self.next, position.bytes(), text)?;
        piece.put(&tag);
        self.next += 1;
        self.left = (kind == MORE).then_some(left);
        Ok(Some(piece.into()))
    }
}

impl std::fmt::Debug for BodySealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BodySealer(piece {})", self.next)
    }
}
