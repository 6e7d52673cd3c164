//! What a server says is left of its limits.
//!
//! `x-ratelimit-remaining-*` and `-reset-*` as OpenAI, Groq, Azure and many gateways send them
//! (a reset is a duration such as `6m0s`, or a number of seconds), and
//! `anthropic-ratelimit-*-remaining` and `-reset` (a reset is a moment, RFC 3339).

use std::cmp::Reverse;
use std::time::Duration;

use hornbook_types::Clock;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::LimitsLeft;
use crate::http::header::HeaderMap;
use crate::limiter::LEFT_HOLD_SECONDS_MAX;

/// Reads what is left; a header that is absent or makes no sense says nothing.
pub(crate) fn limits_left(headers: &HeaderMap, clock: &dyn Clock) -> LimitsLeft {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let left = |remaining: &str, reset: &str| {
        let remaining = text(remaining)?.parse().ok()?;
        Some((remaining, reset_in(text(reset)?, clock)?))
    };
    LimitsLeft {
        requests: left("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests").or_else(
            || left("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
        ),
        tokens: left("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens").or_else(|| {
            let kinds = ["tokens", "input-tokens", "output-tokens"].map(|kind| {
                let name = |what: &str| format!("anthropic-ratelimit-{kind}-{what}");
                left(&name("remaining"), &name("reset"))
            });
            // Whatever is scarcest decides, and of what is gone the longest wait.
            kinds.into_iter().flatten().min_by_key(|(left, reset)| (*left, Reverse(*reset)))
        }),
    }
}

/// A reset as a number of seconds, a duration in units or a moment; cut at the longest hold.
fn reset_in(text: &str, clock: &dyn Clock) -> Option<Duration> {
    let cap = Duration::from_secs(LEFT_HOLD_SECONDS_MAX);
    let seconds = match text.parse::<f64>() {
        // So large a number is a moment, in seconds since 1970.
        Ok(seconds) if seconds > 1e9 => seconds - clock.now().unix_timestamp() as f64,
        Ok(seconds) => seconds,
        Err(_) => match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(moment) => (moment - clock.now()).as_seconds_f64().max(0.0),
            Err(_) => units(text)?,
        },
    };
    // Cut here as well, so that no later arithmetic meets a number of a server's choosing.
    let seconds = Some(seconds).filter(|seconds| seconds.is_finite())?.min(cap.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok()
}

/// Seconds in `1h2m3.5s` or `120ms`.
fn units(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !(one.is_ascii_digit() || one == '.'))?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|one: char| !one.is_alphabetic()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at(letters);
        let worth = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" | "µs" => 0.000_001,
            "ns" => 0.000_000_001,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * worth;
        rest = after;
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    struct Fixed(OffsetDateTime);

    impl Clock for Fixed {
        fn now(&self) -> OffsetDateTime {
            self.0
        }
    }

    fn read(pairs: &[(&'static str, &str)]) -> LimitsLeft {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        limits_left(&headers, &Fixed(datetime!(2026-01-01 00:00:00 UTC)))
    }

    #[test]
    fn reads_durations_of_every_spelling() {
        let clock = Fixed(datetime!(2026-01-01 00:00:00 UTC));
        for (text, millis) in [
            ("1s", 1_000),
            ("6m0s", 120_000),
            ("1m30s", 90_000),
            ("1h", 120_000),
            ("7.66s", 7_660),
            ("120ms", 120),
            ("1.5", 1_500),
            ("59", 59_000),
            ("2026-01-01T00:00:20Z", 20_000),
            ("2026-01-01T01:00:07+01:00", 7_000),
            ("2025-12-31T23:59:59Z", 0),
            ("1e300", 120_000),
            ("1767225610", 10_000),
        ] {
            let reset = reset_in(text, &clock).unwrap();
            assert_eq!(reset.as_millis(), millis, "{text}");
        }
        for text in ["", "soon", "1x", "s", "-1", "1..2s", "NaN", "5m3", "inf", "\u{b5}"] {
            assert_eq!(reset_in(text, &clock), None, "{text}");
        }
    }

    #[test]
    fn reads_what_openai_and_anthropic_send() {
        let left = read(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6ms"),
        ]);
        assert_eq!(left.requests, Some((0, Duration::from_secs(1))));
        assert_eq!(left.tokens, Some((149_984, Duration::from_millis(6))));
        let left = read(&[
            ("anthropic-ratelimit-requests-remaining", "3"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:30Z"),
        ]);
        assert_eq!(left.requests, Some((3, Duration::from_secs(1))));
        assert_eq!(left.tokens, Some((0, Duration::from_secs(30))));
        let left = read(&[
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:00:09Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "800"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-01-01T00:00:30Z"),
        ]);
        assert_eq!(left.tokens, Some((0, Duration::from_secs(9))));
        let half = read(&[("x-ratelimit-remaining-requests", "0")]);
        assert_eq!(half, LimitsLeft::default(), "no reset, nothing to wait for");
        let odd =
            read(&[("x-ratelimit-remaining-requests", "-1"), ("x-ratelimit-reset-requests", "1s")]);
        assert_eq!(odd, LimitsLeft::default());
    }
}
