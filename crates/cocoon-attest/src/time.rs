//! The two time formats of X.509 (RFC 5280 4.1.2.5), in both directions.

use crate::der::{self, Element, NotDer};

const DAY: u64 = 86_400;

/// Unix seconds of a UTCTime or GeneralizedTime in the form that DER demands; years before 1970 count as 0.
pub(crate) fn read(element: Element<'_>) -> Result<u64, NotDer> {
    let (year, rest) = match (element.tag, element.content) {
        (der::UTC_TIME, [a, b, rest @ ..]) => {
            let short = pair(*a, *b)?;
            let century = if short >= 50 { 1900_u64 } else { 2000 };
            (century.saturating_add(short), rest)
        }
        (der::GENERALIZED_TIME, [a, b, c, d, rest @ ..]) => (
            pair(*a, *b)?.saturating_mul(100).saturating_add(pair(*c, *d)?),
            rest,
        ),
        _ => return Err(NotDer),
    };
    let &[m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'Z'] = rest else {
        return Err(NotDer);
    };
    let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
    let (hour, minute, second) = (pair(h1, h2)?, pair(n1, n2)?, pair(s1, s2)?);
    let in_month = days_in_months(year)
        .nth(usize::try_from(month.wrapping_sub(1)).unwrap_or(usize::MAX))
        .ok_or(NotDer)?;
    if day == 0 || day > in_month || hour > 23 || minute > 59 || second > 59 {
        return Err(NotDer);
    }
    if year < 1970 {
        return Ok(0);
    }
    let months_before = usize::try_from(month.saturating_sub(1)).unwrap_or_default();
    let days = days_before(year)
        .saturating_add(days_in_months(year).take(months_before).sum())
        .saturating_add(day.saturating_sub(1));
    Ok(days
        .saturating_mul(DAY)
        .saturating_add(hour.saturating_mul(3600))
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second))
}

/// The element for these Unix seconds; `None` after the year 9999.
pub(crate) fn write(unix: u64) -> Option<Vec<u8>> {
    let (days, second) = (unix / DAY, unix % DAY);
    // A year has at least 365 days, so the first guess is never too early.
    let mut year = days.saturating_div(365).saturating_add(1970).min(10_000);
    while days_before(year) > days {
        year = year.saturating_sub(1);
    }
    if year > 9999 {
        return None;
    }
    let mut day = days.saturating_sub(days_before(year));
    let mut month = 1_u64;
    for length in days_in_months(year) {
        if day < length {
            break;
        }
        day = day.saturating_sub(length);
        month = month.saturating_add(1);
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let tail = format!(
        "{month:02}{:02}{hour:02}{minute:02}{:02}Z",
        day.saturating_add(1),
        second % 60
    );
    if (1950..2050).contains(&year) {
        let text = format!("{:02}{tail}", year % 100);
        der::write(der::UTC_TIME, &[text.as_bytes()])
    } else {
        let text = format!("{year:04}{tail}");
        der::write(der::GENERALIZED_TIME, &[text.as_bytes()])
    }
}

fn pair(tens: u8, ones: u8) -> Result<u64, NotDer> {
    let digit = |byte: u8| char::from(byte).to_digit(10).map(u64::from).ok_or(NotDer);
    Ok(digit(tens)?.saturating_mul(10).saturating_add(digit(ones)?))
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_months(year: u64) -> impl Iterator<Item = u64> {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter()
}

/// Days from 1 January 1970 to 1 January of a year not before it.
fn days_before(year: u64) -> u64 {
    let leaps = |last: u64| (last / 4).saturating_sub(last / 100).saturating_add(last / 400);
    let last = year.saturating_sub(1);
    year.saturating_sub(1970)
        .saturating_mul(365)
        .saturating_add(leaps(last).saturating_sub(leaps(1969)))
}

#[cfg(test)]
mod tests;
