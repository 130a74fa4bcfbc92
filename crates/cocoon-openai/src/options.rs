use std::time::Duration;

use cocoon_types::{Coefficient, Fault, Nanoton, Refusal, TierPolicy};

use crate::json::members;

/// Longest deadline that a caller may ask for; the gateway may allow less.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// The `cocoon` object of a body: what this network knows and OpenAI's API does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CocoonOptions {
    /// `tier`: the lowest tier accepted, as in `"attested"` or `"open+simulated"`.
    pub tier: Option<TierPolicy>,
    /// `max_coefficient`: the highest price accepted, in per mille of the base price.
    pub max_coefficient: Option<Coefficient>,
    /// `timeout`: deadline for the whole answer, in seconds; fractions allowed.
    pub timeout: Option<Duration>,
    /// `max_price`: the most that the answer may cost, in nanoTON.
    pub max_price: Option<Nanoton>,
    /// `balance`: whether the answer should tell what is left in the account.
    pub balance: bool,
    /// `candidates`: how many workers the request is sealed for, 1 to 8.
    pub candidates: Option<u8>,
}

impl CocoonOptions {
    /// Reads the object. Unknown members are refused: a misspelt `tier` must not lower anybody's protection silently.
    ///
    /// # Errors
    /// [`Fault::InvalidRequest`] naming the member; values are never quoted.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        if text == b"null" {
            return Ok(Self::default());
        }
        let wrong = |param, message: &str| Err(Refusal::new(Fault::InvalidRequest, message).about(param));
        let Ok(members) = members(text, 16) else {
            return wrong("cocoon", "`cocoon` must be an object without doubled members");
        };
        let mut options = Self::default();
        for (name, value) in members {
            let value = value.get();
            match name.as_str() {
                "tier" => {
                    let tier = serde_json::from_str::<String>(value).ok();
                    let Some(tier) = tier.and_then(|tier| tier.parse().ok()) else {
                        return wrong(
                            "cocoon.tier",
                            "`cocoon.tier` must be \"confidential\", \"attested\", \"open\" or \"simulated\"",
                        );
                    };
                    options.tier = Some(tier);
                }
                "max_coefficient" => {
                    let Some(limit) = value.parse().ok().and_then(Coefficient::new) else {
                        return wrong(
                            "cocoon.max_coefficient",
                            "`cocoon.max_coefficient` must be an integer in per mille, 1000 = the base price",
                        );
                    };
                    options.max_coefficient = Some(limit);
                }
                "max_price" => {
                    let Some(limit) = value.parse().ok() else {
                        return wrong(
                            "cocoon.max_price",
                            "`cocoon.max_price` must be an integer in nanoTON, 1000000000 = 1 TON",
                        );
                    };
                    options.max_price = Some(Nanoton::new(limit));
                }
                "balance" => {
                    let Ok(wanted) = value.parse() else {
                        return wrong("cocoon.balance", "`cocoon.balance` must be true or false");
                    };
                    options.balance = wanted;
                }
                "candidates" => {
                    let Some(count) = value.parse().ok().filter(|count| (1..=8).contains(count)) else {
                        return wrong(
                            "cocoon.candidates",
                            "`cocoon.candidates` must be an integer from 1 to 8",
                        );
                    };
                    options.candidates = Some(count);
                }
                "timeout" => {
                    let Some(timeout) = seconds(value) else {
                        return wrong(
                            "cocoon.timeout",
                            "`cocoon.timeout` must be a number of seconds above 0 and at most 86400",
                        );
                    };
                    options.timeout = Some(timeout);
                }
                _ => {
                    return wrong(
                        "cocoon",
                        "`cocoon` holds an unknown member; known are tier, max_coefficient, max_price, balance, candidates and timeout",
                    );
                }
            }
        }
        Ok(options)
    }
}

/// A JSON number of seconds as a duration, unless it is not above 0 or above [`MAX_TIMEOUT`].
fn seconds(value: &str) -> Option<Duration> {
    let seconds = serde_json::from_str::<f64>(value).ok()?;
    let timeout = Duration::try_from_secs_f64(seconds).ok()?;
    (!timeout.is_zero() && timeout <= MAX_TIMEOUT).then_some(timeout)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cocoon_types::{Coefficient, Nanoton, Tier, TierPolicy};

    use super::CocoonOptions;

    #[test]
    fn all_members_are_read() {
        let options = CocoonOptions::parse(
            br#"{"tier":"open+simulated","max_coefficient":1500,"timeout":0.5,"max_price":7,"balance":true,"candidates":3}"#,
        )
        .unwrap();
        assert_eq!(
            (options.max_price, options.balance, options.candidates),
            (Some(Nanoton::new(7)), true, Some(3))
        );
        assert_eq!(
            options.tier,
            Some(TierPolicy::at_least(Tier::Open).and_simulated())
        );
        assert_eq!(options.max_coefficient, Coefficient::new(1500));
        assert_eq!(options.timeout, Some(Duration::from_millis(500)));
        assert_eq!(CocoonOptions::parse(b"{}").unwrap(), CocoonOptions::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_and_not_quoted() {
        for text in [
            r#"{"teir":"open"}"#,
            r#"{"Tier":"open"}"#,
            r#"{"tier":"planted"}"#,
            r#"{"tier":null}"#,
            r#"{"tier":"open","tier":"confidential"}"#,
            r#"{"max_coefficient":-1}"#,
            r#"{"max_coefficient":1.5}"#,
            r#"{"max_coefficient":1000000000}"#,
            r#"{"max_price":-1}"#,
            r#"{"max_price":0.5}"#,
            r#"{"balance":1}"#,
            r#"{"candidates":0}"#,
            r#"{"candidates":9}"#,
            r#"{"timeout":0}"#,
            r#"{"timeout":-1}"#,
            r#"{"timeout":1e300}"#,
            r#"{"timeout":"5"}"#,
            r#"["planted"]"#,
        ] {
            let refusal = CocoonOptions::parse(text.as_bytes()).unwrap_err();
            assert!(
                refusal.param.is_some_and(|param| param.starts_with("cocoon")),
                "{text}"
            );
            assert!(!refusal.message.contains("planted"), "{text}");
        }
    }
}
