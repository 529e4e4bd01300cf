//! What a kind calls being switched on and off: *enabled* and *disabled*, unless it has better words.

use super::{
    super::{Kind, Text},
    work::Task,
};
use crate::{
    i18n::{Locale, td_string},
    text,
};
use icondata_core::Icon;
use icondata_lu as lu;

/// The words of one kind.
#[derive(Clone, Copy)]
pub struct SwitchWords {
    /// It is on.
    pub on: Text,
    /// It is off.
    pub off: Text,
    /// Switch it on.
    pub turn_on: Text,
    /// Switch it off.
    pub turn_off: Text,
    /// What it means for a record.
    pub hint: Text,
    /// Beside a record that is off.
    pub icon_off: Icon,
    /// On the way on.
    pub icon_turn_on: Icon,
    /// On the way off.
    pub icon_turn_off: Icon,
    /// Whether people come for it: it has a button of its own on the record's page.
    pub is_button: bool,
    /// One was switched, and its name.
    one: fn(Locale, bool, String) -> String,
    /// Several were switched, and how many.
    many: fn(Locale, bool, String) -> String,
}

impl SwitchWords {
    /// What to do with a record that is on or off.
    pub const fn turn(&self, is_on: bool) -> Text {
        if is_on { self.turn_off } else { self.turn_on }
    }

    /// The icon of what to do with it.
    pub const fn turn_icon(&self, is_on: bool) -> Icon {
        if is_on { self.icon_turn_off } else { self.icon_turn_on }
    }

    /// The state of a record in a word.
    pub const fn state(&self, is_on: bool) -> Text {
        if is_on { self.on } else { self.off }
    }

    /// That it was done: to one by its name, or to how many.
    pub fn done(&self, task: Task, locale: Locale, one: Option<String>, count: usize) -> String {
        let is_on = task == Task::Enable;
        match one {
            Some(name) => (self.one)(locale, is_on, name),
            None => (self.many)(locale, is_on, count.to_string()),
        }
    }
}

/// The words of a kind.
pub fn switch_words(kind: &Kind) -> &'static SwitchWords {
    if kind.name == "schedule" { &PAUSED } else { &ENABLED }
}

static ENABLED: SwitchWords = SwitchWords {
    on: text!(records.page.enabled),
    off: text!(records.page.disabled),
    turn_on: text!(records.page.enable),
    turn_off: text!(records.page.disable),
    hint: text!(records.page.enabled_hint),
    icon_off: lu::LuCircleOff,
    icon_turn_on: lu::LuPower,
    icon_turn_off: lu::LuPowerOff,
    is_button: false,
    one: |locale, is_on, name| match is_on {
        true => td_string!(locale, records.page.enabled_one, name = name),
        false => td_string!(locale, records.page.disabled_one, name = name),
    },
    many: |locale, is_on, count| match is_on {
        true => td_string!(locale, records.page.enabled_many, count = count),
        false => td_string!(locale, records.page.disabled_many, count = count),
    },
};

static PAUSED: SwitchWords = SwitchWords {
    on: text!(schedules.word.running),
    off: text!(schedules.word.paused),
    turn_on: text!(schedules.word.resume),
    turn_off: text!(schedules.word.pause),
    hint: text!(schedules.word.running_hint),
    icon_off: lu::LuCirclePause,
    icon_turn_on: lu::LuPlay,
    icon_turn_off: lu::LuPause,
    is_button: true,
    one: |locale, is_on, name| match is_on {
        true => td_string!(locale, schedules.word.resumed_one, name = name),
        false => td_string!(locale, schedules.word.paused_one, name = name),
    },
    many: |locale, is_on, count| match is_on {
        true => td_string!(locale, schedules.word.resumed_many, count = count),
        false => td_string!(locale, schedules.word.paused_many, count = count),
    },
};
