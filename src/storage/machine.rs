//! Machines: computers that are known, with their addresses.

use super::item::{Check, Choice, Field, Item, Kind, Shape, check};
use crate::{i18n::td_string, text};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a machine stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The machine that Muelle itself runs on.
    Local,
    /// Any other.
    #[default]
    Remote,
}

/// One computer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name, unique within the customer.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    #[serde(rename = "type")]
    pub place: Place,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// The hardware address of its network card.
    pub mac: Option<String>,
    /// The mask of its IPv4 network.
    pub netmask: Option<Ipv4Addr>,
    /// The broadcast address of its IPv4 network.
    pub broadcast: Option<Ipv4Addr>,
    /// The address of its IPv4 network.
    pub network: Option<Ipv4Addr>,
    /// Its way out.
    pub gateway: Option<Ipv4Addr>,
    /// The port of its SSH server; 22 when absent.
    pub ssh_port: Option<u16>,
    /// The user to sign in as over SSH.
    pub ssh_user: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl Item for Machine {
    const KIND: Kind = Kind::new(
        "machine",
        "machines",
        text!(records.machine.one),
        text!(records.machine.many),
        text!(records.machine.empty),
    )
    .per_customer()
    .importable()
    .fields(&[
        Field::line("name", text!(records.machine.name)).required().unique().searched().listed(),
        Field::lines("description", text!(records.machine.description)).searched(),
        Field::choice(
            "type",
            text!(records.machine.place),
            &[
                Choice { value: "local", label: text!(records.machine.place_local) },
                Choice { value: "remote", label: text!(records.machine.place_remote) },
            ],
        )
        .required()
        .listed(),
        Field::shaped("ipv4", text!(records.machine.ipv4), Shape::Ipv4).searched().listed(),
        Field::shaped("ipv6", text!(records.machine.ipv6), Shape::Ipv6).searched(),
        Field::shaped("mac", text!(records.machine.mac), Shape::Mac).hint(text!(records.machine.mac_hint)).searched(),
        Field::shaped("netmask", text!(records.machine.netmask), Shape::Ipv4).hint(text!(records.machine.netmask_hint)),
        Field::shaped("broadcast", text!(records.machine.broadcast), Shape::Ipv4),
        Field::shaped("network", text!(records.machine.network), Shape::Ipv4),
        Field::shaped("gateway", text!(records.machine.gateway), Shape::Ipv4),
        Field::shaped("ssh_port", text!(records.machine.ssh_port), Shape::Integer { min: 1, max: 65535 }),
        Field::line("ssh_user", text!(records.machine.ssh_user)),
        Field::shaped("tags", text!(records.machine.tags), Shape::Words)
            .hint(text!(records.machine.tags_hint))
            .searched()
            .listed(),
    ]);

    fn check(&mut self, check: &mut Check) {
        if self.ssh_user.as_deref().is_some_and(|user| !check::is_user_name(user)) {
            check.problem("ssh_user", td_string!(check.locale, errors.field.user));
        }
        match self.netmask {
            Some(netmask) => self.check_with_netmask(u32::from(netmask), check),
            None => self.check_without_netmask(check),
        }
    }
}

impl Machine {
    /// Network and broadcast address follow from address and netmask; what was given must be the same.
    fn check_with_netmask(&mut self, mask: u32, check: &mut Check) {
        let locale = check.locale;
        if mask.leading_ones() + mask.trailing_zeros() != 32 {
            check.problem("netmask", td_string!(locale, errors.field.netmask));
            return;
        }
        let prefix = mask.leading_ones();
        let Some(within) = self.ipv4.or(self.network).map(u32::from) else { return };
        let first = Ipv4Addr::from(within & mask);
        let last = Ipv4Addr::from(within | !mask);
        match self.network {
            None => self.network = Some(first),
            Some(given) if given == first => {}
            Some(_) => {
                let expected = first.to_string();
                let message = if self.ipv4.is_some() {
                    td_string!(locale, errors.field.network, expected = expected)
                } else {
                    td_string!(locale, errors.field.network_bits, expected = expected)
                };
                check.problem("network", message);
            }
        }
        match self.broadcast {
            None => self.broadcast = Some(last),
            Some(given) if given == last => {}
            Some(_) => {
                check.problem("broadcast", td_string!(locale, errors.field.broadcast, expected = last.to_string()));
            }
        }
        // A network of two addresses has neither its own nor a broadcast address (RFC 3021), one of a
        // single address has nothing else.
        let is_edge = |address: Ipv4Addr| prefix <= 30 && (address == first || address == last);
        if self.ipv4.is_some_and(is_edge) {
            check.problem("ipv4", td_string!(locale, errors.field.edge));
        }
        // From a network of one address every way out leads outside.
        if let Some(gateway) = self.gateway.filter(|_| prefix < 32) {
            if !(first..=last).contains(&gateway) {
                check.problem(
                    "gateway",
                    td_string!(locale, errors.field.outside, network = format!("{first}/{prefix}")),
                );
            } else if is_edge(gateway) {
                check.problem("gateway", td_string!(locale, errors.field.edge));
            }
        }
    }

    /// Network and broadcast address, where both are given, must be the ends of one network around the address.
    fn check_without_netmask(&self, check: &mut Check) {
        let (Some(first), Some(last)) = (self.network, self.broadcast) else { return };
        let locale = check.locale;
        let hosts = u32::from(first) ^ u32::from(last);
        let prefix = hosts.leading_zeros();
        let is_network = hosts.leading_zeros() + hosts.trailing_ones() == 32 && u32::from(first) & hosts == 0;
        if !is_network {
            check.problem("broadcast", td_string!(locale, errors.field.broadcast_range));
            return;
        }
        let network = format!("{first}/{prefix}");
        for (field, address) in [("ipv4", self.ipv4), ("gateway", self.gateway)] {
            if address.is_some_and(|address| !(first..=last).contains(&address)) {
                check.problem(field, td_string!(locale, errors.field.outside, network = network.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Machine, check::is_user_name};
    use crate::{
        i18n::Locale,
        storage::item::{Check, Item as _},
    };
    use std::net::Ipv4Addr;

    fn at(text: &str) -> Option<Ipv4Addr> {
        (!text.is_empty()).then(|| text.parse().expect("the test writes addresses"))
    }

    fn checked(ipv4: &str, netmask: &str, network: &str, broadcast: &str, gateway: &str) -> (Machine, Vec<String>) {
        let mut machine = Machine {
            ipv4: at(ipv4),
            netmask: at(netmask),
            network: at(network),
            broadcast: at(broadcast),
            gateway: at(gateway),
            ..Machine::default()
        };
        let mut check = Check::new(Locale::en, true);
        machine.check(&mut check);
        let problems = check.finish().err().map(|error| error.problems().to_vec()).unwrap_or_default();
        (machine, problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn network_and_broadcast_follow_from_address_and_netmask() {
        for (address, mask, network, broadcast) in [
            ("192.168.1.10", "255.255.255.0", "192.168.1.0", "192.168.1.255"),
            ("10.1.2.3", "255.240.0.0", "10.0.0.0", "10.15.255.255"),
            ("10.0.0.1", "255.255.255.254", "10.0.0.0", "10.0.0.1"),
            ("10.0.0.7", "255.255.255.255", "10.0.0.7", "10.0.0.7"),
        ] {
            let (machine, problems) = checked(address, mask, "", "", "");

            assert_eq!((machine.network, machine.broadcast), (at(network), at(broadcast)), "{address}/{mask}");
            assert!(problems.is_empty(), "{address}/{mask}: {problems:?}");
        }
    }

    #[test]
    fn a_contradiction_is_named_at_its_field() {
        let mask = "255.255.255.0";
        for (machine, field) in [
            (checked("10.0.0.5", "255.0.255.0", "", "", ""), "netmask"),
            (checked("10.0.0.5", mask, "10.0.1.0", "", ""), "network"),
            (checked("10.0.0.5", mask, "", "10.0.0.254", ""), "broadcast"),
            (checked("10.0.0.5", mask, "", "", "10.0.1.1"), "gateway"),
            (checked("10.0.0.5", mask, "", "", "10.0.0.255"), "gateway"),
            (checked("10.0.0.0", mask, "", "", ""), "ipv4"),
            (checked("", mask, "10.0.0.1", "", ""), "network"),
            (checked("10.0.0.5", "", "10.0.1.0", "10.0.1.255", ""), "ipv4"),
            (checked("", "", "10.0.1.0", "10.0.1.254", ""), "broadcast"),
        ] {
            assert_eq!(machine.1, [field]);
        }
    }

    #[test]
    fn a_user_name_is_never_an_option() {
        for good in ["root", "deploy-1", "ACME\\ada", "_apt", "a.b+c", "josé"] {
            assert!(is_user_name(good), "{good}");
        }
        for bad in ["", "-oProxyCommand=id", "@x", "/etc", "a b", "a@b", "a\"b", "{{ x }}", "a%h", "$(id)", "a;b"] {
            assert!(!is_user_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_lone_address_may_have_any_way_out() {
        assert!(checked("10.0.0.7", "255.255.255.255", "", "", "10.9.9.1").1.is_empty());
        assert!(checked("10.0.0.0", "255.255.255.254", "", "", "10.0.0.1").1.is_empty());
        assert_eq!(checked("10.0.0.0", "255.255.255.254", "", "", "10.0.0.2").1, ["gateway"]);
    }
}
