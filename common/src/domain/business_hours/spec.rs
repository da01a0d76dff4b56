//! Business hours as people write them and as they are stored.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{BusinessHours, DAY_MINUTES, Day, Interval, InvalidHours, WEEKDAYS};

/// When people work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BusinessHoursSpec {
    /// The time zone, by its name in the IANA database: `Europe/Moscow`.
    pub zone: String,
    pub week: WeekSpec,
    /// Dates with hours of their own, at most 1000.
    #[serde(default)]
    pub holidays: Vec<HolidaySpec>,
}

/// The usual hours of each weekday, at most 12 intervals a day; none: closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct WeekSpec {
    pub mon: Vec<IntervalSpec>,
    pub tue: Vec<IntervalSpec>,
    pub wed: Vec<IntervalSpec>,
    pub thu: Vec<IntervalSpec>,
    pub fri: Vec<IntervalSpec>,
    pub sat: Vec<IntervalSpec>,
    pub sun: Vec<IntervalSpec>,
}

/// A date whose hours replace the usual ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HolidaySpec {
    pub date: NaiveDate,
    /// None: closed.
    #[serde(default)]
    pub intervals: Vec<IntervalSpec>,
}

/// One stretch of a working day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct IntervalSpec {
    /// `00:00` to `23:59`.
    pub from: String,
    /// Up to `24:00`; earlier than `from` it is on the next day, which may also be written as
    /// hours up to `48:00`.
    pub to: String,
}

impl TryFrom<BusinessHoursSpec> for BusinessHours {
    type Error = InvalidHours;

    fn try_from(spec: BusinessHoursSpec) -> Result<Self, InvalidHours> {
        let mut week: [Vec<Interval>; 7] = Default::default();
        for ((weekday, specs), intervals) in
            WEEKDAYS.into_iter().zip(spec.week.days()).zip(&mut week)
        {
            *intervals = read_day(Day::Weekday(weekday), specs)?;
        }
        let mut holidays = BTreeMap::new();
        for HolidaySpec { date, intervals } in spec.holidays {
            let intervals = read_day(Day::Holiday(date), &intervals)?;
            if holidays.insert(date, intervals).is_some() {
                return Err(InvalidHours::RepeatedHoliday(date));
            }
        }
        Self::new(&spec.zone, week, holidays)
    }
}

impl From<BusinessHours> for BusinessHoursSpec {
    fn from(hours: BusinessHours) -> Self {
        let [mon, tue, wed, thu, fri, sat, sun] = hours.week.map(|day| write_day(&day));
        let holidays = hours.holidays.iter().map(|(&date, intervals)| HolidaySpec {
            date,
            intervals: write_day(intervals),
        });
        Self {
            zone: hours.zone.name().to_owned(),
            week: WeekSpec {
                mon,
                tue,
                wed,
                thu,
                fri,
                sat,
                sun,
            },
            holidays: holidays.collect(),
        }
    }
}

impl WeekSpec {
    fn days(&self) -> [&[IntervalSpec]; 7] {
        [
            &self.mon, &self.tue, &self.wed, &self.thu, &self.fri, &self.sat, &self.sun,
        ]
    }
}

fn read_day(day: Day, intervals: &[IntervalSpec]) -> Result<Vec<Interval>, InvalidHours> {
    intervals
        .iter()
        .map(|interval| {
            let from = read_time(day, &interval.from)?;
            let to = read_time(day, &interval.to)?;
            let is_next_day = to < from;
            Ok(Interval {
                from,
                to: if is_next_day { to + DAY_MINUTES } else { to },
            })
        })
        .collect()
}

fn read_time(day: Day, text: &str) -> Result<u16, InvalidHours> {
    minutes(text).ok_or_else(|| InvalidHours::InvalidTime {
        day,
        text: text.to_owned(),
    })
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_pair = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| is_pair)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= 2 * DAY_MINUTES).then_some(total)
}

fn write_day(intervals: &[Interval]) -> Vec<IntervalSpec> {
    let write = |&Interval { from, to }: &Interval| IntervalSpec {
        from: write_time(from),
        to: match to.checked_sub(DAY_MINUTES) {
            Some(next_day) if 0 < next_day && next_day < from => write_time(next_day),
            _ => write_time(to),
        },
    };
    intervals.iter().map(write).collect()
}

fn write_time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};
    use serde_json::{Value, json};

    use super::*;

    fn read(json: Value) -> Result<BusinessHours, InvalidHours> {
        serde_json::from_value::<BusinessHoursSpec>(json)
            .unwrap()
            .try_into()
    }

    fn tuesday(from: &str, to: &str) -> Result<Vec<Interval>, InvalidHours> {
        let tuesday = json!([{"from": from, "to": to}]);
        read(json!({"zone": "UTC", "week": {"tue": tuesday}})).map(|hours| hours.week[1].clone())
    }

    #[test]
    fn hours_are_read_and_written_as_people_write_them() {
        let spec = json!({
            "zone": "Europe/Moscow",
            "week": {
                "mon": [{"from": "09:00", "to": "13:00"}, {"from": "14:00", "to": "18:00"}],
                "tue": [{"from": "22:00", "to": "02:00"}],
                "wed": [{"from": "00:00", "to": "24:00"}],
                "thu": [{"from": "10:00", "to": "34:30"}],
                "fri": [], "sat": [], "sun": [],
            },
            "holidays": [
                {"date": "2026-12-31", "intervals": [{"from": "09:00", "to": "12:00"}]},
                {"date": "2027-01-01", "intervals": []},
            ],
        });
        let hours: BusinessHours = serde_json::from_value(spec.clone()).unwrap();
        assert_eq!(
            hours.week[1],
            [Interval {
                from: 1320,
                to: 1560
            }]
        );
        assert_eq!(hours.week[2], [Interval { from: 0, to: 1440 }]);
        assert_eq!(
            hours.week[3],
            [Interval {
                from: 600,
                to: 2070
            }]
        );
        assert_eq!(serde_json::to_value(hours).unwrap(), spec);
    }

    #[test]
    fn midnight_ends_a_day_either_way() {
        let late = Ok(vec![Interval {
            from: 1320,
            to: 1440,
        }]);
        assert_eq!(tuesday("22:00", "24:00"), late);
        assert_eq!(tuesday("22:00", "00:00"), late);
    }

    #[test]
    fn what_is_no_hours_is_refused() {
        let day = Day::Weekday(chrono::Weekday::Tue);
        for text in [
            "9:00",
            "09:60",
            "0900",
            "+9:00",
            "48:01",
            "09:00:00",
            "",
            "٠٩:٠٠",
        ] {
            let text = text.to_owned();
            let refused = tuesday(&text, "18:00");
            assert_eq!(refused, Err(InvalidHours::InvalidTime { day, text }));
        }
        let empty = Err(InvalidHours::EmptyInterval { day });
        assert_eq!(tuesday("09:00", "09:00"), empty);
        let out_of_range = Err(InvalidHours::IntervalOutOfRange { day });
        assert_eq!(tuesday("24:00", "25:00"), out_of_range);
        let unknown = read(json!({"zone": "Europe/Atlantis", "week": {}})).unwrap_err();
        assert_eq!(unknown.to_string(), "unknown time zone \"Europe/Atlantis\"");
        let twice = json!([{"date": "2027-01-01"}, {"date": "2027-01-01"}]);
        let twice = read(json!({"zone": "UTC", "week": {}, "holidays": twice})).unwrap_err();
        assert_eq!(twice.to_string(), "2027-01-01: the date is there twice");
    }

    proptest! {
        #[test]
        fn any_interval_survives_writing(from in 0..1440_u16, length in 1..2880_u16) {
            let interval = Interval { from, to: (from + length).min(2880) };
            let day = Day::Weekday(chrono::Weekday::Mon);
            prop_assert_eq!(read_day(day, &write_day(&[interval])), Ok(vec![interval]));
        }
    }
}
