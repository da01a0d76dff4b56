//! What time is it, and how does each marketplace write it?

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeZone, Utc};

/// One hour in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;

/// The machine's time in milliseconds since 1970; the world adds its own offset.
pub(crate) fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The moment as a date in UTC; a number out of range is 1970.
pub(crate) fn utc(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// `2022-07-22T08:07:19.581Z`, as Ozon and the journal write it.
pub(crate) fn iso_ms(ms: i64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `2023-10-23T05:02:20Z`, as Wildberries writes it.
pub(crate) fn iso_seconds(ms: i64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2017-11-21T00:00:00.000+03:00`, as Yandex Market writes it.
pub(crate) fn moscow_ms(ms: i64) -> String {
    moscow(ms).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// `2024-08-16T11:19:05+03:00`, as the ping of Wildberries writes it.
pub(crate) fn moscow_seconds(ms: i64) -> String {
    moscow(ms).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// `Thu, 10 Jul 2018 00:42:42 GMT`, as the limit headers of Yandex Market write it.
pub(crate) fn http_date(ms: i64) -> String {
    utc(ms).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn moscow(ms: i64) -> DateTime<FixedOffset> {
    match FixedOffset::east_opt(3 * 3600) {
        Some(zone) => zone.from_utc_datetime(&utc(ms).naive_utc()),
        None => utc(ms).fixed_offset(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_marketplace_has_its_own_way_of_writing_a_moment() {
        let ms = 1_698_037_340_581;
        assert_eq!(super::iso_ms(ms), "2023-10-23T05:02:20.581Z");
        assert_eq!(super::iso_seconds(ms), "2023-10-23T05:02:20Z");
        assert_eq!(super::moscow_ms(ms), "2023-10-23T08:02:20.581+03:00");
        assert_eq!(super::http_date(ms), "Mon, 23 Oct 2023 05:02:20 GMT");
    }
}
