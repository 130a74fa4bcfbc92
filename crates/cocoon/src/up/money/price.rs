//! `--price` and `--settle`.

use std::str::FromStr;

use cocoon_types::{Coefficient, Nanoton};
use toml::Value;

use crate::exit::Hinted;

/// What workers ask for an adjusted token, in hundredths of a nanoTON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::up) struct Price(u64);

/// When the proxy settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::up) enum Settle {
    Each,
    Threshold,
    Manual,
    Every(u32),
}

// === impl Price ===

impl Price {
    /// The network's price is part of every address and stays; a worker's price moves by its coefficient.
    pub(super) fn coefficient(self, base: Nanoton) -> anyhow::Result<Coefficient> {
        let hundredths = base.nano().saturating_mul(100).max(1);
        let per_mille = self.0.checked_mul(1000).filter(|scaled| scaled % hundredths == 0);
        let exact = per_mille.and_then(|scaled| u32::try_from(scaled / hundredths).ok());
        exact.and_then(Coefficient::new).ok_or_else(|| {
            Hinted::usage(
                format!(
                    "--price {}.{:02} cannot be asked exactly",
                    self.0 / 100,
                    self.0 % 100
                ),
                format!(
                    "this network's price is {0} nanoTON, and workers ask 1/1000 of it or a multiple",
                    base.nano()
                ),
            )
        })
    }
}

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "nanoTON with up to two decimals, as 30 or 0.5";
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
            return Err(wrong);
        }
        let whole: u64 = whole.parse().map_err(|_| wrong)?;
        let decimals: u64 = format!("{decimals:0<2}").parse().map_err(|_| wrong)?;
        whole
            .checked_mul(100)
            .and_then(|whole| whole.checked_add(decimals))
            .map(Self)
            .ok_or(wrong)
    }
}

// === impl Settle ===

impl Settle {
    /// As the proxy's configuration has it.
    pub(super) fn to_value(self) -> Value {
        match self {
            Self::Each => Value::String("each".into()),
            Self::Threshold => Value::String("threshold".into()),
            Self::Manual => Value::String("manual".into()),
            Self::Every(seconds) => Value::String(seconds.to_string()),
        }
    }
}

impl FromStr for Settle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "each" => Ok(Self::Each),
            "threshold" => Ok(Self::Threshold),
            "manual" => Ok(Self::Manual),
            other => match other.parse() {
                Ok(seconds) if seconds > 0 => Ok(Self::Every(seconds)),
                _ => Err("each, threshold, manual or a number of seconds"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use cocoon_types::Nanoton;

    use super::{Price, Settle};

    #[test]
    fn a_price_becomes_an_exact_coefficient_or_is_refused() {
        let coefficient = |price: &str| {
            let price: Price = price.parse().unwrap();
            price
                .coefficient(Nanoton::new(20))
                .map(|coefficient| coefficient.per_mille())
                .ok()
        };
        assert_eq!(coefficient("20"), Some(1000));
        assert_eq!(coefficient("0"), Some(0));
        assert_eq!(coefficient("30.5"), Some(1525));
        assert_eq!(coefficient("0.02"), Some(1));
        assert_eq!(coefficient("0.01"), None);
        assert_eq!(coefficient("184467440737095516"), None);
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "0.001", "99999999999999999999"] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
    }

    #[test]
    fn settling_is_read_from_words_and_seconds() {
        assert_eq!("each".parse(), Ok(Settle::Each));
        assert_eq!("threshold".parse(), Ok(Settle::Threshold));
        assert_eq!("30".parse(), Ok(Settle::Every(30)));
        for bad in ["", "0", "-1", "never", "1.5"] {
            assert!(bad.parse::<Settle>().is_err(), "{bad}");
        }
    }
}
