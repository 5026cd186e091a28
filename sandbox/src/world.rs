//! What Engage may do though it is not documented. A till must keep its promises in each of these
//! worlds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// The undocumented behaviour of a store. The default is the behaviour that Voyado documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct World {
    /// The time after which a purchase is in the member's history, in ms.
    pub history_lag_ms: u32,
    /// The history is a page of this many rows, in an object with the number of all rows. 0: the
    /// history is a list of all rows.
    pub history_page_rows: u32,
    /// A repeated purchase is checked for points, stock and promotion before its id is recognised.
    pub id_checked_last: bool,
    /// A purchase id that means another item already is rejected. By default its purchase is
    /// returned.
    pub id_bound_to_item: bool,
}

impl World {
    /// The worlds by name, and their consequences.
    pub const NAMED: [(&str, &str, World); 5] = [
        ("documented", "Engage as Voyado documents it", World::DOCUMENTED),
        (
            "late-history",
            "a purchase is in the history after 60 s",
            World { history_lag_ms: 60_000, ..World::DOCUMENTED },
        ),
        ("paged-history", "the history is one page of one row", World { history_page_rows: 1, ..World::DOCUMENTED }),
        (
            "id-checked-last",
            "points and stock are checked before the purchase id",
            World { id_checked_last: true, ..World::DOCUMENTED },
        ),
        (
            "id-bound-to-item",
            "a purchase id of another item is rejected",
            World { id_bound_to_item: true, ..World::DOCUMENTED },
        ),
    ];

    const DOCUMENTED: World =
        World { history_lag_ms: 0, history_page_rows: 0, id_checked_last: false, id_bound_to_item: false };

    /// Returns the world with this name.
    pub fn named(name: &str) -> Option<World> {
        World::NAMED.iter().find(|(known, ..)| *known == name).map(|(.., world)| *world)
    }

    /// Returns the name of this world. `None`: it is a mixture.
    pub fn name(self) -> Option<&'static str> {
        World::NAMED.iter().find(|(.., world)| *world == self).map(|(name, ..)| *name)
    }

    /// Returns the body of a member's history, the newest first.
    pub(crate) fn history(self, mut rows: Vec<Value>) -> Value {
        if self.history_page_rows == 0 {
            return rows.into();
        }
        let total = rows.len();
        rows.truncate(usize::try_from(self.history_page_rows).unwrap_or(usize::MAX));
        json!({ "items": rows, "totalCount": total, "offset": 0, "count": rows.len() })
    }
}

/// How a member has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Departure {
    /// The member was merged into another one, which has the points, purchases and rewards now.
    MergedInto(Uuid),
    /// The member was erased.
    Erased,
}

/// The departure of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemberDeparture {
    /// The member who leaves.
    pub contact_id: Uuid,
    /// The member into which it is merged. Without one it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Uuid>,
}
