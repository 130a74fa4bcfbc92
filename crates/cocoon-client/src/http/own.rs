//! Our own options: in headers, in the body's `cocoon` object, or from the configuration.

use std::time::Duration;

use axum::http::HeaderMap;
use cocoon_openai::CocoonOptions;
use cocoon_types::{Coefficient, Fault, Nanoton, Refusal, Tier, TierPolicy};

use super::Limits;

pub(super) const TIER: &str = "x-cocoon-tier";
const TIMEOUT: &str = "x-cocoon-timeout";
const MAX_COEFFICIENT: &str = "x-cocoon-max-coefficient";
const MAX_PRICE: &str = "x-cocoon-max-price";
const CANDIDATES: &str = "x-cocoon-candidates";
/// Whether the proxy could not read it.
pub(super) const SEALED: &str = "x-cocoon-sealed";
/// The id of its receipt.
pub(super) const RECEIPT: &str = "x-cocoon-receipt";

/// What a request has asked for, or gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) tier: TierPolicy,
    pub(super) timeout: Duration,
    pub(super) max_coefficient: Coefficient,
    pub(super) max_price: Option<Nanoton>,
    pub(super) balance: bool,
    pub(super) candidates: u8,
}

const TIERS: [Tier; 4] = [Tier::Confidential, Tier::Attested, Tier::Open, Tier::Simulated];

// === impl Own ===

impl Own {
    /// Header and body say the same or only one of them speaks; the configuration speaks for what neither says.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] for a tier below that of the API key; [`Fault::InvalidRequest`] for a value that is none, a contradiction, or more than the configuration allows.
    pub(super) fn new(
        headers: &HeaderMap,
        body: &CocoonOptions,
        min_tier: Option<TierPolicy>,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let tier = header(
            headers,
            TIER,
            "a tier, as in attested or open+simulated",
            |text| text.parse().ok(),
        )?;
        let timeout = header(headers, TIMEOUT, "a number of seconds above 0", seconds)?;
        let coefficient = header(
            headers,
            MAX_COEFFICIENT,
            "an integer in per mille, 1000 = the base price",
            |text| text.parse().ok().and_then(Coefficient::new),
        )?;
        let max_price = header(
            headers,
            MAX_PRICE,
            "an integer in nanoTON, 1000000000 = 1 TON",
            |text| text.parse().ok().map(Nanoton::new),
        )?;
        let candidates = header(
            headers,
            CANDIDATES,
            "an integer from 1 to 8: how many workers the request is sealed for",
            |text| text.parse().ok().filter(|count| (1..=8).contains(count)),
        )?;
        let tier = one(TIER, tier, body.tier)?;
        if let (Some(asked), Some(least)) = (tier, min_tier)
            && let Some(too_low) = TIERS
                .into_iter()
                .find(|tier| asked.accepts(*tier) && !least.accepts(*tier))
        {
            return Err(Refusal::new(
                Fault::Forbidden,
                format!(
                    "this API key does not allow tier {too_low}: its requests accept {least} or less than that"
                ),
            ));
        }
        let own = Self {
            tier: tier.or(min_tier).unwrap_or(limits.tier),
            timeout: one(TIMEOUT, timeout, body.timeout)?.unwrap_or(limits.timeout),
            max_coefficient: one(MAX_COEFFICIENT, coefficient, body.max_coefficient)?
                .unwrap_or(limits.max_coefficient),
            max_price: one(MAX_PRICE, max_price, body.max_price)?,
            balance: body.balance,
            candidates: one(CANDIDATES, candidates, body.candidates)?.unwrap_or(limits.seal.candidates),
        };
        if own.timeout > limits.max_timeout {
            let most = limits.max_timeout.as_secs();
            return Err(invalid(format!(
                "{TIMEOUT}: this gateway allows at most {most} s"
            )));
        }
        if own.tier.accepts_simulated() && !limits.accept_simulated {
            return Err(invalid(format!(
                "{TIER}: this gateway does not accept simulated evidence"
            )));
        }
        Ok(own)
    }

    /// The headers of ours as they came: a request that is sent again must have the same ones.
    pub(super) fn raw(headers: &HeaderMap) -> [&[u8]; 5] {
        [TIER, TIMEOUT, MAX_COEFFICIENT, MAX_PRICE, CANDIDATES]
            .map(|name| headers.get(name).map_or(&b""[..], |value| value.as_bytes()))
    }
}

fn header<T>(
    headers: &HeaderMap,
    name: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid(format!("{name} stands twice")));
    }
    let parsed = value.to_str().ok().map(str::trim).and_then(parse);
    parsed
        .map(Some)
        .ok_or_else(|| invalid(format!("{name} must be {what}")))
}

fn one<T: PartialEq>(name: &str, header: Option<T>, body: Option<T>) -> Result<Option<T>, Refusal> {
    match (&header, &body) {
        (Some(header), Some(body)) if header != body => Err(invalid(format!(
            "{name} and the body's `cocoon` object contradict each other"
        ))),
        _ => Ok(header.or(body)),
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (!duration.is_zero()).then_some(duration)
}

fn invalid(message: String) -> Refusal {
    Refusal::new(Fault::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderMap;
    use cocoon_openai::CocoonOptions;
    use cocoon_types::{Coefficient, Fault, Tier, TierPolicy};

    use super::{Limits, Own};
    use crate::sealed::SealOptions;

    fn limits() -> Limits {
        Limits {
            max_body_bytes: 1,
            body_deadline: Duration::from_secs(1),
            timeout: Duration::from_secs(600),
            max_timeout: Duration::from_secs(1800),
            tier: TierPolicy::CONFIDENTIAL,
            max_coefficient: Coefficient::DEFAULT_LIMIT,
            accept_simulated: false,
            seal: SealOptions {
                candidates: 2,
                remember: true,
                padded: true,
            },
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn header_and_body_and_configuration() {
        let own = Own::new(&HeaderMap::new(), &CocoonOptions::default(), None, &limits()).unwrap();
        assert_eq!((own.tier, own.timeout.as_secs()), (TierPolicy::CONFIDENTIAL, 600));
        let body = CocoonOptions {
            tier: Some(TierPolicy::at_least(Tier::Attested)),
            timeout: Some(Duration::from_millis(1500)),
            ..CocoonOptions::default()
        };
        let given = headers(&[
            ("x-cocoon-tier", "attested"),
            ("x-cocoon-max-coefficient", "1500"),
        ]);
        let own = Own::new(&given, &body, None, &limits()).unwrap();
        assert_eq!(own.tier, TierPolicy::at_least(Tier::Attested));
        assert_eq!(own.timeout, Duration::from_millis(1500));
        assert_eq!(own.max_coefficient.per_mille(), 1500);
    }

    #[test]
    fn contradictions_and_nonsense_are_refused() {
        let body = CocoonOptions {
            tier: Some(TierPolicy::at_least(Tier::Open)),
            ..CocoonOptions::default()
        };
        let contradiction = headers(&[("x-cocoon-tier", "confidential")]);
        let cases = [
            (contradiction, body.clone()),
            (headers(&[("x-cocoon-tier", "best")]), CocoonOptions::default()),
            (
                headers(&[("x-cocoon-tier", "open"), ("x-cocoon-tier", "open")]),
                body,
            ),
            (headers(&[("x-cocoon-timeout", "0")]), CocoonOptions::default()),
            (headers(&[("x-cocoon-timeout", "nan")]), CocoonOptions::default()),
            (headers(&[("x-cocoon-timeout", "1801")]), CocoonOptions::default()),
            (
                headers(&[("x-cocoon-max-coefficient", "1.5")]),
                CocoonOptions::default(),
            ),
            (
                headers(&[("x-cocoon-tier", "simulated")]),
                CocoonOptions::default(),
            ),
        ];
        for (headers, body) in cases {
            let refusal = Own::new(&headers, &body, None, &limits()).unwrap_err();
            assert_eq!(refusal.fault, Fault::InvalidRequest);
            assert!(refusal.message.contains("x-cocoon-"), "{refusal}");
        }
    }

    #[test]
    fn a_keys_tier_is_the_default_and_the_floor() {
        let least: TierPolicy = "attested".parse().unwrap();
        let of = |tier: Option<&str>| {
            let given = tier.map_or_else(HeaderMap::new, |tier| headers(&[("x-cocoon-tier", tier)]));
            Own::new(&given, &CocoonOptions::default(), Some(least), &limits()).map(|own| own.tier)
        };
        assert_eq!(of(None).unwrap(), least);
        assert_eq!(of(Some("confidential")).unwrap(), TierPolicy::CONFIDENTIAL);
        for lower in ["open", "attested+simulated", "simulated"] {
            assert_eq!(of(Some(lower)).unwrap_err().fault, Fault::Forbidden, "{lower}");
        }
    }
}
