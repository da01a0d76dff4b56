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
