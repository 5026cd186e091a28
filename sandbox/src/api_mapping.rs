//! The API mapping of a store: the names that Voyado's public documentation leaves open.
//! The keys are those of the till's setting `apiMapping`, so that one object configures both sides.
//! API mappings differ in names only; the semantics are always the same.

use hyper::header::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ledger::{Assignment, Invalid, Item, Purchase, Status};

/// The assumed names of Engage's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiMapping {
    /// The header that carries the key. `None`: `apikey` or `x-api-key`, which are both documented.
    pub key_header: Option<String>,
    /// The field of a purchase request, and of a purchase, that names the item.
    pub item_id_field: String,
    /// The fields of a purchase that carry the till's purchase id. The sandbox uses the first name
    /// of this list and of the lists below; a till may read several.
    pub purchase_id_fields: Vec<String>,
    /// The field of a purchase that carries the status.
    pub status_field: String,
    /// The status of a purchase whose points are deducted and whose reward is assigned.
    pub status_completed: String,
    /// The status of a purchase whose points are held and not yet deducted.
    pub status_processing: String,
    /// The status of a purchase without a deduction.
    pub status_failed: String,
    /// The path that lists a member's rewards. `{contactId}` and `{channel}` replace a path segment
    /// or the value of a query parameter.
    pub rewards_path: String,
    /// The fields of a purchase and of a reward that name the reward's template.
    pub promotion_id_fields: Vec<String>,
    /// The fields of a purchase that name its reward. Empty: no field does.
    pub assignment_id_fields: Vec<String>,
    /// The fields of a purchase that carry its time.
    pub created_on_fields: Vec<String>,
    /// The fields of a reward that carry whether it is redeemed.
    pub redeemed_fields: Vec<String>,
    /// The fields of a reward that carry the time of its redeem.
    pub redeemed_on_fields: Vec<String>,
    /// The fields of a reward that carry its title.
    pub title_fields: Vec<String>,
    /// The fields of a reward that carry its description.
    pub description_fields: Vec<String>,
    /// The fields of a reward that carry its expiry.
    pub expires_on_fields: Vec<String>,
    /// The fields of a reward that carry its barcode, if the reward has one.
    pub barcode_fields: Vec<String>,
    /// Whether rewards and point accounts have the envelope
    /// `{"items": […], "totalCount", "offset", "count"}`.
    pub envelope: bool,
}

impl Default for ApiMapping {
    fn default() -> ApiMapping {
        let field = |name: &str| vec![name.to_owned()];
        ApiMapping {
            key_header: None,
            item_id_field: "pointShopItemId".to_owned(),
            purchase_id_fields: field("pointShopItemPurchaseId"),
            status_field: "status".to_owned(),
            status_completed: "Completed".to_owned(),
            status_processing: "Processing".to_owned(),
            status_failed: "Failed".to_owned(),
            rewards_path: "/api/v3/promotion-assignments?contactId={contactId}&redemptionChannelType={channel}"
                .to_owned(),
            promotion_id_fields: field("promotionId"),
            assignment_id_fields: Vec::new(),
            created_on_fields: field("createdOn"),
            redeemed_fields: field("redeemed"),
            redeemed_on_fields: field("redeemedOn"),
            title_fields: field("heading"),
            description_fields: field("description"),
            expires_on_fields: field("expiresOn"),
            barcode_fields: field("barcode"),
            envelope: false,
        }
    }
}

impl ApiMapping {
    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.key_header.as_ref().is_some_and(|name| HeaderName::try_from(name).is_err()) {
            return Err(Invalid::new("keyHeader", "is not the name of an HTTP header"));
        }
        if !self.rewards_path.starts_with("/api/") || !self.rewards_path.contains("{contactId}") {
            return Err(Invalid::new("rewardsPath", "must start with /api/ and contain {contactId}"));
        }
        let needed = [
            ("purchaseIdFields", &self.purchase_id_fields),
            ("promotionIdFields", &self.promotion_id_fields),
            ("createdOnFields", &self.created_on_fields),
            ("redeemedFields", &self.redeemed_fields),
            ("redeemedOnFields", &self.redeemed_on_fields),
            ("titleFields", &self.title_fields),
            ("descriptionFields", &self.description_fields),
            ("expiresOnFields", &self.expires_on_fields),
        ];
        match needed.into_iter().find(|(_, names)| names.is_empty()) {
            Some((field, _)) => Err(Invalid::new(field, "names no field")),
            None => Ok(()),
        }
    }

    /// Returns the headers that may carry the key.
    pub(crate) fn key_headers(&self) -> Vec<&str> {
        self.key_header.as_deref().map_or_else(|| vec!["apikey", "x-api-key"], |name| vec![name])
    }

    /// Returns the contact and the channel of a request that lists a member's rewards.
    pub(crate) fn rewards_request<'a>(&self, path: &'a str, query: &'a Query) -> Option<RewardsRequest<'a>> {
        let (path_template, query_template) = self.rewards_path.split_once('?').unwrap_or((&self.rewards_path, ""));
        let mut asked = RewardsRequest::default();
        let mut steps = path.split('/');
        for template in path_template.split('/') {
            let step = steps.next()?;
            match template {
                "{contactId}" => asked.contact = Some(step),
                "{channel}" => asked.channel = Some(step),
                fixed => (fixed == step).then_some(())?,
            }
        }
        for parameter in query_template.split('&') {
            match parameter.split_once('=') {
                Some((name, "{contactId}")) => asked.contact = query.get(name),
                Some((name, "{channel}")) => asked.channel = query.get(name),
                _ => {}
            }
        }
        steps.next().is_none().then_some(asked)
    }

    /// Returns the query parameters that hold ids, and those that hold fixed values.
    pub(crate) fn harmless_parameters(&self) -> [Vec<&str>; 2] {
        let (mut ids, mut fixed) = (vec!["contactId"], vec!["redemptionChannelType", "contactType"]);
        for parameter in self.rewards_path.split(['?', '&']) {
            match parameter.split_once('=') {
                Some((name, "{contactId}")) => ids.push(name),
                Some((name, "{channel}")) => fixed.push(name),
                _ => {}
            }
        }
        [ids, fixed]
    }

    /// Returns the JSON of a purchase.
    pub(crate) fn purchase(&self, purchase: &Purchase) -> Value {
        let status = match purchase.status {
            Status::Processing => &self.status_processing,
            Status::Completed => &self.status_completed,
            Status::Failed => &self.status_failed,
        };
        let mut body = json!({ "id": purchase.id, "contactId": purchase.contact_id, "cost": purchase.cost });
        body[self.item_id_field.as_str()] = json!(purchase.item_id);
        body[self.status_field.as_str()] = json!(status);
        put(&mut body, &self.purchase_id_fields, json!(purchase.purchase_id));
        put(&mut body, &self.promotion_id_fields, json!(purchase.promotion_id));
        put(&mut body, &self.assignment_id_fields, json!(purchase.assignment_id));
        put(&mut body, &self.created_on_fields, json!(purchase.created_on));
        body
    }

    /// Returns the JSON of a reward. Voyado documents it for v2. The sandbox assumes the same for
    /// v3 and for a redeem.
    pub(crate) fn reward(&self, assignment: &Assignment, item: &Item) -> Value {
        let channels = item.reward.redemption_channels.iter().map(|channel| {
            json!({
                "type": channel.channel,
                "valueType": channel.value_type,
                "value": channel.value,
                "localValues": null,
                "instruction": channel.instruction,
            })
        });
        let mut body = json!({
            "id": assignment.id,
            "externalId": item.reward.external_id,
            "type": "OFFER",
            "name": item.name,
            "imageUrl": item.presentation.image_url,
            "link": item.presentation.link,
            "redemptionChannels": channels.collect::<Value>(),
        });
        put(&mut body, &self.promotion_id_fields, json!(item.promotion_id));
        put(&mut body, &self.title_fields, json!(item.reward.heading));
        put(&mut body, &self.description_fields, json!(item.reward.description));
        put(&mut body, &self.expires_on_fields, json!(item.reward.expires_on));
        put(&mut body, &self.redeemed_fields, json!(assignment.redeemed_on.is_some()));
        put(&mut body, &self.redeemed_on_fields, json!(assignment.redeemed_on));
        if let Some(barcode) = &item.reward.barcode {
            put(&mut body, &self.barcode_fields, json!(barcode));
        }
        body
    }

    /// Returns the JSON of a list, with or without an envelope.
    pub(crate) fn list(&self, list: Vec<Value>) -> Value {
        match self.envelope {
            true => {
                let count = list.len();
                json!({ "items": list, "totalCount": count, "offset": 0, "count": count })
            }
            false => Value::Array(list),
        }
    }
}

/// Sets the first field of a list of names. Does nothing if the list is empty.
fn put(body: &mut Value, names: &[String], value: Value) {
    if let Some(name) = names.first() {
        body[name.as_str()] = value;
    }
}

/// The parameters of a request for a member's rewards, not yet checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RewardsRequest<'a> {
    pub contact: Option<&'a str>,
    pub channel: Option<&'a str>,
}

/// A parsed query string. Names are compared without regard to case.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(query: Option<&str>) -> Query {
        Query(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rewards_path_is_matched_in_path_and_query() {
        let query = Query::parse(Some("contact=c&kind=POS"));
        for (template, path, contact, channel) in [
            ("/api/v3/r?contact={contactId}", "/api/v3/r", Some("c"), None),
            ("/api/v3/m/{contactId}/r?kind={channel}", "/api/v3/m/x/r", Some("x"), Some("POS")),
            ("/api/v3/{channel}/{contactId}", "/api/v3/ECOM/x", Some("x"), Some("ECOM")),
            ("/api/v3/r?contactId={contactId}", "/api/v3/r", None, None),
        ] {
            let api_mapping = ApiMapping { rewards_path: template.to_owned(), ..ApiMapping::default() };
            let asked = api_mapping.rewards_request(path, &query);
            assert_eq!(asked, Some(RewardsRequest { contact, channel }), "{template}");
            assert_eq!(api_mapping.rewards_request("/api/v3", &query), None, "{template}");
            assert_eq!(api_mapping.rewards_request(&format!("{path}/more"), &query), None, "{template}");
        }
    }
}
