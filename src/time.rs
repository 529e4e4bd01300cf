//! Points in time as we store and show them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr, time::Duration};

/// A point in time in UTC, to the millisecond.
///
/// The database holds it as milliseconds since 1970, the wire as RFC 3339 text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time from milliseconds since the start of 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The time from whole seconds since the start of 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    /// Milliseconds since the start of 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the start of 1970.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The present time of the server's clock.
    #[cfg(feature = "ssr")]
    pub fn now() -> Self {
        Self((time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64)
    }

    /// The present time of the browser's clock. Only for effects, never for the first rendering.
    #[cfg(all(feature = "hydrate", not(feature = "ssr")))]
    pub fn now() -> Self {
        Self(js_sys::Date::now() as i64)
    }

    /// How long ago `self` was when it is `now`; zero when it lies ahead.
    pub fn age(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(now.0 - self.0).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339, by the standard of the place: a crate on the server, `Date` in the browser.
#[cfg(feature = "ssr")]
mod rfc3339 {
    use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

    pub fn write(millis: i64) -> Option<String> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()?.format(&Rfc3339).ok()
    }

    pub fn read(text: &str) -> Option<i64> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?.to_offset(UtcOffset::UTC);
        Some((at.unix_timestamp_nanos() / 1_000_000) as i64)
    }
}

#[cfg(not(feature = "ssr"))]
mod rfc3339 {
    use js_sys::Date;

    /// The furthest that `Date` reaches, in both directions.
    const MOST: i64 = 8_640_000_000_000_000;

    pub fn write(millis: i64) -> Option<String> {
        (-MOST..=MOST).contains(&millis).then(|| Date::new(&(millis as f64).into()).to_iso_string().into())
    }

    pub fn read(text: &str) -> Option<i64> {
        let millis = Date::parse(text);
        millis.is_finite().then_some(millis as i64)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(rfc3339::write(self.0).as_deref().unwrap_or("out of range"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a time as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-11-30T08:26:40Z")]
pub struct NotATime;

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        rfc3339::read(text).map(Self).ok_or(NotATime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn a_time_survives_the_wire() {
        let at = Timestamp::from_millis(1_763_800_000_123);

        assert_eq!(at.to_string(), "2025-11-22T08:26:40.123Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("2025-11-22T09:26:40.123+01:00".parse(), Ok(at));
    }
}
