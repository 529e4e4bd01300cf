//! Calendar rules in five fields: read, told in a sentence, and followed through a time zone.
//!
//! The calculation is croner's; reading is ours, because a problem has to name the field it stands in, and
//! so is the sentence, because it is told in the reader's language.

use crate::{
    i18n::{Locale, td_string},
    provisioning::schedules_api::{NextTime, SchedulePreview},
    time::Timestamp,
};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Zoned,
    tz::{AmbiguousOffset, TimeZone},
};
use std::collections::BTreeSet;

/// Times that a preview shows.
const SHOWN: usize = 5;

/// Times of a day that a sentence lists one by one.
const LISTED: usize = 6;

/// How far a preview looks for a change of the clocks.
const AHEAD_MILLIS: i64 = 400 * 24 * 3_600_000;

/// A calendar rule that was read.
#[derive(Clone, Debug)]
pub struct Rule {
    text: String,
    cron: Cron,
    minutes: Vec<Part>,
    hours: Vec<Part>,
    days: Vec<Part>,
    months: Vec<Part>,
    weekdays: Vec<Part>,
}

/// One member of the list in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// `*`
    Any,
    /// `*/15`
    Every(u8),
    /// `8-18` and `8-18/2`: from, to, step.
    Span(u8, u8, u8),
    /// `8`
    One(u8),
    /// `L` among the days of a month.
    Last,
    /// `LW`
    LastWorkday,
    /// `15W`
    NearWorkday(u8),
    /// `5#1` among the days of the week: which day, the how manieth of the month.
    Nth(u8, u8),
    /// `5L` among the days of the week.
    LastOf(u8),
}

/// Which field of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

impl Place {
    const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            // Sunday is 0 and 7.
            Self::Weekday => (0, 7),
        }
    }

    fn name(self, locale: Locale) -> &'static str {
        match self {
            Self::Minute => td_string!(locale, schedules.field.minute),
            Self::Hour => td_string!(locale, schedules.field.hour),
            Self::Day => td_string!(locale, schedules.field.day),
            Self::Month => td_string!(locale, schedules.field.month),
            Self::Weekday => td_string!(locale, schedules.field.weekday),
        }
    }

    /// The number that a word stands for: `MON`, `JAN`.
    fn word(self, text: &str) -> Option<u8> {
        const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
        const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
        let (words, first): (&[&str], u8) = match self {
            Self::Weekday => (&WEEKDAYS, 0),
            Self::Month => (&MONTHS, 1),
            Self::Minute | Self::Hour | Self::Day => return None,
        };
        let place = words.iter().position(|word| *word == text)?;
        u8::try_from(place).ok().map(|place| place + first)
    }
}

impl Rule {
    /// Reads a rule: minute, hour, day of the month, month, day of the week. Also `@daily` and its like.
    ///
    /// # Errors
    /// A sentence that names the wrong field and says how it must be.
    pub fn read(text: &str, locale: Locale) -> Result<Self, String> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        let text = match text.as_str() {
            "@HOURLY" => "0 * * * *".to_owned(),
            "@DAILY" | "@MIDNIGHT" => "0 0 * * *".to_owned(),
            "@WEEKLY" => "0 0 * * SUN".to_owned(),
            "@MONTHLY" => "0 0 1 * *".to_owned(),
            "@YEARLY" | "@ANNUALLY" => "0 0 1 1 *".to_owned(),
            _ => text,
        };
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let [minute, hour, day, month, weekday] = words[..] else {
            return Err(td_string!(locale, schedules.problem.count, count = words.len().to_string()));
        };
        let minutes = field(Place::Minute, minute, locale)?;
        let hours = field(Place::Hour, hour, locale)?;
        let days = field(Place::Day, day, locale)?;
        let months = field(Place::Month, month, locale)?;
        let weekdays = field(Place::Weekday, weekday, locale)?;
        let fields = [&minutes, &hours, &days, &months, &weekdays];
        let plain = fields.map(|parts| parts.iter().map(|part| part.text()).collect::<Vec<_>>().join(",")).join(" ");
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&plain).map_err(|error| {
            td_string!(locale, schedules.problem.other, text = text.clone(), message = error.to_string())
        })?;
        let rule = Self { text, cron, minutes, hours, days, months, weekdays };
        if rule.next(&TimeZone::UTC, Timestamp::now()).is_none() {
            return Err(td_string!(locale, schedules.problem.never).to_owned());
        }
        Ok(rule)
    }

    /// The rule as it is kept: five fields with a space between, in capitals.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first time after `after` that the rule names in that zone.
    ///
    /// A fixed time that the clocks skip in spring comes when they have skipped; one that comes twice in
    /// autumn counts the first time. Intervals follow the time that passes.
    pub fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&local(zone, after)?, false).ok()?;
        let next = Timestamp::from_millis(next.timestamp().as_millisecond());
        (next > after).then_some(next)
    }

    /// What the rule means, as a sentence.
    pub fn describe(&self, locale: Locale) -> String {
        let days = self.days_phrase(locale);
        let months = self.months_phrase(locale);
        let sentence = match self.times_phrase(locale) {
            Times::At(times) => match (days, months) {
                (days, None) => format!("{} {times}", days.unwrap_or_else(|| every_day(locale))),
                (days, Some(months)) => format!("{}, {months}, {times}", days.unwrap_or_else(|| every_day(locale))),
            },
            Times::Often(times) => [Some(times), days, months].into_iter().flatten().collect::<Vec<_>>().join(", "),
        };
        let mut letters = sentence.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>() + ".")
    }

    fn times_phrase(&self, locale: Locale) -> Times {
        let every_hour = matches!(self.hours[..], [Part::Any | Part::Every(1)]);
        let (minutes, hours) = (values(Place::Minute, &self.minutes), values(Place::Hour, &self.hours));
        let often = match self.minutes[..] {
            [Part::Any | Part::Every(1)] => Some(td_string!(locale, schedules.told.every_minute).to_owned()),
            [Part::Every(step)] if 60 % step == 0 && step < 60 => {
                Some(td_string!(locale, schedules.told.every_minutes, n = step.to_string()))
            }
            [Part::Every(step)] => Some(td_string!(locale, schedules.told.uneven_minutes, n = step.to_string())),
            _ => None,
        };
        if let Some(often) = often {
            return Times::Often(if every_hour {
                often
            } else if let Some((from, to)) = whole(&hours) {
                let (from, to) = (clock(from, 0), clock(to, 59));
                td_string!(locale, schedules.told.window, often = often, from = from, to = to)
            } else {
                let hours = listed(hours.iter().map(ToString::to_string), locale);
                td_string!(locale, schedules.told.in_hours, often = often, hours = hours)
            });
        }
        let at_minutes = match (minutes.iter().copied().collect::<Vec<_>>().as_slice(), every_hour) {
            ([0], _) => String::new(),
            ([one], _) => td_string!(locale, schedules.told.at_minute, minute = one.to_string()),
            (many, _) => {
                let many = listed(many.iter().map(ToString::to_string), locale);
                td_string!(locale, schedules.told.at_minutes, minutes = many)
            }
        };
        if every_hour {
            return Times::Often(format!("{}{at_minutes}", td_string!(locale, schedules.told.every_hour)));
        }
        if let [Part::Every(step)] = self.hours[..]
            && 24 % step == 0
        {
            let hours = td_string!(locale, schedules.told.every_hours, n = step.to_string());
            return Times::Often(format!("{hours}{at_minutes}"));
        }
        if minutes.len() * hours.len() <= LISTED {
            let times = hours.iter().flat_map(|hour| minutes.iter().map(|minute| clock(*hour, *minute)));
            let at_one = *hours.iter().next().unwrap_or(&0) == 1;
            let times = listed(times, locale);
            return Times::At(if at_one {
                td_string!(locale, schedules.told.at_one, times = times)
            } else {
                td_string!(locale, schedules.told.at, times = times)
            });
        }
        let often = format!("{}{at_minutes}", td_string!(locale, schedules.told.every_hour));
        Times::Often(if let Some((from, to)) = whole(&hours) {
            let (first, last) = (minutes.iter().next().copied(), minutes.iter().next_back().copied());
            let (from, to) = (clock(from, first.unwrap_or(0)), clock(to, last.unwrap_or(0)));
            td_string!(locale, schedules.told.window, often = often, from = from, to = to)
        } else {
            let hours = listed(hours.iter().map(ToString::to_string), locale);
            td_string!(locale, schedules.told.in_hours, often = often, hours = hours)
        })
    }

    /// The days in words; `None` for all.
    fn days_phrase(&self, locale: Locale) -> Option<String> {
        let of_month = (!is_all(Place::Day, &self.days)).then(|| days_of_month(&self.days, locale));
        let of_week = (!is_all(Place::Weekday, &self.weekdays)).then(|| days_of_week(&self.weekdays, locale));
        match (of_month, of_week) {
            // Either of them is enough, as everywhere that cron is spoken.
            (Some(month), Some(week)) => Some(td_string!(locale, schedules.told.or, one = month, other = week)),
            (month, week) => month.or(week),
        }
    }

    fn months_phrase(&self, locale: Locale) -> Option<String> {
        if is_all(Place::Month, &self.months) {
            return None;
        }
        let months = values(Place::Month, &self.months);
        Some(match whole(&months) {
            Some((from, to)) if months.len() > 2 => td_string!(
                locale,
                schedules.told.months_span,
                from = month_name(from, locale),
                to = month_name(to, locale)
            ),
            _ => {
                let months = listed(months.iter().map(|month| month_name(*month, locale).to_owned()), locale);
                td_string!(locale, schedules.told.months, months = months)
            }
        })
    }

    /// Whether a time is one that the rule names by the clock on the wall.
    fn names(&self, at: &Zoned) -> bool {
        self.cron.is_time_matching(at).unwrap_or(true)
    }
}

/// When in a day.
enum Times {
    /// At a few times: stands behind the days.
    At(String),
    /// Again and again: stands in front of the days.
    Often(String),
}

impl Part {
    /// As croner reads it.
    fn text(self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Every(step) => format!("*/{step}"),
            Self::Span(from, to, 1) => format!("{from}-{to}"),
            Self::Span(from, to, step) => format!("{from}-{to}/{step}"),
            Self::One(value) => value.to_string(),
            Self::Last => "L".to_owned(),
            Self::LastWorkday => "LW".to_owned(),
            Self::NearWorkday(day) => format!("{day}W"),
            Self::Nth(day, nth) => format!("{day}#{nth}"),
            Self::LastOf(day) => format!("{day}#L"),
        }
    }
}

/// Reads one field.
fn field(place: Place, text: &str, locale: Locale) -> Result<Vec<Part>, String> {
    let parts = text.split(',').map(|part| part_of(place, part, locale)).collect::<Result<Vec<_>, _>>()?;
    // A star beside others says what it says alone.
    if parts.contains(&Part::Any) { Ok(vec![Part::Any]) } else { Ok(parts) }
}

fn part_of(place: Place, text: &str, locale: Locale) -> Result<Part, String> {
    let name = place.name(locale);
    let unknown = || td_string!(locale, schedules.problem.unknown, field = name, text = text.to_owned());
    let (least, greatest) = place.bounds();
    let number = |text: &str, least: u8, greatest: u8| -> Result<u8, String> {
        if let Some(number) = place.word(text) {
            return Ok(number);
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        text.parse::<u8>().ok().filter(|number| (least..=greatest).contains(number)).ok_or_else(|| {
            let (least, greatest) = (least.to_string(), greatest.to_string());
            td_string!(
                locale,
                schedules.problem.bounds,
                field = name,
                text = text.to_owned(),
                min = least,
                max = greatest
            )
        })
    };
    let value = |text: &str| number(text, least, greatest);
    match (place, text) {
        (_, "*") | (Place::Day | Place::Weekday, "?") => return Ok(Part::Any),
        (Place::Day, "L") => return Ok(Part::Last),
        (Place::Day, "LW") => return Ok(Part::LastWorkday),
        _ => {}
    }
    if let (Place::Day, Some(day)) = (place, text.strip_suffix('W')) {
        return value(day).map(Part::NearWorkday);
    }
    if let Place::Weekday = place {
        if let Some((day, nth)) = text.split_once('#') {
            let day = value(day)? % 7;
            return if nth == "L" { Ok(Part::LastOf(day)) } else { Ok(Part::Nth(day, number(nth, 1, 5)?)) };
        }
        // A word such as JUL never ends in a day of the week's L.
        if let Some(day) = text.strip_suffix('L') {
            return Ok(Part::LastOf(value(day)? % 7));
        }
    }
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, number(step, 1, greatest)?),
        None => (text, 1),
    };
    if range == "*" {
        return Ok(Part::Every(step));
    }
    if let Some((from, to)) = range.split_once('-') {
        let (from, to) = (value(from)?, value(to)?);
        // Sunday ends a week as well as it begins one.
        let to = if place == Place::Weekday && to == 0 && from > 0 { 7 } else { to };
        if from > to {
            return Err(td_string!(locale, schedules.problem.backwards, field = name, text = range.to_owned()));
        }
        return Ok(Part::Span(from, to, step));
    }
    if range.len() < text.len() {
        let whole = format!("{range}-{greatest}/{step}");
        return Err(td_string!(locale, schedules.problem.step, field = name, text = text.to_owned(), whole = whole));
    }
    value(text).map(Part::One)
}

/// The plain values of a field; Sunday is 0.
fn values(place: Place, parts: &[Part]) -> BTreeSet<u8> {
    let (least, greatest) = place.bounds();
    let mut values = BTreeSet::new();
    for part in parts {
        match *part {
            Part::Any => values.extend(least..=greatest),
            Part::Every(step) => values.extend((least..=greatest).step_by(step.into())),
            Part::Span(from, to, step) => values.extend((from..=to).step_by(step.into())),
            Part::One(value) => drop(values.insert(value)),
            Part::Last | Part::LastWorkday | Part::NearWorkday(_) | Part::Nth(..) | Part::LastOf(_) => {}
        }
    }
    if place == Place::Weekday && values.remove(&7) {
        values.insert(0);
    }
    values
}

fn is_all(place: Place, parts: &[Part]) -> bool {
    let (least, greatest) = place.bounds();
    let all = if place == Place::Weekday { 7 } else { usize::from(greatest - least) + 1 };
    values(place, parts).len() == all
}

/// First and last, where no value between is missing.
fn whole(values: &BTreeSet<u8>) -> Option<(u8, u8)> {
    let (first, last) = (*values.iter().next()?, *values.iter().next_back()?);
    (usize::from(last - first) + 1 == values.len()).then_some((first, last))
}

fn every_day(locale: Locale) -> String {
    td_string!(locale, schedules.told.every_day).to_owned()
}

fn clock(hour: u8, minute: u8) -> String {
    format!("{hour:02}:{minute:02}")
}

/// `a, b and c`.
fn listed(words: impl IntoIterator<Item = String>, locale: Locale) -> String {
    let mut words: Vec<String> = words.into_iter().collect();
    let Some(last) = words.pop() else { return String::new() };
    if words.is_empty() {
        return last;
    }
    td_string!(locale, schedules.told.and, list = words.join(", "), last = last)
}

fn days_of_month(parts: &[Part], locale: Locale) -> String {
    let mut phrases = Vec::new();
    let plain = values(Place::Day, parts);
    match (parts, whole(&plain)) {
        ([Part::Every(step)], _) => {
            phrases.push(td_string!(locale, schedules.told.every_days, n = step.to_string()));
        }
        (_, Some((from, to))) if plain.len() > 2 => {
            phrases.push(td_string!(
                locale,
                schedules.told.days_span,
                from = ordinal(from, locale),
                to = ordinal(to, locale)
            ));
        }
        (_, Some((day, _))) if plain.len() == 1 => {
            phrases.push(td_string!(locale, schedules.told.day, day = ordinal(day, locale)));
        }
        _ if plain.is_empty() => {}
        _ => {
            let days = listed(plain.iter().map(|day| ordinal(*day, locale)), locale);
            phrases.push(td_string!(locale, schedules.told.days, days = days));
        }
    }
    for part in parts {
        match *part {
            Part::Last => phrases.push(td_string!(locale, schedules.told.last_day).to_owned()),
            Part::LastWorkday => phrases.push(td_string!(locale, schedules.told.last_workday).to_owned()),
            Part::NearWorkday(day) => {
                phrases.push(td_string!(locale, schedules.told.near_workday, day = ordinal(day, locale)));
            }
            Part::Any | Part::Every(_) | Part::Span(..) | Part::One(_) | Part::Nth(..) | Part::LastOf(_) => {}
        }
    }
    listed(phrases, locale)
}

fn days_of_week(parts: &[Part], locale: Locale) -> String {
    let mut phrases = Vec::new();
    // A week begins on Monday, so Sunday is its seventh day.
    let plain: BTreeSet<u8> =
        values(Place::Weekday, parts).into_iter().map(|day| if day == 0 { 7 } else { day }).collect();
    match whole(&plain) {
        Some((from, to)) if plain.len() > 2 => {
            let (from, to) = (weekday_name(from, locale), weekday_name(to, locale));
            phrases.push(td_string!(locale, schedules.told.weekdays_span, from = from, to = to));
        }
        Some((day, _)) if plain.len() == 1 => {
            phrases.push(td_string!(locale, schedules.told.weekday, day = weekday_name(day, locale)));
        }
        _ if plain.is_empty() => {}
        _ => {
            let days = listed(plain.iter().map(|day| weekday_plural(*day, locale).to_owned()), locale);
            phrases.push(td_string!(locale, schedules.told.weekdays, days = days));
        }
    }
    for part in parts {
        match *part {
            Part::Nth(day, nth) => {
                let (nth, day) = (nth_name(nth, locale), weekday_name(day, locale));
                phrases.push(td_string!(locale, schedules.told.nth_weekday, nth = nth, day = day));
            }
            Part::LastOf(day) => {
                phrases.push(td_string!(locale, schedules.told.last_weekday, day = weekday_name(day, locale)));
            }
            Part::Any
            | Part::Every(_)
            | Part::Span(..)
            | Part::One(_)
            | Part::Last
            | Part::LastWorkday
            | Part::NearWorkday(_) => {}
        }
    }
    listed(phrases, locale)
}

/// `1st` in English, `1` in Spanish.
fn ordinal(day: u8, locale: Locale) -> String {
    match locale {
        Locale::en => {
            let end = match (day % 10, day % 100) {
                (1, end) if end != 11 => "st",
                (2, end) if end != 12 => "nd",
                (3, end) if end != 13 => "rd",
                _ => "th",
            };
            format!("{day}{end}")
        }
        Locale::es => day.to_string(),
    }
}

fn nth_name(nth: u8, locale: Locale) -> &'static str {
    match nth {
        1 => td_string!(locale, schedules.nth.first),
        2 => td_string!(locale, schedules.nth.second),
        3 => td_string!(locale, schedules.nth.third),
        4 => td_string!(locale, schedules.nth.fourth),
        _ => td_string!(locale, schedules.nth.fifth),
    }
}

fn weekday_name(day: u8, locale: Locale) -> &'static str {
    match day {
        1 => td_string!(locale, schedules.weekday.monday),
        2 => td_string!(locale, schedules.weekday.tuesday),
        3 => td_string!(locale, schedules.weekday.wednesday),
        4 => td_string!(locale, schedules.weekday.thursday),
        5 => td_string!(locale, schedules.weekday.friday),
        6 => td_string!(locale, schedules.weekday.saturday),
        _ => td_string!(locale, schedules.weekday.sunday),
    }
}

fn weekday_plural(day: u8, locale: Locale) -> &'static str {
    match day {
        1 => td_string!(locale, schedules.weekdays.monday),
        2 => td_string!(locale, schedules.weekdays.tuesday),
        3 => td_string!(locale, schedules.weekdays.wednesday),
        4 => td_string!(locale, schedules.weekdays.thursday),
        5 => td_string!(locale, schedules.weekdays.friday),
        6 => td_string!(locale, schedules.weekdays.saturday),
        _ => td_string!(locale, schedules.weekdays.sunday),
    }
}

fn month_name(month: u8, locale: Locale) -> &'static str {
    match month {
        1 => td_string!(locale, schedules.month.january),
        2 => td_string!(locale, schedules.month.february),
        3 => td_string!(locale, schedules.month.march),
        4 => td_string!(locale, schedules.month.april),
        5 => td_string!(locale, schedules.month.may),
        6 => td_string!(locale, schedules.month.june),
        7 => td_string!(locale, schedules.month.july),
        8 => td_string!(locale, schedules.month.august),
        9 => td_string!(locale, schedules.month.september),
        10 => td_string!(locale, schedules.month.october),
        11 => td_string!(locale, schedules.month.november),
        _ => td_string!(locale, schedules.month.december),
    }
}

/// The zone of that name, in whatever case, and its name as it is spelled.
///
/// # Errors
/// A sentence that says what a name looks like.
pub fn zone(name: &str, locale: Locale) -> Result<(String, TimeZone), String> {
    let unknown = || td_string!(locale, schedules.problem.zone, name = name.to_owned());
    let zone = TimeZone::get(name.trim()).map_err(|_| unknown())?;
    let spelled = zone.iana_name().ok_or_else(unknown)?.to_owned();
    Ok((spelled, zone))
}

/// The zone of the server's own clock; UTC where it has none.
pub fn own_zone() -> String {
    let own = TimeZone::try_system().ok();
    let name = own.as_ref().and_then(TimeZone::iana_name);
    // The name may be a link of this machine that others do not know.
    name.filter(|name| TimeZone::get(name).is_ok()).unwrap_or("UTC").to_owned()
}

/// What a rule means in a zone (the server's own when empty), and when it comes next.
///
/// # Errors
/// The field (`cron`, `time_zone`) and a sentence for each that cannot be read.
pub fn preview(
    cron: &str,
    time_zone: &str,
    now: Timestamp,
    locale: Locale,
) -> Result<SchedulePreview, Vec<(&'static str, String)>> {
    let own = own_zone();
    let name = if time_zone.trim().is_empty() { own.as_str() } else { time_zone };
    let (rule, zone) = match (Rule::read(cron, locale), zone(name, locale)) {
        (Ok(rule), Ok(zone)) => (rule, zone),
        (rule, zone) => {
            let wrong = [("cron", rule.err()), ("time_zone", zone.err())];
            return Err(wrong.into_iter().filter_map(|(field, why)| why.map(|why| (field, why))).collect());
        }
    };
    let (time_zone, zone) = zone;
    let mut times = Vec::new();
    let mut after = now;
    while times.len() < SHOWN
        && let Some(next) = rule.next(&zone, after)
        && let Some(local) = local(&zone, next)
    {
        times.push(NextTime { at: next, local: said(&local, locale), offset: offset(&local) });
        after = next;
    }
    Ok(SchedulePreview {
        sentence: rule.describe(locale),
        notes: notes(&rule, &zone, &times, now, locale),
        times,
        time_zone,
    })
}

/// What the clocks do to the rule.
fn notes(rule: &Rule, zone: &TimeZone, times: &[NextTime], now: Timestamp, locale: Locale) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(from) = local(zone, now) else { return notes };
    let changes = zone
        .following(from.timestamp())
        .map(|change| Timestamp::from_millis(change.timestamp().as_millisecond()))
        .take_while(|change| change.millis() < now.millis() + AHEAD_MILLIS)
        .take(2);
    for change in changes {
        let second = std::time::Duration::from_secs(1);
        let (Some(before), Some(behind)) = (local(zone, change - second), local(zone, change)) else { continue };
        let Some(next) = rule.next(zone, change - second) else { continue };
        let day = date(&behind, locale);
        if before.offset() < behind.offset() {
            // The clocks went past a time that the rule names, and it comes once they have.
            if next == change
                && let Some(at) = local(zone, next)
                && !rule.names(&at)
            {
                let at = at.strftime("%H:%M").to_string();
                notes.push(td_string!(locale, schedules.note.skipped, day = day, at = at));
                continue;
            }
        } else if let Some(at) = rule.next(zone, twice_from(&before, &behind, change)).and_then(|at| local(zone, at))
            && matches!(zone.to_ambiguous_zoned(at.datetime()).offset(), AmbiguousOffset::Fold { .. })
        {
            let at = at.strftime("%H:%M").to_string();
            let is_fixed = rule.cron.determine_job_type() == croner::JobType::FixedTime;
            notes.push(if is_fixed {
                td_string!(locale, schedules.note.twice_once, day = day, at = at)
            } else {
                td_string!(locale, schedules.note.twice, day = day)
            });
            continue;
        }
        // A change between the times that are shown is worth a word, even where it moves none of them.
        if times.last().is_some_and(|last| change <= last.at) {
            notes.push(td_string!(locale, schedules.note.change, day = day, offset = offset(&behind)));
        }
    }
    notes
}

/// Just before the range of times that come twice when the clocks go back at `change`.
fn twice_from(before: &Zoned, behind: &Zoned, change: Timestamp) -> Timestamp {
    let back = i64::from(before.offset().seconds() - behind.offset().seconds()) * 1000;
    Timestamp::from_millis(change.millis() - back - 1000)
}

fn local(zone: &TimeZone, at: Timestamp) -> Option<Zoned> {
    // To the second, because a rule knows nothing finer.
    jiff::Timestamp::from_second(at.seconds()).ok().map(|at| at.to_zoned(zone.clone()))
}

/// `Sunday, 29 March 2026, 03:00`.
fn said(at: &Zoned, locale: Locale) -> String {
    let weekday = weekday_name(at.weekday().to_monday_one_offset().unsigned_abs(), locale);
    let (day, time) = (date(at, locale), at.strftime("%H:%M").to_string());
    td_string!(locale, schedules.told.moment, weekday = weekday, day = day, time = time)
}

fn date(at: &Zoned, locale: Locale) -> String {
    let month = month_name(at.month().unsigned_abs(), locale);
    td_string!(locale, schedules.told.date, day = at.day().to_string(), month = month, year = at.year().to_string())
}

/// `+02:00`.
fn offset(at: &Zoned) -> String {
    at.strftime("%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Rule, preview, zone};
    use crate::{i18n::Locale, time::Timestamp};

    fn told(cron: &str, locale: Locale) -> String {
        Rule::read(cron, locale).expect("it can be read").describe(locale)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("it is a time")
    }

    /// The next times in Madrid, by the clock there.
    fn in_madrid(cron: &str, after: &str, count: usize) -> Vec<String> {
        let rule = Rule::read(cron, Locale::en).expect("it can be read");
        let (_, zone) = zone("Europe/Madrid", Locale::en).expect("it is a zone");
        let mut after = at(after);
        let mut times = Vec::new();
        for _ in 0..count {
            after = rule.next(&zone, after).expect("there is a next time");
            times.push(super::local(&zone, after).expect("it is a time").strftime("%m-%d %H:%M%:z").to_string());
        }
        times
    }

    #[test]
    fn a_rule_is_told_in_plain_words() {
        let cases = [
            ("* * * * *", "Every minute.", "Cada minuto."),
            ("*/15 * * * *", "Every 15 minutes.", "Cada 15 minutos."),
            ("0 * * * *", "Every hour.", "Cada hora."),
            ("5 * * * *", "Every hour at minute 5.", "Cada hora, en el minuto 5."),
            ("0,30 * * * *", "Every hour at minutes 0 and 30.", "Cada hora, en los minutos 0 y 30."),
            ("0 */6 * * *", "Every 6 hours.", "Cada 6 horas."),
            ("0 3 * * *", "Every day at 03:00.", "Todos los días a las 03:00."),
            ("30 1 * * *", "Every day at 01:30.", "Todos los días a la 01:30."),
            ("0 8,20 * * *", "Every day at 08:00 and 20:00.", "Todos los días a las 08:00 y 20:00."),
            ("30 7 * * MON-FRI", "Monday to Friday at 07:30.", "De lunes a viernes a las 07:30."),
            ("0 9 * * 1", "Every Monday at 09:00.", "Cada lunes a las 09:00."),
            ("0 9 * * 0", "Every Sunday at 09:00.", "Cada domingo a las 09:00."),
            ("0 9 * * 6,7", "On Saturdays and Sundays at 09:00.", "Los sábados y domingos a las 09:00."),
            ("0 0 1 * *", "On the 1st of the month at 00:00.", "El día 1 del mes a las 00:00."),
            ("0 0 1,15 * *", "On the 1st and 15th of the month at 00:00.", "Los días 1 y 15 del mes a las 00:00."),
            ("0 4 L * *", "On the last day of the month at 04:00.", "El último día del mes a las 04:00."),
            ("0 4 * * 5#1", "On the first Friday of the month at 04:00.", "El primer viernes del mes a las 04:00."),
            ("0 4 * * 5L", "On the last Friday of the month at 04:00.", "El último viernes del mes a las 04:00."),
            (
                "0 4 15W * *",
                "On the working day nearest to the 15th of the month at 04:00.",
                "El día laborable más cercano al 15 del mes a las 04:00.",
            ),
            (
                "*/10 8-17 * * MON-FRI",
                "Every 10 minutes from 08:00 to 17:59, Monday to Friday.",
                "Cada 10 minutos de 08:00 a 17:59, de lunes a viernes.",
            ),
            (
                "0 3 * JAN,JUL *",
                "Every day, in January and July, at 03:00.",
                "Todos los días, en enero y julio, a las 03:00.",
            ),
            (
                "0 3 13 * FRI",
                "On the 13th of the month or every Friday at 03:00.",
                "El día 13 del mes o cada viernes a las 03:00.",
            ),
        ];

        for (cron, english, spanish) in cases {
            assert_eq!(told(cron, Locale::en), english, "{cron}");
            assert_eq!(told(cron, Locale::es), spanish, "{cron}");
        }
    }

    #[test]
    fn what_no_pattern_covers_is_told_field_by_field() {
        assert_eq!(
            told("7,9 1,3,5,7,22 * JUN-AUG *", Locale::en),
            "Every hour at minutes 7 and 9, in the hours 1, 3, 5, 7 and 22, from June to August."
        );
        assert_eq!(told("*/7 * * * *", Locale::en), "Every 7 minutes from the full hour on.");
    }

    #[test]
    fn a_problem_names_its_field() {
        let wrong = |cron: &str, locale: Locale| Rule::read(cron, locale).expect_err(cron);

        for (cron, field) in [
            ("61 * * * *", "Minute"),
            ("* 24 * * *", "Hour"),
            ("* * 0 * *", "Day of the month"),
            ("* * * FOO *", "Month"),
            ("* * * * 8", "Day of the week"),
            ("* * * * FRI-MON", "Day of the week"),
            ("5/10 * * * *", "Minute"),
            ("*/90 * * * *", "Minute"),
            (", * * * *", "Minute"),
            ("* * * * 5#6", "Day of the week"),
            ("*/0 * * * *", "Minute"),
        ] {
            let message = wrong(cron, Locale::en);
            assert!(message.starts_with(field), "{cron}: {message}");
        }
        assert!(wrong("61 * * * *", Locale::es).starts_with("Minuto"), "{}", wrong("61 * * * *", Locale::es));
        assert!(wrong("0 0 3 * * *", Locale::en).contains("six") || wrong("0 0 3 * * *", Locale::en).contains('6'));
        assert!(wrong("", Locale::en).contains('0'));
        assert!(wrong("0 0 30 2 *", Locale::en).contains("never"));
    }

    #[test]
    fn what_stands_in_lower_case_or_by_name_is_kept_in_one_spelling() {
        let text = |cron: &str| Rule::read(cron, Locale::en).expect("it can be read").text().to_owned();

        assert_eq!(text("  0  7 * * mon-fri "), "0 7 * * MON-FRI");
        assert_eq!(text("@daily"), "0 0 * * *");
        assert_eq!(text("0 7 * * sat-sun"), "0 7 * * SAT-SUN");
    }

    #[test]
    fn a_time_that_spring_skips_comes_after_the_skip() {
        assert_eq!(
            in_madrid("30 2 * * *", "2026-03-28T00:00:00Z", 3),
            ["03-28 02:30+01:00", "03-29 03:00+02:00", "03-30 02:30+02:00"]
        );
    }

    #[test]
    fn a_time_that_autumn_repeats_comes_once() {
        assert_eq!(
            in_madrid("30 2 * * *", "2026-10-24T00:00:00Z", 3),
            ["10-24 02:30+02:00", "10-25 02:30+02:00", "10-26 02:30+01:00"]
        );
    }

    #[test]
    fn intervals_follow_the_time_that_passes() {
        assert_eq!(
            in_madrid("*/30 * * * *", "2026-10-25T00:15:00Z", 4),
            ["10-25 02:30+02:00", "10-25 02:00+01:00", "10-25 02:30+01:00", "10-25 03:00+01:00"]
        );
        assert_eq!(in_madrid("*/30 * * * *", "2026-03-29T00:45:00Z", 2), ["03-29 03:00+02:00", "03-29 03:30+02:00"]);
    }

    #[test]
    fn a_preview_tells_the_next_five_times_and_what_the_clocks_do() {
        let daily = preview("30 2 * * *", "europe/madrid", at("2026-03-27T12:00:00Z"), Locale::en).expect("it is good");

        assert_eq!(daily.time_zone, "Europe/Madrid");
        assert_eq!(daily.sentence, "Every day at 02:30.");
        assert_eq!(daily.times.len(), 5);
        assert_eq!(daily.times[1].local, "Sunday, 29 March 2026, 03:00");
        assert_eq!((daily.times[0].offset.as_str(), daily.times[1].offset.as_str()), ("+01:00", "+02:00"));
        assert_eq!(daily.notes.len(), 2, "{:?}", daily.notes);
        assert!(daily.notes[0].contains("29 March 2026") && daily.notes[0].contains("03:00"), "{:?}", daily.notes);
        assert!(daily.notes[1].contains("25 October 2026"), "{:?}", daily.notes);

        let noon = preview("0 12 * * *", "Europe/Madrid", at("2026-03-27T13:00:00Z"), Locale::es).expect("it is good");
        assert_eq!(noon.times[0].local, "sábado, 28 de marzo de 2026, 12:00");
        assert_eq!(noon.notes.len(), 1, "{:?}", noon.notes);

        let utc = preview("30 2 * * *", "UTC", at("2026-03-27T12:00:00Z"), Locale::en).expect("it is good");
        assert!(utc.notes.is_empty(), "{:?}", utc.notes);
    }

    #[test]
    fn every_value_that_is_wrong_is_told() {
        let wrong = preview("61 * * * *", "Nowhere/Atall", at("2026-03-27T12:00:00Z"), Locale::en);
        let fields: Vec<_> = wrong.expect_err("both are wrong").into_iter().map(|(field, _)| field).collect();

        assert_eq!(fields, ["cron", "time_zone"]);
    }
}
