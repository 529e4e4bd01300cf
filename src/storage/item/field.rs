//! The description of an entity as data: what its table, form, REST routes and tests are made from.

use crate::i18n::Locale;

/// A text in the reader's language, taken from the catalogue.
pub type Text = fn(Locale) -> &'static str;

/// Names a text of the catalogue where a constant is wanted: `text!(records.machine.name)`.
#[macro_export]
macro_rules! text {
    ($($key:tt)+) => {
        |locale: $crate::i18n::Locale| -> &'static str { $crate::i18n::td_string!(locale, $($key)+) }
    };
}

/// Whose records of a kind are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// Each record belongs to one customer, or to the platform itself.
    PerCustomer,
    /// The kind stands above the customers: only the platform's own people change it.
    Platform,
}

/// An entity, described.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in the API, the audit trail and events: `machine`.
    pub name: &'static str,
    /// Its table and its path in the API and the browser: `machines`.
    pub plural: &'static str,
    /// Its name for a person, in the singular.
    pub one: Text,
    /// Its name for a person, in the plural.
    pub many: Text,
    /// What a person reads when there is none yet.
    pub empty: Text,
    /// Whose the records are.
    pub tenancy: Tenancy,
    /// True where people only look at and remove records, and the system makes them.
    pub read_only: bool,
    /// True where a CSV file can be imported, with a preview.
    pub importable: bool,
    /// The field that names a record for a person; also how references show it.
    pub title: &'static str,
    /// Its own fields, in the order of the form.
    pub fields: &'static [Field],
}

impl Kind {
    /// A kind of the platform's own, with no fields yet; `title` defaults to `name`.
    pub const fn new(name: &'static str, plural: &'static str, one: Text, many: Text, empty: Text) -> Self {
        Self {
            name,
            plural,
            one,
            many,
            empty,
            tenancy: Tenancy::Platform,
            read_only: false,
            importable: false,
            title: "name",
            fields: &[],
        }
    }

    /// The same, each record belonging to a customer.
    pub const fn per_customer(mut self) -> Self {
        self.tenancy = Tenancy::PerCustomer;
        self
    }

    /// The same, made by the system only.
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The same, with import from CSV.
    pub const fn importable(mut self) -> Self {
        self.importable = true;
        self
    }

    /// The same, named for a person by another field than `name`.
    pub const fn titled(mut self, field: &'static str) -> Self {
        self.title = field;
        self
    }

    /// The same, with these fields.
    pub const fn fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        self
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// One choice of a field.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Its value in the API and the database.
    pub value: &'static str,
    /// What a person reads.
    pub label: Text,
}

/// What a text of several lines is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Plain words.
    Plain,
    /// YAML; shown in the code face, with tabs kept.
    Yaml,
}

/// What a field holds. JSON and column follow from it.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// One line; JSON text, at most `max` characters.
    Line {
        /// The greatest number of characters.
        max: usize,
    },
    /// Several lines; JSON text, at most `max` bytes.
    Lines {
        /// What it is written in.
        language: Language,
        /// The greatest number of bytes.
        max: usize,
    },
    /// A secret that is written and never read back; JSON text on the way in, absent on the way out.
    Secret,
    /// One of a few values; JSON text.
    Choice(&'static [Choice]),
    /// A whole number between the bounds; JSON number, column `bigint`.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// Yes or no; JSON boolean, column `boolean`.
    Switch,
    /// An IPv4 address, kept in dotted form; JSON text.
    Ipv4,
    /// An IPv6 address, kept in its shortest form; JSON text.
    Ipv6,
    /// A MAC address in any common spelling, kept as `aa:bb:cc:dd:ee:ff`; JSON text.
    Mac,
    /// Words; JSON array of text, kept as JSON in a text column.
    Words,
    /// IP addresses or DNS names; JSON array of text, kept as JSON in a text column.
    Addresses,
    /// A point in time; JSON RFC 3339 text, column `bigint` of milliseconds.
    Time,
    /// A record of another kind, by its name (`customer`); JSON id, column text.
    Reference(&'static str),
    /// Records of another kind; JSON array of ids, kept in a join table.
    References {
        /// The other kind's name.
        kind: &'static str,
        /// The join table: `(owner, target, position)`.
        table: &'static str,
    },
}

/// One field of an entity.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the API and its column.
    pub name: &'static str,
    /// What a person reads.
    pub label: Text,
    /// A line of help under the input.
    pub hint: Option<Text>,
    /// What it holds.
    pub shape: Shape,
    /// Must have a value.
    pub required: bool,
    /// No two live records of a customer share a value.
    pub unique: bool,
    /// The search box looks into it.
    pub searched: bool,
    /// Shown as a column from the start; others can be chosen.
    pub listed: bool,
    /// Shown and never accepted from outside.
    pub read_only: bool,
    /// Only where a choice that stands before it has one of these values: the choice's field, and the values.
    pub when: Option<(&'static str, &'static [&'static str])>,
}

impl Field {
    const fn of(name: &'static str, label: Text, shape: Shape) -> Self {
        Self {
            name,
            label,
            hint: None,
            shape,
            required: false,
            unique: false,
            searched: false,
            listed: false,
            read_only: false,
            when: None,
        }
    }

    /// One line of at most 200 characters.
    pub const fn line(name: &'static str, label: Text) -> Self {
        Self::of(name, label, Shape::Line { max: 200 })
    }

    /// Several lines of plain words, at most 64 KiB.
    pub const fn lines(name: &'static str, label: Text) -> Self {
        Self::of(name, label, Shape::Lines { language: Language::Plain, max: 64 << 10 })
    }

    /// YAML of at most 1 MiB.
    pub const fn yaml(name: &'static str, label: Text) -> Self {
        Self::of(name, label, Shape::Lines { language: Language::Yaml, max: 1 << 20 })
    }

    /// A field of any other shape.
    pub const fn shaped(name: &'static str, label: Text, shape: Shape) -> Self {
        Self::of(name, label, shape)
    }

    /// One of a few values.
    pub const fn choice(name: &'static str, label: Text, choices: &'static [Choice]) -> Self {
        Self::of(name, label, Shape::Choice(choices))
    }

    /// The same, with a line of help.
    pub const fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The same, and it must have a value.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, unique within the customer.
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same, found by the search box.
    pub const fn searched(mut self) -> Self {
        self.searched = true;
        self
    }

    /// The same, a column of the list from the start.
    pub const fn listed(mut self) -> Self {
        self.listed = true;
        self
    }

    /// The same, set by the system only.
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The same, only where the choice `field`, which stands before it, has one of `values`.
    pub const fn when(mut self, field: &'static str, values: &'static [&'static str]) -> Self {
        self.when = Some((field, values));
        self
    }

    /// Whether the record has it, by what the choice it depends on has; `None` where that is not known.
    pub fn applies<'a>(&self, value_of: impl FnOnce(&str) -> Option<&'a str>) -> bool {
        self.when.is_none_or(|(field, values)| value_of(field).is_none_or(|value| values.contains(&value)))
    }

    /// Whether a list can be sorted by it and filtered on it.
    pub const fn is_column(&self) -> bool {
        !matches!(self.shape, Shape::Secret | Shape::References { .. } | Shape::Lines { .. })
    }
}
