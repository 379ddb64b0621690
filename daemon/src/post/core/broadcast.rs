//! Who is meant by `*` and `@users`.

use super::directory::Seat;
use super::{Core, NameId, Slot};

impl Core {
    /// Every reachable name but the sender's; with a topic only those that subscribed to it. Sessions cannot
    /// subscribe, so a topic never reaches them.
    pub(super) fn everyone(&self, sender: Slot, topic: Option<&str>) -> Vec<NameId> {
        let Some(sender) = self.conns.get(sender) else { return Vec::new() };
        let others = self.names.names_of(sender.principal.uid).filter(|(id, _)| *id != sender.name);
        let mut names: Vec<_> = match topic {
            None => others.filter(|(_, entry)| entry.reachable() || entry.is_session()).collect(),
            Some(topic) => others
                .filter(|(_, entry)| {
                    let subscribed = |slot| self.conns.get(slot).is_some_and(|conn| conn.subscribes(topic));
                    entry.conns.iter().any(|slot| entry.delivers_to(*slot) && subscribed(*slot))
                })
                .collect(),
        };
        names.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        names.into_iter().map(|(id, _)| id).collect()
    }

    /// Every connected person but the sender.
    pub(super) fn people(&self, sender: Slot) -> Vec<NameId> {
        let Some(sender) = self.conns.get(sender) else { return Vec::new() };
        let others = self.names.names_of(sender.principal.uid).filter(|(id, _)| *id != sender.name);
        let mut names: Vec<_> = others.filter(|(_, entry)| matches!(entry.seat, Seat::People(_))).collect();
        names.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        names.into_iter().map(|(id, _)| id).collect()
    }
}
