//! Waking machines: the magic packet that a sleeping network card waits for.

use crate::{
    authentication::server::{Operating, Permit, Reading},
    error::{Error, Result},
    i18n::td_string,
    id::Id,
    storage::{
        Machine, entry,
        item::{
            Fields,
            server::{audit, store},
        },
    },
};
use anyhow::Context as _;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;

/// The port that packets are sent to by custom: `discard`.
const PORT: u16 = 9;

/// Sends the magic packet for a machine to the broadcast address of its network, or to that of every network
/// that the server is in.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] at `mac` when the machine has none; [`Error::Unavailable`] when the
/// server's network does not take it.
pub async fn wake(permit: &Permit<Operating>, machine: Id<Machine>) -> Result<()> {
    let context = permit.context();
    let (state, locale) = (&context.state, context.locale);
    let kind = entry("machine").context("machines are stored")?.kind;
    let record = store::get(state, &context.permit::<Reading>("machine")?, kind, machine.cast(), false).await?;
    let text = |name: &str| record.item.get(name).and_then(Value::as_str);
    let Some(mac) = text("mac").and_then(bytes) else {
        return Err(Error::invalid("mac", td_string!(locale, machines.wake.no_mac)));
    };
    let broadcast = text("broadcast").and_then(|text| text.parse().ok()).unwrap_or(Ipv4Addr::BROADCAST);
    send(mac, (broadcast, PORT).into()).await.map_err(|error| {
        let message =
            td_string!(locale, machines.wake.refused, address = broadcast.to_string(), message = error.to_string());
        Error::unavailable("network", message)
    })?;
    let mut transaction = state.db.begin(permit).await?;
    let line = audit::Line {
        kind: "machine",
        record: &machine.to_string(),
        customer: record.base.customer,
        action: "wake",
        before: &Fields::new(),
        after: &Fields::new(),
    };
    audit::write(&mut transaction, permit, line).await?;
    transaction.commit().await?;
    Ok(())
}

/// Sends the packet that wakes the card with that address.
///
/// # Errors
/// When the network does not take it.
pub async fn send(mac: [u8; 6], to: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.set_broadcast(true)?;
    socket.send_to(&packet(mac), to).await.map(drop)
}

/// Six bytes of ones and sixteen times the address (AMD, *Magic Packet Technology*, 1995).
fn packet(mac: [u8; 6]) -> [u8; 102] {
    let mut packet = [0xff; 102];
    for place in packet[6..].chunks_exact_mut(6) {
        place.copy_from_slice(&mac);
    }
    packet
}

/// The bytes of a MAC address as it is stored: `aa:bb:cc:dd:ee:ff`.
pub fn bytes(mac: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = mac.split(':').map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<_, _>>().ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{bytes, packet};

    #[test]
    fn a_magic_packet_is_six_times_ones_and_sixteen_times_the_address() {
        let mac = bytes("02:00:00:aa:00:01").expect("it is an address");

        let packet = packet(mac);

        assert_eq!(packet[..6], [0xff; 6]);
        assert_eq!(packet.len(), 102);
        assert!(packet[6..].chunks(6).all(|part| part == [0x02, 0x00, 0x00, 0xaa, 0x00, 0x01]));
        assert_eq!((bytes(""), bytes("02:00"), bytes("xx:00:00:aa:00:01")), (None, None, None));
    }
}
