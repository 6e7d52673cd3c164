//! How long a server asks to be left alone.

use std::time::{Duration, SystemTime};

use hornbook_types::Clock;

use crate::http::header::{HeaderMap, RETRY_AFTER};
use crate::retry::RETRY_AFTER_CAP_SECONDS;

/// Reads `retry-after-ms` (OpenAI's own), or `Retry-After` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, clock: &dyn Clock) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(|text| seconds(text, 1_000.0));
    if millis.is_some() {
        return millis;
    }
    let value = text(RETRY_AFTER.as_str())?;
    seconds(value, 1.0).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        let now = SystemTime::from(clock.now());
        // A date that has passed asks for nothing.
        Some(date.duration_since(now).unwrap_or_default().min(cap()))
    })
}

fn seconds(text: &str, units_per_second: f64) -> Option<Duration> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    let seconds = (number / units_per_second).min(RETRY_AFTER_CAP_SECONDS as f64);
    Duration::try_from_secs_f64(seconds).ok()
}

/// Cut here as well, so that no later arithmetic meets a number of a server's choosing.
fn cap() -> Duration {
    Duration::from_secs(RETRY_AFTER_CAP_SECONDS)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;

    struct Fixed(OffsetDateTime);

    impl Clock for Fixed {
        fn now(&self) -> OffsetDateTime {
            self.0
        }
    }

    fn read(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        retry_after(&headers, &Fixed(datetime!(2015-10-21 07:28:00 UTC)))
    }

    #[test]
    fn reads_seconds_milliseconds_and_dates() {
        assert_eq!(read("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(read("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        let date = "Wed, 21 Oct 2015 07:28:30 GMT";
        assert_eq!(read("retry-after", date), Some(Duration::from_secs(30)));
        let past = "Wed, 21 Oct 2015 07:00:00 GMT";
        assert_eq!(read("retry-after", past), Some(Duration::ZERO));
        assert_eq!(read("retry-after", "1e300"), Some(cap()));
        for nonsense in ["-1", "soon", "NaN", ""] {
            assert_eq!(read("retry-after", nonsense), None, "{nonsense}");
        }
    }
}
