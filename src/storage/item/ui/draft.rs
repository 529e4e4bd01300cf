//! A record while it is being written: what was typed, what follows from it, and what is wrong with it.
//!
//! The same checks run here as on the server. A field's own problem shows once the person has left the
//! field; what contradicts another field shows at once. A value that follows from others is filled in
//! while the person has written nothing there, and follows on when they change the others.

use super::{
    super::{Check, Entry, Field, Fields, RawRecord, Shape, calls::Begun, check},
    value::Labels,
};
use crate::{error::Problem, i18n::Locale, ui::Pick};
use leptos::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in one input.
#[derive(Clone, Copy)]
pub enum Input {
    /// Text, whatever the shape.
    Text(RwSignal<String>),
    /// Yes or no.
    Switch(RwSignal<bool>),
    /// Records that were picked.
    Picks(RwSignal<Vec<Pick>>),
}

/// A record being written; cheap to copy.
#[derive(Clone, Copy)]
pub struct Draft {
    /// The entity.
    pub entry: &'static Entry,
    /// The inputs by field, in the order of the description.
    pub inputs: StoredValue<Vec<(&'static Field, Input)>>,
    /// Whether it is enabled.
    pub enabled: RwSignal<bool>,
    /// The customer it will belong to; only for a new one.
    pub customer: RwSignal<Vec<Pick>>,
    /// Whose the record is that stands.
    owner: StoredValue<Option<String>>,
    /// The revision that was read; `None` for a new record.
    pub revision: RwSignal<Option<i64>>,
    /// What was read, as [`Draft::written`] gives it.
    stands: RwSignal<Fields>,
    /// Fields that the person has left, or all once they have tried to save.
    visited: RwSignal<BTreeSet<String>>,
    /// Values that were filled in because they follow from others.
    followed: RwSignal<BTreeMap<&'static str, String>>,
    /// What the server refused, and the value that it refused.
    refused: RwSignal<Vec<(Problem, Value)>>,
}

impl Draft {
    /// A draft of a record that stands, or of a new one.
    pub fn of(entry: &'static Entry, record: Option<&RawRecord>, labels: &Labels) -> Self {
        let inputs = entry
            .kind
            .fields
            .iter()
            .filter(|field| !field.read_only)
            .map(|field| {
                let value = record.and_then(|record| record.item.get(field.name)).unwrap_or(&Value::Null);
                (field, input(field, value, labels, record.is_none()))
            })
            .collect();
        let draft = Self {
            entry,
            inputs: StoredValue::new(inputs),
            enabled: RwSignal::new(record.is_none_or(|record| record.base.enabled)),
            customer: RwSignal::new(Vec::new()),
            owner: StoredValue::new(
                record.and_then(|record| record.base.customer).map(|customer| customer.to_string()),
            ),
            revision: RwSignal::new(record.map(|record| record.base.revision)),
            stands: RwSignal::new(Fields::new()),
            visited: RwSignal::new(BTreeSet::new()),
            followed: RwSignal::new(BTreeMap::new()),
            refused: RwSignal::new(Vec::new()),
        };
        draft.stands.set(untrack(|| draft.written()));
        if record.is_some() {
            draft.find_followed();
        }
        draft
    }

    /// A draft of a new record that is begun from something else: changed from the start.
    pub fn begun(entry: &'static Entry, begun: &Begun) -> Self {
        let draft = Self::of(entry, None, &begun.labels);
        draft.inputs.with_value(|inputs| {
            for (field, mine) in inputs {
                let Some(value) = begun.fields.get(field.name) else { continue };
                match (mine, input(field, value, &begun.labels, false)) {
                    (Input::Text(mine), Input::Text(theirs)) => mine.set(theirs.get_untracked()),
                    (Input::Switch(mine), Input::Switch(theirs)) => mine.set(theirs.get_untracked()),
                    (Input::Picks(mine), Input::Picks(theirs)) => mine.set(theirs.get_untracked()),
                    _ => {}
                }
            }
        });
        draft
            .customer
            .set(begun.customer.iter().map(|(id, label)| Pick { id: id.clone(), label: label.clone() }).collect());
        draft
    }

    /// True for a record that is not yet kept.
    pub fn is_new(self) -> bool {
        self.revision.with_untracked(Option::is_none)
    }

    /// The customer whose records it may refer to; `None` for the platform's own.
    pub fn whose(self) -> Option<String> {
        if self.is_new() {
            self.customer.with(|customer| customer.first().map(|pick| pick.id.clone()))
        } else {
            self.owner.get_value()
        }
    }

    /// The text of a field's input; `None` where it holds no text.
    pub fn text(self, field: &str) -> Option<RwSignal<String>> {
        self.inputs.with_value(|inputs| {
            inputs.iter().find(|(known, _)| known.name == field).and_then(|(_, input)| match input {
                Input::Text(text) => Some(*text),
                Input::Switch(_) | Input::Picks(_) => None,
            })
        })
    }

    /// The records that are picked in a field's input; `None` where it holds none.
    pub fn picks(self, field: &str) -> Option<RwSignal<Vec<Pick>>> {
        self.inputs.with_value(|inputs| {
            inputs.iter().find(|(known, _)| known.name == field).and_then(|(_, input)| match input {
                Input::Picks(picks) => Some(*picks),
                Input::Switch(_) | Input::Text(_) => None,
            })
        })
    }

    /// Whether the field belongs to the record, by the choice it depends on.
    pub fn applies(self, field: &Field) -> bool {
        let Some((other, _)) = field.when else { return true };
        let value = self.text(other).map(|text| text.get());
        field.applies(|_| value.as_deref())
    }

    /// What stands in the inputs, as it is sent: nothing where a field does not apply.
    pub fn written(self) -> Fields {
        let mut fields = Fields::new();
        self.inputs.with_value(|inputs| {
            for (field, input) in inputs {
                let value = match input {
                    Input::Text(text) if !self.applies(field) => {
                        text.track();
                        Value::Null
                    }
                    Input::Text(text) => {
                        text.with(|text| if text.trim().is_empty() { Value::Null } else { Value::from(text.as_str()) })
                    }
                    Input::Switch(on) => on.get().into(),
                    Input::Picks(picks) => {
                        let ids: Vec<Value> =
                            picks.with(|picks| picks.iter().map(|pick| pick.id.clone().into()).collect());
                        match field.shape {
                            Shape::References { .. } => Value::Array(ids),
                            _ => ids.into_iter().next().unwrap_or(Value::Null),
                        }
                    }
                };
                let keeps = matches!(field.shape, Shape::Secret) && value.is_null() && self.revision.get().is_some();
                if !keeps {
                    fields.insert(field.name.to_owned(), value);
                }
            }
        });
        fields.insert("enabled".to_owned(), self.enabled.get().into());
        if let Some(customer) = self.customer.with(|customer| customer.first().map(|pick| pick.id.clone())) {
            fields.insert("customer".to_owned(), customer.into());
        }
        fields
    }

    /// Whether something was typed that is not kept.
    pub fn is_changed(self) -> bool {
        let written = self.written();
        self.stands.with(|stands| *stands != written)
    }

    /// Notes that the person has left a field.
    pub fn visit(self, field: &str) {
        if !self.visited.with_untracked(|visited| visited.contains(field)) {
            self.visited.update(|visited| {
                visited.insert(field.to_owned());
            });
        }
    }

    /// Shows every problem from now on, as after an attempt to save.
    pub fn visit_all(self) {
        let names = self.inputs.with_value(|inputs| inputs.iter().map(|(field, _)| field.name.to_owned()).collect());
        self.visited.set(names);
    }

    /// Notes what the server refused; each stands until its value is changed.
    pub fn refuse(self, problems: &[Problem]) {
        let written = untrack(|| self.written());
        let value = |problem: &Problem| written.get(&problem.field).cloned().unwrap_or(Value::Null);
        self.refused.set(problems.iter().map(|problem| (problem.clone(), value(problem))).collect());
    }

    /// Every problem of the values as they stand, shown or not.
    pub fn problems(self, locale: Locale) -> Vec<Problem> {
        self.checked(locale).into_iter().map(|(problem, _)| problem).collect()
    }

    /// The problems to show, by field.
    pub fn shown_problems(self, locale: Locale) -> BTreeMap<String, String> {
        let mut shown = BTreeMap::new();
        let written = self.written();
        self.refused.with(|refused| {
            for (problem, value) in refused {
                if written.get(&problem.field).unwrap_or(&Value::Null) == value {
                    shown.entry(problem.field.clone()).or_insert_with(|| problem.message.clone());
                }
            }
        });
        let visited = self.visited.get();
        for (problem, at_once) in self.checked(locale) {
            if at_once || visited.contains(&problem.field) {
                shown.entry(problem.field).or_insert(problem.message);
            }
        }
        shown
    }

    /// Runs the field checks and then the rules over `input`: the values in their one spelling, what is
    /// wrong with single fields, and what contradicts.
    fn work_out(self, mut input: Fields, locale: Locale) -> (Fields, Vec<Problem>, Vec<Problem>) {
        let kind = self.entry.kind;
        let is_new = self.revision.with(Option::is_none);
        input.shift_remove("enabled");
        input.shift_remove("customer");
        let mut own = Check::new(locale, is_new);
        let mut output = check::fields(kind, input, &mut own);
        let wrong = problems_of(own);
        // The rules need every required field, so what is still missing or wrong gets a stand-in.
        for field in kind.fields {
            if wrong.iter().any(|problem| problem.field == field.name) {
                output.insert(field.name.to_owned(), stand_in(field));
            }
        }
        let mut rules = Check::new(locale, is_new);
        (self.entry.rules)(&mut output, &mut rules);
        let mut contradicted = problems_of(rules);
        contradicted
            .retain(|problem| !problem.field.is_empty() && wrong.iter().all(|known| known.field != problem.field));
        (output, wrong, contradicted)
    }

    /// The problems, each with whether it shows at once.
    fn checked(self, locale: Locale) -> Vec<(Problem, bool)> {
        let (_, wrong, contradicted) = self.work_out(self.written(), locale);
        let own = wrong.into_iter().map(|problem| (problem, false));
        own.chain(contradicted.into_iter().map(|problem| (problem, true))).collect()
    }

    /// Finds the values of a record that stands which follow from its others, so that they follow on.
    fn find_followed(self) {
        let written = untrack(|| self.written());
        let mut followed = BTreeMap::new();
        self.inputs.with_value(|inputs| {
            for (field, input) in inputs {
                let Input::Text(text) = input else { continue };
                let text = text.get_untracked();
                if field.required || text.trim().is_empty() {
                    continue;
                }
                let mut without = written.clone();
                without.insert(field.name.to_owned(), Value::Null);
                let (output, ..) = untrack(|| self.work_out(without, Locale::default()));
                if output.get(field.name).is_some_and(|value| text_of(field, value) == text) {
                    followed.insert(field.name, text);
                }
            }
        });
        self.followed.set(followed);
    }

    /// Fills in what follows from other values; called whenever something was typed.
    pub fn follow(self, locale: Locale) {
        // What was filled in earlier and not touched since is thought away and worked out again.
        let followed = self.followed.get_untracked();
        let texts: Vec<(&'static Field, RwSignal<String>)> = self.inputs.with_value(|inputs| {
            inputs
                .iter()
                .filter_map(|(field, input)| match input {
                    Input::Text(text) if !matches!(field.shape, Shape::Secret) => Some((*field, *text)),
                    _ => None,
                })
                .collect()
        });
        let is_followed = |field: &Field, text: RwSignal<String>| {
            followed.get(field.name).is_some_and(|value| text.with_untracked(|text| text == value))
        };
        let open: Vec<(&'static Field, RwSignal<String>)> = texts
            .into_iter()
            .filter(|(field, text)| text.with_untracked(|text| text.trim().is_empty()) || is_followed(field, *text))
            .collect();
        let mut input = untrack(|| self.written());
        for (field, _) in &open {
            input.insert(field.name.to_owned(), Value::Null);
        }
        let (output, wrong, contradicted) = untrack(|| self.work_out(input, locale));
        let mut now = BTreeMap::new();
        for (field, text) in open {
            let good = wrong.iter().chain(&contradicted).all(|problem| problem.field != field.name);
            let value = output.get(field.name).filter(|value| good && !value.is_null());
            let value = value.map(|value| text_of(field, value)).unwrap_or_default();
            // A space that was just typed is left alone.
            let is_ours = !value.is_empty() || followed.contains_key(field.name);
            if is_ours && text.with_untracked(|text| *text != value) {
                text.set(value.clone());
            }
            if !value.is_empty() {
                now.insert(field.name, value);
            }
        }
        if now != followed {
            self.followed.set(now);
        }
    }

    /// Takes over what somebody else has changed meanwhile and keeps what was typed here.
    pub fn merge(self, record: &RawRecord, labels: &Labels) {
        let written = untrack(|| self.written());
        let stood = self.stands.get_untracked();
        let fresh = untrack(|| Self::of(self.entry, Some(record), labels));
        self.inputs.with_value(|inputs| {
            fresh.inputs.with_value(|others| {
                for ((field, mine), (_, theirs)) in inputs.iter().zip(others) {
                    let touched = written.get(field.name) != stood.get(field.name);
                    if touched || matches!(field.shape, Shape::Secret) {
                        continue;
                    }
                    match (mine, theirs) {
                        (Input::Text(mine), Input::Text(theirs)) => mine.set(theirs.get_untracked()),
                        (Input::Switch(mine), Input::Switch(theirs)) => mine.set(theirs.get_untracked()),
                        (Input::Picks(mine), Input::Picks(theirs)) => mine.set(theirs.get_untracked()),
                        _ => {}
                    }
                }
            });
        });
        if written.get("enabled") == stood.get("enabled") {
            self.enabled.set(record.base.enabled);
        }
        self.revision.set(Some(record.base.revision));
        self.stands.set(fresh.stands.get_untracked());
        self.refused.set(Vec::new());
    }
}

fn problems_of(check: Check) -> Vec<Problem> {
    check.finish().err().map(|error| error.problems().to_vec()).unwrap_or_default()
}

/// A value that fits the field's shape, so that rules over other fields can run.
fn stand_in(field: &Field) -> Value {
    match field.shape {
        Shape::Choice(choices) if field.required => choices.first().map_or(Value::Null, |choice| choice.value.into()),
        Shape::Line { .. } | Shape::Lines { .. } | Shape::Secret if field.required => "x".into(),
        Shape::Integer { min, .. } if field.required => min.into(),
        Shape::Switch => false.into(),
        Shape::Words | Shape::Addresses | Shape::References { .. } => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

fn input(field: &'static Field, value: &Value, labels: &Labels, is_new: bool) -> Input {
    let pick = |value: &Value| {
        value
            .as_str()
            .map(|id| Pick { id: id.to_owned(), label: labels.get(id).cloned().unwrap_or_else(|| super::short(id)) })
    };
    match field.shape {
        Shape::Switch => Input::Switch(RwSignal::new(value.as_bool().unwrap_or_default())),
        Shape::Reference(_) => Input::Picks(RwSignal::new(pick(value).into_iter().collect())),
        Shape::References { .. } => {
            Input::Picks(RwSignal::new(value.as_array().into_iter().flatten().filter_map(pick).collect()))
        }
        // Choices stand from most to least, so the last one is the mildest.
        Shape::Choice(choices) if is_new && field.required => {
            Input::Text(RwSignal::new(choices.last().map(|choice| choice.value.to_owned()).unwrap_or_default()))
        }
        _ => Input::Text(RwSignal::new(text_of(field, value))),
    }
}

/// A value as it is typed.
fn text_of(field: &Field, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            words.join(if matches!(field.shape, Shape::Words) { ", " } else { "\n" })
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Input};
    use crate::{
        i18n::Locale,
        id::Id,
        storage::{
            entry,
            item::{Base, Fields, RawRecord},
        },
        time::Timestamp,
    };
    use leptos::prelude::*;
    use serde_json::json;

    fn type_in(draft: Draft, field: &str, words: &str) {
        draft.inputs.with_value(|inputs| {
            let (_, input) = inputs.iter().find(|(known, _)| known.name == field).expect("the field is there");
            match input {
                Input::Text(text) => text.set(words.to_owned()),
                _ => panic!("{field} is not typed"),
            }
        });
        draft.follow(Locale::en);
    }

    fn typed(draft: Draft, field: &str) -> String {
        untrack(|| draft.written()).get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    }

    fn machine(name: &str, revision: i64) -> RawRecord {
        let at = Timestamp::from_millis(0);
        let mut item = Fields::new();
        item.insert("name".to_owned(), json!(name));
        item.insert("type".to_owned(), json!("remote"));
        item.insert("description".to_owned(), json!("as it was"));
        item.insert("tags".to_owned(), json!(["a", "b"]));
        let base = Base {
            id: Id::new(),
            customer: None,
            revision,
            enabled: true,
            created_at: at,
            created_by: None,
            updated_at: at,
            updated_by: None,
            deleted_at: None,
        };
        RawRecord { base, item }
    }

    fn new_machine() -> Draft {
        Draft::of(entry("machine").expect("machines are kept"), None, &Default::default())
    }

    #[test]
    fn what_follows_is_filled_in_and_follows_on() {
        Owner::new().with(|| {
            let draft = new_machine();

            type_in(draft, "ipv4", "192.168.1.10");
            type_in(draft, "netmask", "255.255.255.0");
            assert_eq!(
                (typed(draft, "network"), typed(draft, "broadcast")),
                ("192.168.1.0".into(), "192.168.1.255".into())
            );

            type_in(draft, "ipv4", "10.0.0.5");
            assert_eq!((typed(draft, "network"), typed(draft, "broadcast")), ("10.0.0.0".into(), "10.0.0.255".into()));

            type_in(draft, "broadcast", "10.0.0.254");
            assert_eq!(typed(draft, "broadcast"), "10.0.0.254");
            assert!(draft.shown_problems(Locale::en).contains_key("broadcast"), "a contradiction shows at once");

            type_in(draft, "netmask", "");
            assert_eq!(typed(draft, "network"), "", "what followed goes with its reason");
        });
    }

    #[test]
    fn what_followed_once_follows_on_when_the_record_is_changed() {
        Owner::new().with(|| {
            let mut record = machine("db-1", 1);
            for (field, value) in [
                ("ipv4", "10.0.0.5"),
                ("netmask", "255.255.255.0"),
                ("network", "10.0.0.0"),
                ("broadcast", "10.0.0.255"),
                ("gateway", "10.0.0.1"),
            ] {
                record.item.insert(field.to_owned(), json!(value));
            }
            let draft = Draft::of(entry("machine").expect("machines are kept"), Some(&record), &Default::default());

            type_in(draft, "ipv4", "10.7.0.5");

            assert_eq!((typed(draft, "network"), typed(draft, "broadcast")), ("10.7.0.0".into(), "10.7.0.255".into()));
            assert_eq!(draft.shown_problems(Locale::en).into_keys().collect::<Vec<_>>(), ["gateway"]);
        });
    }

    #[test]
    fn a_problem_shows_once_its_field_was_left() {
        Owner::new().with(|| {
            let draft = new_machine();

            type_in(draft, "ipv4", "192.168");
            assert!(draft.shown_problems(Locale::en).is_empty());

            draft.visit("ipv4");
            assert_eq!(draft.shown_problems(Locale::en).into_keys().collect::<Vec<_>>(), ["ipv4"]);

            draft.visit_all();
            assert_eq!(draft.shown_problems(Locale::en).into_keys().collect::<Vec<_>>(), ["ipv4", "name"]);
        });
    }

    #[test]
    fn a_reload_keeps_what_was_typed_and_takes_the_rest() {
        Owner::new().with(|| {
            let entry = entry("machine").expect("machines are kept");
            let draft = Draft::of(entry, Some(&machine("db-1", 1)), &Default::default());
            assert!(!draft.is_changed());
            type_in(draft, "description", "as I want it");
            let mut theirs = machine("db-2", 2);
            theirs.item.insert("description".to_owned(), json!("as they want it"));

            draft.merge(&theirs, &Default::default());

            assert_eq!(typed(draft, "name"), "db-2");
            assert_eq!(typed(draft, "description"), "as I want it");
            assert_eq!(draft.revision.get_untracked(), Some(2));
            assert!(draft.is_changed());
        });
    }
}
