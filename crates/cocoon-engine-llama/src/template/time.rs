/// Python's `strftime` for the codes that templates use, in UTC; other codes stay as they are. `now` is unix seconds.
pub(super) fn strftime(format: &str, now: u64) -> String {
    let date = Date::from_unix(now);
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format.chars();
    while let Some(letter) = rest.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match rest.next() {
            Some('Y') => out.push_str(&date.year.to_string()),
            Some('m') => out.push_str(&format!("{:02}", date.month + 1)),
            Some('d') => out.push_str(&format!("{:02}", date.day)),
            Some('e') => out.push_str(&format!("{:2}", date.day)),
            Some('H') => out.push_str(&format!("{:02}", date.second / 3600)),
            Some('M') => out.push_str(&format!("{:02}", date.second / 60 % 60)),
            Some('S') => out.push_str(&format!("{:02}", date.second % 60)),
            Some('B') => out.push_str(MONTHS[date.month]),
            Some('b') => out.push_str(&MONTHS[date.month][..3]),
            Some('A') => out.push_str(WEEKDAYS[date.weekday]),
            Some('a') => out.push_str(&WEEKDAYS[date.weekday][..3]),
            Some('F') => out.push_str(&format!("{}-{:02}-{:02}", date.year, date.month + 1, date.day)),
            Some('%') => out.push('%'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

struct Date {
    year: u64,
    /// 0 = January.
    month: usize,
    day: u64,
    /// 0 = Monday.
    weekday: usize,
    /// Of the day.
    second: u64,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

// === impl Date ===

impl Date {
    fn from_unix(now: u64) -> Self {
        // A clock past the year 9999 is broken; the loop below stays short.
        let now = now.min(253_402_300_799);
        let days = now / 86_400;
        let (mut year, mut left) = (1970, days);
        while left >= year_length(year) {
            left -= year_length(year);
            year += 1;
        }
        let mut month = 0;
        while left >= month_length(year, month) {
            left -= month_length(year, month);
            month += 1;
        }
        Self {
            year,
            month,
            day: left + 1,
            // The epoch was a Thursday.
            weekday: usize::try_from((days + 3) % 7).unwrap_or(0),
            second: now % 86_400,
        }
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_length(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_length(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}
