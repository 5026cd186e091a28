//! `GET /api/v3/contacts/id`: finds the member. The value of the search identifies a person and is
//! never printed (invariant 10).

use super::{Engage, get_ok, push_query};
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::secret::Secret;
use crate::transport::Call;
use std::sync::Arc;

/// A key by which a member can be found. Documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContactKey {
    Email,
    MobilePhone,
    SocialSecurityNumber,
    /// The member number or external id.
    CustomKey,
    Any,
}

impl ContactKey {
    const ALL: [ContactKey; 5] =
        [Self::Email, Self::MobilePhone, Self::SocialSecurityNumber, Self::CustomKey, Self::Any];

    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::MobilePhone => "mobilePhone",
            Self::SocialSecurityNumber => "socialSecurityNumber",
            Self::CustomKey => "customKey",
            Self::Any => "any",
        }
    }

    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|key| key.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.into_iter().map(Self::name).collect();
            Error::new(Code::BadKey, format!("key must be one of {}", names.join(", ")))
        })
    }
}

impl Engage {
    /// Returns the contact's id as Engage sent it: a JSON string that holds a GUID.
    pub fn contact(&self, key: ContactKey, value: &Secret, kind: Option<&str>, call: &Arc<Call>) -> Result<Vec<u8>> {
        let path = search(&self.api_mapping.contact_path, key, value.expose(), kind);
        super::shape::check_guid(get_ok(self, "contact", path, call)?, "contact's id")
    }
}

/// Returns the path of a search. It never grows: its earlier memory would keep a copy of the value.
fn search(base: &str, key: ContactKey, value: &str, kind: Option<&str>) -> String {
    const TYPE: &str = "contactType";
    // A byte is three characters at most.
    let room = |name: &str, value: &str| "?=".len() + name.len() + 3 * value.len();
    let kind_room = kind.map_or(0, |kind| room(TYPE, kind));
    let mut path = String::with_capacity(base.len() + room(key.name(), value) + kind_room);
    path.push_str(base);
    push_query(&mut path, key.name(), value);
    if let Some(kind) = kind {
        push_query(&mut path, TYPE, kind);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_one_name_for_both_ways() {
        for key in ContactKey::ALL {
            assert_eq!(ContactKey::parse(key.name()).ok(), Some(key));
        }
        let error = ContactKey::parse("phone").unwrap_err();
        assert_eq!(error.code(), Code::BadKey);
        assert!(error.message().contains("email, mobilePhone, socialSecurityNumber, customKey, any"));
    }

    #[test]
    fn search_never_grows() {
        let path = search("/contacts/id", ContactKey::Email, "åäö", Some("ö"));
        assert_eq!(path, "/contacts/id?email=%C3%A5%C3%A4%C3%B6&contactType=%C3%B6");
        assert_eq!(path.capacity(), path.len(), "the longest path just fits");
        let path = search("/contacts/id", ContactKey::Any, "å", None);
        assert_eq!((path.as_str(), path.capacity()), ("/contacts/id?any=%C3%A5", path.len()));
    }
}
