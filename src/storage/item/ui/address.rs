//! What a list shows, as its address says it: a link shows a colleague the same.

use super::super::{Filter, Kind, Query, Sort};
use crate::ui::list::{PAGE_SIZES, USUAL_SIZE};
use leptos_router::params::ParamsMap;

/// Records on a page unless the address says otherwise.
const PER_PAGE: u32 = USUAL_SIZE as u32;

/// One view of a list: the words, filters, order and page of its address.
#[derive(Clone, Debug, PartialEq)]
pub struct ListView {
    /// The list's path, such as `/machines`.
    path: &'static str,
    /// The order when none was chosen.
    order: Option<&'static str>,
    /// The words in the search box.
    pub search: String,
    /// The filters that are set.
    pub filter: Vec<Filter>,
    /// The chosen order: a field's name, with a minus for greatest first.
    pub sort: Option<String>,
    /// The page, from 1.
    pub page: u32,
    /// Records on a page.
    pub per_page: u32,
    /// Removed records instead of live ones.
    pub deleted: bool,
}

impl ListView {
    /// The view of a kind with nothing chosen.
    pub fn plain(kind: &'static Kind) -> Self {
        Self {
            path: kind.plural,
            // People look for things by name, and for what the system made by time.
            order: (!kind.read_only).then_some(kind.title),
            search: String::new(),
            filter: Vec::new(),
            sort: None,
            page: 1,
            per_page: PER_PAGE,
            deleted: false,
        }
    }

    /// Reads the view from the address; what cannot be understood counts as not said.
    pub fn read(kind: &'static Kind, params: &ParamsMap) -> Self {
        let number = |name: &str| params.get_str(name).and_then(|text| text.parse::<u32>().ok());
        let mut filter: Vec<Filter> = Vec::new();
        for (name, value) in params {
            let Some(field) = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')) else { continue };
            match filter.iter_mut().find(|known| known.field == field) {
                Some(known) => known.values.push(value.to_owned()),
                None => filter.push(Filter { field: field.to_owned(), values: vec![value.to_owned()] }),
            }
        }
        Self {
            search: params.get("search").unwrap_or_default(),
            filter,
            sort: params.get("sort").filter(|sort| !sort.is_empty()),
            page: number("page").unwrap_or(1).max(1),
            per_page: number("per_page").filter(|size| PAGE_SIZES.contains(&(*size as usize))).unwrap_or(PER_PAGE),
            deleted: params.get_str("deleted") == Some("true"),
            ..Self::plain(kind)
        }
    }

    /// The address of the view.
    pub fn address(&self) -> String {
        let mut params = self.conditions();
        if self.page > 1 {
            params.insert("page", self.page.to_string());
        }
        if self.per_page != PER_PAGE {
            params.insert("per_page", self.per_page.to_string());
        }
        format!("/{}{}", self.path, query(&params))
    }

    /// Where the same records, of all pages, are given as a file.
    pub fn export(&self, format: &'static str) -> String {
        let mut params = self.conditions();
        params.insert("format", format.to_owned());
        format!("/api/v1/{}/export{}", self.path, query(&params))
    }

    fn conditions(&self) -> ParamsMap {
        let mut params = ParamsMap::new();
        if !self.search.is_empty() {
            params.insert("search", self.search.clone());
        }
        for filter in &self.filter {
            for value in &filter.values {
                params.insert(format!("filter[{}]", filter.field), value.clone());
            }
        }
        if let Some(sort) = &self.sort {
            params.insert("sort", sort.clone());
        }
        if self.deleted {
            params.insert("deleted", "true".to_owned());
        }
        params
    }

    /// The question to the server; only the named fields are wanted.
    pub fn query(&self, fields: Vec<String>) -> Query {
        Query {
            search: self.search.clone(),
            filter: self.filter.clone(),
            sort: self.order().map(Sort::parse).into_iter().collect(),
            fields,
            page: self.page,
            per_page: self.per_page,
            deleted: self.deleted,
            ..Query::default()
        }
    }

    fn order(&self) -> Option<&str> {
        self.sort.as_deref().or(self.order)
    }

    /// Whether the list is sorted by that field, and if so whether greatest first.
    pub fn sorted_by(&self, field: &str) -> Option<bool> {
        let sort = Sort::parse(self.order()?);
        (sort.field == field).then_some(sort.descending)
    }

    /// The view after a press on that column's head.
    pub fn sort_on(&self, field: &str) -> Self {
        let sort = match self.sorted_by(field) {
            Some(false) => format!("-{field}"),
            _ => field.to_owned(),
        };
        Self { sort: Some(sort), page: 1, ..self.clone() }
    }

    /// The view with another page.
    pub fn on_page(&self, page: u32) -> Self {
        Self { page, ..self.clone() }
    }

    /// The view with another page size.
    pub fn sized(&self, per_page: u32) -> Self {
        Self { per_page, page: 1, ..self.clone() }
    }

    /// The view with other words in the search box.
    pub fn searched(&self, words: &str) -> Self {
        Self { search: words.trim().to_owned(), page: 1, ..self.clone() }
    }

    /// The values of the filter on that field.
    pub fn filter_on(&self, field: &str) -> &[String] {
        self.filter.iter().find(|filter| filter.field == field).map_or(&[], |filter| &filter.values)
    }

    /// The view with that filter on a field, or with none where there is no value.
    pub fn filtered(&self, field: &str, values: Vec<String>) -> Self {
        let mut filter = self.filter.clone();
        filter.retain(|known| known.field != field);
        if !values.is_empty() {
            filter.push(Filter { field: field.to_owned(), values });
        }
        Self { filter, page: 1, ..self.clone() }
    }

    /// The view of the removed records, or of the live ones.
    pub fn removed(&self, deleted: bool) -> Self {
        Self { deleted, page: 1, ..self.clone() }
    }

    /// The view with no words and no filters; order and page size stay.
    pub fn cleared(&self) -> Self {
        Self { search: String::new(), filter: Vec::new(), deleted: false, page: 1, ..self.clone() }
    }

    /// Whether something narrows the list.
    pub fn is_narrowed(&self) -> bool {
        !self.search.is_empty() || !self.filter.is_empty() || self.deleted || self.page > 1
    }
}

/// The query of an address. The browser leaves a hyphen as it is and the server escapes it; both mean
/// the same, and what both render shall be the same.
fn query(params: &ParamsMap) -> String {
    params.to_query_string().replace("%2D", "-")
}

#[cfg(test)]
mod tests {
    use super::ListView;
    use crate::storage::entry;
    use leptos_router::params::ParamsMap;

    #[test]
    fn an_address_says_all_that_a_list_shows() {
        let kind = entry("machine").expect("machines are kept").kind;
        let mut params = ParamsMap::new();
        for (name, value) in [
            ("search", "db"),
            ("filter[type]", "remote"),
            ("filter[tags]", "a b"),
            ("sort", "-ipv4"),
            ("page", "3"),
            ("per_page", "100"),
            ("deleted", "true"),
        ] {
            params.insert(name, value.to_owned());
        }

        let view = ListView::read(kind, &params);

        assert_eq!(view.filter_on("tags"), ["a b"]);
        assert_eq!((view.page, view.per_page, view.deleted), (3, 100, true));
        assert_eq!(view.sorted_by("ipv4"), Some(true));
        assert!(view.address().starts_with("/machines?search=db&"));
        assert!(view.export("csv").starts_with("/api/v1/machines/export?search=db&"));
        assert!(!view.export("csv").contains("page"));
        assert_eq!(view.cleared().sized(50).address(), "/machines?sort=-ipv4");
    }

    #[test]
    fn a_head_pressed_again_turns_the_order_around() {
        let kind = entry("machine").expect("machines are kept").kind;
        let plain = ListView::plain(kind);

        assert_eq!(plain.address(), "/machines");
        assert_eq!(plain.sorted_by("name"), Some(false));
        assert_eq!(plain.sort_on("name").address(), "/machines?sort=-name");
        assert_eq!(plain.sort_on("ipv4").address(), "/machines?sort=ipv4");
        assert_eq!(plain.sort_on("name").sort_on("name").sorted_by("name"), Some(false));
    }

    #[test]
    fn nonsense_in_an_address_counts_as_not_said() {
        let kind = entry("machine").expect("machines are kept").kind;
        let mut params = ParamsMap::new();
        params.insert("page", "-4".to_owned());
        params.insert("per_page", "100000".to_owned());

        assert_eq!(ListView::read(kind, &params), ListView::plain(kind));
    }
}
