//! Which containers a page shows and in which order: plain functions over the list of the engine.

use crate::deployments::model::{Container, ContainerState, Health, PublishedPort};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashSet},
};

/// What a person wants to see of the list. An empty text stands for "any".
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    /// Words that name, image, identifier, stack or labels must hold.
    pub words: String,
    /// A state's name.
    pub state: String,
    /// A health's name.
    pub health: String,
    /// A stack.
    pub stack: String,
    /// A customer.
    pub customer: String,
}

impl Filter {
    /// Whether it leaves everything in.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn admits(&self, container: &Container) -> bool {
        let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        is(&self.state, state_name(container.state))
            && is(&self.health, health_name(container.health))
            && is(&self.stack, container.stack.as_deref().unwrap_or_default())
            && is(&self.customer, container.customer.as_deref().unwrap_or_default())
            && self.words.split_whitespace().all(|word| holds(container, &word.to_lowercase()))
    }
}

fn holds(container: &Container, word: &str) -> bool {
    let texts = [&container.name, &container.image, &container.command];
    texts.iter().any(|text| text.to_lowercase().contains(word))
        || container.id.starts_with(word)
        || container.stack.as_ref().is_some_and(|stack| stack.to_lowercase().contains(word))
        || container.labels.iter().any(|(name, value)| format!("{name}={value}").to_lowercase().contains(word))
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Name,
    State,
    Health,
    Image,
    Ports,
    Created,
}

impl SortBy {
    /// Its name in the address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Health => "health",
            Self::Image => "image",
            Self::Ports => "ports",
            Self::Created => "created",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Name, Self::State, Self::Health, Self::Image, Self::Ports, Self::Created];
        all.into_iter().find(|by| by.name() == name)
    }

    fn compare(self, a: &Container, b: &Container) -> Ordering {
        let by_name = || natural(&a.name, &b.name);
        match self {
            Self::Name => by_name(),
            Self::State => (a.state as u8, a.exit_code).cmp(&(b.state as u8, b.exit_code)).then_with(by_name),
            Self::Health => (a.health as u8).cmp(&(b.health as u8)).then_with(by_name),
            Self::Image => a.image.cmp(&b.image).then_with(by_name),
            Self::Ports => a.ports.cmp(&b.ports).then_with(by_name),
            Self::Created => a.created_at.cmp(&b.created_at).then_with(by_name),
        }
    }
}

/// The order of a list: what by, and whether turned round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub by: SortBy,
    pub descending: bool,
}

impl Order {
    /// Reads `name` or `-created`; anything else is the usual order.
    pub fn read(text: &str) -> Self {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        SortBy::named(name).map_or_else(Self::default, |by| Self { by, descending })
    }

    /// The order after its column's head was pressed, as in the address; empty for the usual one.
    pub fn pressed(self, by: SortBy) -> String {
        match (self.by == by && !self.descending, by) {
            (true, _) => format!("-{}", by.name()),
            (false, SortBy::Name) => String::new(),
            (false, _) => by.name().to_owned(),
        }
    }
}

/// Compares names as people count: `web-2` before `web-10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                number(&mut left).cmp(&number(&mut right))
            }
            (Some(x), Some(y)) => {
                left.next();
                right.next();
                x.to_lowercase().cmp(y.to_lowercase())
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u64 {
    let mut value = 0_u64;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        value = value.saturating_mul(10).saturating_add(u64::from(digit));
        chars.next();
    }
    value
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// The head of a stack, or of what belongs to none.
    Group { stack: Option<String>, count: usize, running: usize },
    /// A container, by its identifier.
    Container(String),
}

impl Line {
    /// What tells lines apart from one drawing to the next.
    pub fn key(&self) -> String {
        match self {
            Self::Group { stack, count, running } => {
                format!("stack {} {count} {running}", stack.as_deref().unwrap_or_default())
            }
            Self::Container(id) => id.clone(),
        }
    }
}

/// The containers that a filter admits, in order; stacks together and by name when grouped.
pub(super) fn arrange(containers: &[Container], filter: &Filter, order: Order, grouped: bool) -> Vec<Container> {
    let mut found: Vec<Container> = containers.iter().filter(|container| filter.admits(container)).cloned().collect();
    found.sort_by(|a, b| {
        let turned = |ordering: Ordering| if order.descending { ordering.reverse() } else { ordering };
        let stacks = || match (&a.stack, &b.stack) {
            (Some(a), Some(b)) => natural(a, b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        let own = || turned(order.by.compare(a, b));
        if grouped { stacks().then_with(own) } else { own() }
    });
    found
}

/// The lines of one page: `page` counts from 1. Containers of folded stacks take no room.
/// Gives the lines, the containers among them, and how many containers there are to page through.
pub(super) fn page_of(
    arranged: &[Container],
    grouped: bool,
    folded: &HashSet<String>,
    page: usize,
    size: usize,
) -> (Vec<Line>, Vec<Container>, usize) {
    let has_stacks = grouped && arranged.iter().any(|container| container.stack.is_some());
    if !has_stacks {
        let shown: Vec<_> = arranged.iter().skip((page - 1) * size).take(size).cloned().collect();
        let lines = shown.iter().map(|container| Line::Container(container.id.clone())).collect();
        return (lines, shown, arranged.len());
    }
    let mut stacks: BTreeMap<Option<&str>, (usize, usize)> = BTreeMap::new();
    for container in arranged {
        let (count, running) = stacks.entry(container.stack.as_deref()).or_default();
        *count += 1;
        *running += usize::from(container.state == ContainerState::Running);
    }
    let is_folded = |stack: Option<&str>| folded.contains(stack.unwrap_or_default());
    let total = arranged.iter().filter(|container| !is_folded(container.stack.as_deref())).count();
    let (first, end) = ((page - 1) * size, page * size);
    let (mut lines, mut shown) = (Vec::new(), Vec::new());
    let mut place = 0;
    let mut headed: Option<Option<&str>> = None;
    for container in arranged {
        let stack = container.stack.as_deref();
        let folded = is_folded(stack);
        let on_page = place >= first && (place < end || (folded && place == end && total == end));
        if on_page && headed != Some(stack) {
            headed = Some(stack);
            let (count, running) = stacks.get(&stack).copied().unwrap_or_default();
            lines.push(Line::Group { stack: stack.map(str::to_owned), count, running });
        }
        if folded {
            continue;
        }
        if on_page {
            lines.push(Line::Container(container.id.clone()));
            shown.push(container.clone());
        }
        place += 1;
    }
    (lines, shown, total)
}

/// How many run, do not, and are unwell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub running: usize,
    pub stopped: usize,
    pub paused: usize,
    pub restarting: usize,
    pub unhealthy: usize,
}

impl Counts {
    pub fn of(containers: &[Container]) -> Self {
        let mut counts = Self::default();
        for container in containers {
            match container.state {
                ContainerState::Running => counts.running += 1,
                ContainerState::Paused => counts.paused += 1,
                ContainerState::Restarting => counts.restarting += 1,
                ContainerState::Created | ContainerState::Removing | ContainerState::Exited | ContainerState::Dead => {
                    counts.stopped += 1;
                }
            }
            counts.unhealthy += usize::from(container.health == Health::Unhealthy);
        }
        counts
    }
}

/// The published ports as people write them, each once: `8443 → 443`, `9090`, `53/udp`.
pub(super) fn port_texts(ports: &[PublishedPort]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut texts = Vec::new();
    for port in ports {
        let Some(outside) = port.host_port else { continue };
        let protocol = if port.protocol == "tcp" { String::new() } else { format!("/{}", port.protocol) };
        let place = match port.host_ip.as_deref() {
            None | Some("" | "0.0.0.0" | "::") => String::new(),
            Some(address) if address.contains(':') => format!("[{address}]:"),
            Some(address) => format!("{address}:"),
        };
        let inside =
            if outside == port.container_port { String::new() } else { format!(" → {}", port.container_port) };
        let text = format!("{place}{outside}{inside}{protocol}");
        if seen.insert(text.clone()) {
            texts.push(text);
        }
    }
    texts
}

/// The name of a state in the API and the address.
pub(super) const fn state_name(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Created => "created",
        ContainerState::Running => "running",
        ContainerState::Paused => "paused",
        ContainerState::Restarting => "restarting",
        ContainerState::Removing => "removing",
        ContainerState::Exited => "exited",
        ContainerState::Dead => "dead",
    }
}

/// The name of a health in the API and the address.
pub(super) const fn health_name(health: Health) -> &'static str {
    match health {
        Health::None => "none",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

/// An identifier as people see it: twelve digits.
pub(super) fn short_id(id: &str) -> String {
    id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn container(name: &str, stack: Option<&str>) -> Container {
        Container {
            id: format!("id-{name}"),
            name: name.to_owned(),
            state: ContainerState::Running,
            exit_code: None,
            status: String::new(),
            health: Health::None,
            image: "nginx:1.27".to_owned(),
            image_id: String::new(),
            command: String::new(),
            labels: BTreeMap::new(),
            ports: Vec::new(),
            networks: BTreeMap::new(),
            stack: stack.map(str::to_owned),
            customer: None,
            created_at: Timestamp::from_seconds(0),
        }
    }

    fn names(containers: &[Container]) -> Vec<&str> {
        containers.iter().map(|container| container.name.as_str()).collect()
    }

    #[test]
    fn names_are_sorted_as_people_count() {
        let list = ["web-10", "web-2", "Web-1", "db"].map(|name| container(name, None));

        let arranged = arrange(&list, &Filter::default(), Order::default(), true);

        assert_eq!(names(&arranged), ["db", "Web-1", "web-2", "web-10"]);
    }

    #[test]
    fn stacks_stay_together_and_what_has_none_comes_last() {
        let list = [
            container("a", None),
            container("z", Some("shop")),
            container("b", Some("shop")),
            container("c", Some("blog")),
        ];

        let arranged = arrange(&list, &Filter::default(), Order::read("-name"), true);
        let (lines, shown, total) = page_of(&arranged, true, &HashSet::new(), 1, 50);

        assert_eq!(names(&shown), ["c", "z", "b", "a"]);
        assert_eq!(total, 4);
        assert_eq!(lines.iter().filter(|line| matches!(line, Line::Group { .. })).count(), 3);
    }

    #[test]
    fn a_folded_stack_keeps_its_head_and_takes_no_room() {
        let list = [container("a", Some("shop")), container("b", Some("shop")), container("c", None)];
        let folded = HashSet::from(["shop".to_owned()]);

        let arranged = arrange(&list, &Filter::default(), Order::default(), true);
        let (lines, shown, total) = page_of(&arranged, true, &folded, 1, 50);

        assert_eq!(names(&shown), ["c"]);
        assert_eq!(total, 1);
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_list_with_everything_folded_still_shows_the_heads() {
        let list = [container("a", Some("shop")), container("b", Some("blog"))];
        let folded = HashSet::from(["shop".to_owned(), "blog".to_owned()]);

        let arranged = arrange(&list, &Filter::default(), Order::default(), true);
        let (lines, shown, total) = page_of(&arranged, true, &folded, 1, 50);

        assert_eq!((lines.len(), shown.len(), total), (2, 0, 0));
    }

    #[test]
    fn a_page_repeats_the_head_of_the_stack_it_begins_in() {
        let list: Vec<_> = (0..7).map(|n| container(&format!("web-{n}"), Some("shop"))).collect();

        let (lines, shown, total) = page_of(&list, true, &HashSet::new(), 2, 3);

        assert!(matches!(lines.first(), Some(Line::Group { count: 7, .. })));
        assert_eq!(names(&shown), ["web-3", "web-4", "web-5"]);
        assert_eq!(total, 7);
    }

    #[test]
    fn a_filter_looks_for_every_word_in_name_image_and_labels() {
        let mut labelled = container("db", None);
        labelled.labels.insert("team".to_owned(), "Blue".to_owned());
        let list = [container("web", None), labelled];

        let find = |words: &str| {
            let filter = Filter { words: words.to_owned(), ..Filter::default() };
            arrange(&list, &filter, Order::default(), false).len()
        };

        assert_eq!((find("nginx"), find("team=blue"), find("nginx db"), find("redis")), (2, 1, 1, 0));
    }

    #[test]
    fn a_port_is_told_once_for_both_families() {
        let port = |host_ip: &str, outside, inside, protocol: &str| PublishedPort {
            container_port: inside,
            host_port: outside,
            host_ip: Some(host_ip.to_owned()),
            protocol: protocol.to_owned(),
        };
        let ports = [
            port("0.0.0.0", Some(8443), 443, "tcp"),
            port("::", Some(8443), 443, "tcp"),
            port("127.0.0.1", Some(53), 53, "udp"),
            port("", None, 80, "tcp"),
        ];

        assert_eq!(port_texts(&ports), ["8443 → 443", "127.0.0.1:53/udp"]);
    }

    #[test]
    fn pressing_a_head_sorts_by_it_and_pressing_again_turns_round() {
        let usual = Order::read("");

        assert_eq!(usual.pressed(SortBy::Name), "-name");
        assert_eq!(usual.pressed(SortBy::Created), "created");
        assert_eq!(Order::read("created").pressed(SortBy::Created), "-created");
        assert_eq!(Order::read("-created").pressed(SortBy::Created), "created");
        assert_eq!(Order::read("nonsense"), usual);
    }
}
