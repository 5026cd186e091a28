//! The contents of a store at its start: the demo's members and items, or those of a JSON file.
//! An invalid file is rejected with the line and the field of the mistake.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::ledger::{Invalid, Item, Ledger, Member};
use crate::nearest::nearest;

/// The members and items of a store at its start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The members.
    #[serde(default, deserialize_with = "each_once")]
    pub members: Vec<Member>,
    /// The items.
    #[serde(default, deserialize_with = "each_once")]
    pub items: Vec<Item>,
}

impl Seed {
    /// Returns a seed without members and items.
    pub fn empty() -> Seed {
        Seed::default()
    }

    /// Parses `{"members": [...], "items": [...]}`.
    pub fn from_json(json: &str) -> Result<Seed, BadJson> {
        from_json(json.as_bytes())
    }

    /// Returns the ledger of a store with this seed.
    pub(crate) fn ledger(&self) -> Result<Ledger, Invalid> {
        let mut ledger = Ledger::default();
        for member in &self.members {
            ledger.add_member(member.clone())?;
        }
        for item in &self.items {
            ledger.add_item(item.clone())?;
        }
        Ok(ledger)
    }
}

/// Invalid JSON or YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadJson {
    /// The reason.
    pub why: String,
    /// The field, such as `items[2].cost`; empty: the whole document.
    pub field: String,
    /// The line, from 1; 0: unknown.
    pub line: usize,
}

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for BadJson {}

/// Parses a whole JSON document. The error names the line and the field.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, BadJson> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let bad = bad_json(error.inner());
        let missing = bad.why.strip_prefix("missing field `").and_then(|name| name.strip_suffix('`'));
        let path = Some(error.path().to_string()).filter(|path| path != ".");
        let field = [path.as_deref(), missing].into_iter().flatten().collect::<Vec<_>>().join(".");
        BadJson { field, ..bad }
    })?;
    reader.end().map_err(|error| bad_json(&error))?;
    Ok(value)
}

/// Parses a whole YAML document. The error names the line and the field.
pub(crate) fn from_yaml<T: DeserializeOwned + Default>(text: &str) -> Result<T, BadJson> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    let mut field = String::new();
    let read = serde_saphyr::with_deserializer_from_str(text, |reader| {
        serde_path_to_error::deserialize(reader).map_err(|error| {
            field = Some(error.path().to_string()).filter(|path| path != ".").unwrap_or_default();
            error.into_inner()
        })
    });
    read.map_err(|error| {
        let why = error.without_snippet().to_string();
        // The place is the error's own field.
        let why = with_nearest(why.lines().next().unwrap_or(&why).split(" at line ").next().unwrap_or(&why));
        let line = error.location().map_or(0, |location| location.line());
        BadJson { why, field, line: usize::try_from(line).unwrap_or_default() }
    })
}

fn bad_json(error: &serde_json::Error) -> BadJson {
    let why = error.to_string();
    let why = with_nearest(why.split(" at line ").next().unwrap_or(&why));
    BadJson { why, field: String::new(), line: error.line() }
}

/// Adds the nearest of the expected names to the error of a name that is unknown.
fn with_nearest(why: &str) -> String {
    let parts = why.split_once(", expected ").filter(|(unknown, _)| unknown.starts_with("unknown "));
    let nearest = parts.and_then(|(unknown, expected)| {
        // JSON and YAML differ in the quotes.
        let names = expected.trim_start_matches("one of ").split(", ").flat_map(|names| names.split(" or "));
        let nearest = nearest(unknown.split('`').nth(1)?, names.map(|name| name.trim_matches('`')))?;
        Some(format!("{unknown}. Did you mean `{nearest}`? Expected {expected}"))
    });
    nearest.unwrap_or_else(|| why.to_owned())
}

/// An element of a seed, checked while it is parsed, so that an error names its line.
trait Listed: DeserializeOwned {
    const ID: &str;
    fn id(&self) -> Uuid;
    fn check(&self) -> Result<(), Invalid>;
}

impl Listed for Member {
    const ID: &str = "contactId";

    fn id(&self) -> Uuid {
        self.contact_id
    }

    fn check(&self) -> Result<(), Invalid> {
        Member::check(self)
    }
}

impl Listed for Item {
    const ID: &str = "id";

    fn id(&self) -> Uuid {
        self.id
    }

    fn check(&self) -> Result<(), Invalid> {
        Item::check(self)
    }
}

fn each_once<'de, D: Deserializer<'de>, T: Listed>(deserializer: D) -> Result<Vec<T>, D::Error> {
    /// Parses a list.
    struct All<T>(PhantomData<T>);

    impl<'de, T: Listed> Visitor<'de> for All<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let (mut list, mut ids) = (Vec::new(), HashSet::new());
            while let Some(listed) = seq.next_element_seed(New(&mut ids, PhantomData))? {
                list.push(listed);
            }
            Ok(list)
        }
    }

    /// Parses an element whose id is not in this set.
    struct New<'a, T>(&'a mut HashSet<Uuid>, PhantomData<T>);

    impl<'de, T: Listed> DeserializeSeed<'de> for New<'_, T> {
        type Value = T;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
            let listed = T::deserialize(deserializer)?;
            listed.check().map_err(de::Error::custom)?;
            if self.0.insert(listed.id()) {
                Ok(listed)
            } else {
                Err(de::Error::custom(format_args!("{}: {} is used twice", T::ID, listed.id())))
            }
        }
    }

    deserializer.deserialize_seq(All(PhantomData))
}

/// The demo store. Its ids never change.
pub mod demo {
    use serde_json::json;
    use uuid::{Uuid, uuid};

    use super::Seed;
    use crate::clock::Time;
    use crate::ledger::{
        Behaviour, Channel, Ending, Item, Member, Presentation, ProcessingResponse, PromotionState, RedemptionChannel,
        Reward, ValueType,
    };
    use crate::{magic, pictures};

    /// Astrid Lind, 1200 points.
    pub const ASTRID: Uuid = uuid!("a0000000-0000-4000-8000-000000000001");
    /// Björn Åkesson, 80 points.
    pub const BJORN: Uuid = uuid!("a0000000-0000-4000-8000-000000000002");
    /// Elsa Ek, 5000 points. Only she is offered the rewards with pictures.
    pub const ELSA: Uuid = uuid!("a0000000-0000-4000-8000-000000000004");
    /// Load Test, 100 000 points.
    pub const LOAD: Uuid = uuid!("a0000000-0000-4000-8000-000000000003");

    /// Free coffee, 100 points.
    pub const COFFEE: Uuid = uuid!("b0000000-0000-4000-8000-000000000001");
    /// Tote bag, 500 points.
    pub const TOTE_BAG: Uuid = uuid!("b0000000-0000-4000-8000-000000000002");
    /// Gift card of 100 kr, 1000 points.
    pub const GIFT_CARD: Uuid = uuid!("b0000000-0000-4000-8000-000000000003");
    /// The sale has ended.
    pub const EXPIRED: Uuid = uuid!("b0000000-0000-4000-8000-000000000004");
    /// The sale has not started.
    pub const NOT_STARTED: Uuid = uuid!("b0000000-0000-4000-8000-000000000005");
    /// Only Björn may buy it.
    pub const ONLY_BJORN: Uuid = uuid!("b0000000-0000-4000-8000-000000000006");
    /// The item's promotion was removed.
    pub const PROMOTION_REMOVED: Uuid = uuid!("b0000000-0000-4000-8000-000000000007");
    /// The item's promotion has expired.
    pub const PROMOTION_EXPIRED: Uuid = uuid!("b0000000-0000-4000-8000-000000000008");
    /// A purchase returns `Processing` and completes after 1.5 s.
    pub const SLOW: Uuid = uuid!("b0000000-0000-4000-8000-000000000009");
    /// A purchase fails.
    pub const FAILS: Uuid = uuid!("b0000000-0000-4000-8000-00000000000a");
    /// A purchase returns `PointShopItemPurchaseProcessingTimedOut` and completes after 1 s.
    pub const TIMES_OUT: Uuid = uuid!("b0000000-0000-4000-8000-00000000000b");

    /// The items with pictures follow this id.
    const PICTURED: Uuid = uuid!("b0000000-0000-4000-8000-000000000050");

    const YEAR_2020: Time = Time::from_millis(1_577_836_800_000);
    const YEAR_2021: Time = Time::from_millis(1_609_459_200_000);
    const YEAR_2099: Time = Time::from_millis(4_070_908_800_000);
    const YEAR_2100: Time = Time::from_millis(4_102_444_800_000);

    impl Seed {
        /// Returns three members, an item for each documented case, and the magic values.
        pub fn demo() -> Seed {
            Seed { members: members(), items: items() }
        }
    }

    fn members() -> Vec<Member> {
        let member = |contact_id, name: &str, first: &str, number: u32, points| Member {
            contact_id,
            name: name.to_owned(),
            email: Some(format!("{first}@example.com")),
            mobile_phone: Some(format!("+4670{}", 1_233_566 + number)),
            social_security_number: None,
            custom_key: Some(number.to_string()),
            points,
            ..Member::default()
        };
        let mut members = vec![
            member(ASTRID, "Astrid Lind", "astrid", 1001, 1200),
            member(BJORN, "Björn Åkesson", "bjorn", 1002, 80),
            member(LOAD, "Load Test", "load", 1003, 100_000),
            member(ELSA, "Elsa Ek", "elsa", 1004, 5000),
        ];
        members.extend(magic::members(|id, name, first, number| member(id, name, first, number, 100_000)));
        members
    }

    fn items() -> Vec<Item> {
        let slow = |for_ms, response| Behaviour::Processing { for_ms, response, ends: Ending::Completed };
        let gift_card = RedemptionChannel {
            channel: Channel::Pos,
            value_type: ValueType::Money,
            value: json!({ "amount": 100, "currency": "SEK" }),
            instruction: Some("Take 100 kr off the receipt".to_owned()),
        };
        let mut items = vec![
            item(COFFEE, "Free coffee", 100),
            item(TOTE_BAG, "Tote bag", 500),
            item(GIFT_CARD, "Gift card 100 kr", 1000),
            Item { valid_to: Some(YEAR_2021), ..item(EXPIRED, "Summer sale 2020", 50) },
            Item { valid_from: YEAR_2099, ..item(NOT_STARTED, "New Year 2099", 50) },
            Item { eligible: Some(vec![BJORN]), ..item(ONLY_BJORN, "Birthday cake", 50) },
            Item { promotion: PromotionState::Removed, ..item(PROMOTION_REMOVED, "Removed promotion", 50) },
            Item { promotion: PromotionState::Expired, ..item(PROMOTION_EXPIRED, "Expired promotion", 50) },
            Item { behaviour: slow(1500, ProcessingResponse::Processing), ..item(SLOW, "Slow cinema ticket", 50) },
            Item { behaviour: Behaviour::Fails, ..item(FAILS, "Fails every time", 50) },
            Item {
                behaviour: slow(1000, ProcessingResponse::TimedOut),
                ..item(TIMES_OUT, "Times out, then completes", 50)
            },
        ];
        items[2].reward.redemption_channels = vec![gift_card];
        items.extend(pictured());
        items.extend(magic::items(|id, name| item(id, name, 10)));
        items
    }

    /// The rewards with pictures: picture, title, text, cost, type of value, value as JSON, and the
    /// code to scan.
    #[rustfmt::skip]
    const REWARDS: [(&str, &str, &str, u32, ValueType, &str, &str); 5] = [
        ("cinnamon-bun", "Kanelbulle", "Nybakad kanelbulle. / A freshly baked cinnamon bun.", 60, ValueType::Manual, "\"Give one bun\"", "7350053850019"),
        ("discount", "20 % rabatt", "20 % på ett köp. / 20 % off one purchase.", 300, ValueType::Percent, "20", "7350053850026"),
        ("car-wash", "Biltvätt 50 kr", "50 kr av en biltvätt. / 50 kr off a car wash.", 250, ValueType::Money, r#"{"amount": 50, "currency": "SEK"}"#, "7350053850033"),
        ("spa", "Spadag", "Kod hos vår partner. / A code at our partner.", 2500, ValueType::ExternalOffer, "\"SPA-7C1F2E\"", "https://example.com/r/7c1f2e"),
        ("tasting", "Vinprovning", "Visa medlemskortet. / Swipe the member card.", 900, ValueType::Swipe, "null", "VIN-0900-2099"),
    ];

    /// Returns the rewards with pictures.
    fn pictured() -> Vec<Item> {
        let reward = |(picture, title, text, cost, value_type, value, code): (_, _, &str, _, _, _, &str), id| {
            let base = item(id, title, cost);
            let value = serde_json::from_str(value).unwrap_or_default();
            let channel = RedemptionChannel { channel: Channel::Pos, value_type, value, instruction: None };
            let (description, image_url) = (Some(text.to_owned()), Some(pictures::path(picture)));
            Item {
                shown_to: Some(vec![ELSA]),
                presentation: Presentation { description: description.clone(), image_url, ..base.presentation },
                reward: Reward {
                    description,
                    barcode: Some(code.to_owned()),
                    expires_on: Some(YEAR_2099),
                    redemption_channels: vec![channel],
                    ..base.reward
                },
                ..base
            }
        };
        REWARDS.into_iter().zip(1..).map(|(row, at)| reward(row, Uuid::from_u128(PICTURED.as_u128() + at))).collect()
    }

    /// The promotion's id is the item's id with `c` in place of `b`.
    fn item(id: Uuid, name: &str, cost: u32) -> Item {
        let promotion_id = Uuid::from_u128(id.as_u128() ^ (0x7 << 124));
        let text = Some(name.to_owned());
        Item {
            id,
            promotion_id,
            valid_from: YEAR_2020,
            valid_to: Some(YEAR_2100),
            presentation: Presentation { title: text.clone(), description: text.clone(), ..Presentation::default() },
            reward: Reward { description: text, ..Item::new(name, cost).reward },
            ..Item::new(name, cost)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(json: &str) -> String {
        Seed::from_json(json).unwrap_err().to_string()
    }

    #[test]
    fn the_demo_seed_read_from_a_file_is_unchanged() {
        let json = serde_json::to_string(&Seed::demo()).unwrap();
        let seed = Seed::from_json(&json).unwrap();
        assert_eq!(seed.members, Seed::demo().members);
        assert_eq!(seed.items, Seed::demo().items);
    }

    #[test]
    fn an_invalid_seed_is_rejected_with_its_line_and_field() {
        let id = demo::COFFEE;
        let item = format!(r#""id": "{id}", "name": "a", "cost": 1, "promotionId": "{id}""#);
        for (json, expected) in [
            ("{\n\"member\": []}".to_owned(), "line 2: member: unknown field `member`"),
            ("{\"members\": [\n{\"name\": \"a\"}]}".to_owned(), "line 2: members[0].contactId: missing field"),
            ("{\"members\": [\n{\"points\": -1}]}".to_owned(), "line 2: members[0].points: invalid value"),
            ("{\"members\": [".to_owned(), "line 1: members: EOF"),
            ("{}\n{}".to_owned(), "line 2: trailing characters"),
            (format!("{{\"items\": [\n{{{item}}},\n{{{item}}}]}}"), "line 3: items[1]: id: b0000000"),
            (format!("{{\"items\": [\n{{{item},\n\"validFrom\": \"soon\"}}]}}"), "line 3: items[0].validFrom: `soon`"),
            (
                format!(
                    "{{\"items\": [{{{item},\n\"validFrom\": \"2020-01-01T00:00:00Z\",\n\"validTo\": \"2019-01-01T00:00:00Z\"}}]}}"
                ),
                "line 3: items[0]: validTo: is earlier than validFrom",
            ),
        ] {
            let error = rejected(&json);
            assert!(error.starts_with(expected), "{json}\n{error}\nis not\n{expected}");
        }
    }
}
