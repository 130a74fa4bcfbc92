use std::{fmt, num::NonZeroU32, sync::LazyLock};

use aws_lc_rs::{
    hmac::{self, HMAC_SHA512},
    pbkdf2::{self, PBKDF2_HMAC_SHA512},
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{KeyError, SigningKey};

/// The 24 words of a key, as TON wallets use them, without a password. Secret: wiped on drop, not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Mnemonic([u16; WORDS]);

/// Why words are no mnemonic. None of these repeats a word: they are secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MnemonicError {
    /// Another number of words.
    #[error("a wallet has 24 words, not {0}")]
    Count(usize),
    /// A word that is not in the list; counted from 1.
    #[error("word {0} is not in the list of words")]
    Word(usize),
    /// Mistyped, in another order, for another kind of wallet, or with a password.
    #[error("the words do not belong together: one is mistyped or out of order, or they need a password")]
    Checksum,
    /// The source of randomness repeats itself or writes nothing.
    #[error("the source of randomness is broken")]
    Randomness,
}

/// Words of a mnemonic.
pub(crate) const WORDS: usize = 24;
/// Bytes of randomness for one try: 24 times 11 bits.
pub const RANDOM_BYTES: usize = 33;

/// Each try succeeds once in 256, so that as many fail once in 10^13 times.
const MAX_TRIES: usize = 8192;

/// 2048 words in order (BIP-39's English list, which TON wallets share).
static LIST: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// Iterations of the key derivation, and of the check that tells a wallet's words from any.
const KEY_ITERATIONS: NonZeroU32 = iterations(100_000);
const CHECK_ITERATIONS: NonZeroU32 = iterations(100_000 / 256);
const KEY_SALT: &[u8] = b"TON default seed";
const CHECK_SALT: &[u8] = b"TON seed version";

// === impl Mnemonic ===

impl Mnemonic {
    /// Makes new words. `fill` fills its argument with randomness fit for keys, 256 times on average.
    pub fn generate(mut fill: impl FnMut(&mut [u8; RANDOM_BYTES])) -> Result<Self, MnemonicError> {
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        for _ in 0..MAX_TRIES {
            let before = random.clone();
            fill(&mut random);
            if *random == *before {
                return Err(MnemonicError::Randomness);
            }
            let words = Self(words_of(&random));
            if words.is_basic() {
                return Ok(words);
            }
        }
        Err(MnemonicError::Randomness)
    }

    /// Reads words as a person writes them, separated by white space, in any case.
    pub fn parse(text: &str) -> Result<Self, MnemonicError> {
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(MnemonicError::Count(count));
        }
        let mut words = Self([0; WORDS]);
        for ((index, to), word) in words.0.iter_mut().enumerate().zip(text.split_whitespace()) {
            let word = Zeroizing::new(word.to_ascii_lowercase());
            let found = LIST.binary_search(&word.as_str()).ok();
            let number = found.and_then(|number| u16::try_from(number).ok());
            *to = number.ok_or(MnemonicError::Word(index.saturating_add(1)))?;
        }
        if !words.is_basic() {
            return Err(MnemonicError::Checksum);
        }
        Ok(words)
    }

    /// The key. Takes a tenth of a second.
    pub fn to_key(&self) -> Result<SigningKey, KeyError> {
        let mut seed = Zeroizing::new([0; 64]);
        pbkdf2::derive(
            PBKDF2_HMAC_SHA512,
            KEY_ITERATIONS,
            KEY_SALT,
            self.entropy().as_slice(),
            seed.as_mut(),
        );
        let (seed, _) = seed.split_first_chunk().ok_or(KeyError)?;
        SigningKey::from_seed(*seed)
    }

    /// The words, to be shown to their owner and to nobody else.
    pub fn words(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(WORDS.saturating_mul(9)));
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(LIST.get(usize::from(*word)).copied().unwrap_or_default());
        }
        text
    }

    fn entropy(&self) -> Zeroizing<Vec<u8>> {
        let key = hmac::Key::new(HMAC_SHA512, self.words().as_bytes());
        // The message would be the password.
        Zeroizing::new(hmac::sign(&key, b"").as_ref().to_vec())
    }

    /// Whether these are a wallet's words without a password.
    fn is_basic(&self) -> bool {
        let mut check = [0; 64];
        pbkdf2::derive(
            PBKDF2_HMAC_SHA512,
            CHECK_ITERATIONS,
            CHECK_SALT,
            self.entropy().as_slice(),
            &mut check,
        );
        check.first() == Some(&0)
    }
}

impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mnemonic")
    }
}

const fn iterations(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Cuts bytes into numbers of 11 bits.
fn words_of(random: &[u8; RANDOM_BYTES]) -> [u16; WORDS] {
    let mut words = [0; WORDS];
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut to = words.iter_mut();
    for byte in random {
        held = ((held << 8) | u32::from(*byte)) & 0x7_ffff;
        bits = bits.saturating_add(8);
        if bits >= 11 {
            bits = bits.saturating_sub(11);
            if let Some(to) = to.next() {
                *to = u16::try_from((held >> bits) & 0x7ff).unwrap_or_default();
            }
        }
    }
    words
}
