//! The till in the browser: it sells through the library, as a POS does. Its journal is in a
//! temporary folder, unless a person names a file.
//! Every method that calls the library blocks.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engage_point_shop::{AssignmentId, Client, ContactId, Error, ItemId, OperationId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::Place;

/// The longest wait of the cashier, in ms. The other times are short too, so that a person sees the
/// end of a pending sale.
const WAIT_MS: u32 = 3000;

/// A till with its client.
pub(crate) struct Till {
    /// `None` after a restart that failed.
    client: Mutex<Option<Arc<Client>>>,
    config: Value,
    session: Mutex<Session>,
    /// Dropped last, after the client has closed its journal.
    _folder: Option<TempDir>,
}

impl std::fmt::Debug for Till {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Till").finish_non_exhaustive()
    }
}

/// What the till's screen shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub member: Option<Member>,
    /// The problem object of a search that failed.
    pub problem: Option<Value>,
    pub sale: Option<Sale>,
    pub receipt: Option<Receipt>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub contact: ContactId,
    pub points: Option<f64>,
    /// The offers as Engage sent them.
    pub offers: Vec<Value>,
}

/// A sale, and its outcome when the call returned.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub reference: String,
    pub contact: ContactId,
    pub item: ItemId,
    pub title: String,
    /// The problem object or the operation object that the last press returned.
    pub result: Value,
    /// The outcome of the use of the reward on this receipt.
    pub redeem: Option<Value>,
}

/// A printed receipt.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// The operation object of the purchase.
    pub operation: Value,
    /// The result of `find_reward`, or the problem object.
    pub reward: Value,
    pub title: String,
    /// The member's points after the purchase, if they could be read.
    pub points: Option<f64>,
}

/// Everything that the page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Screen {
    pub session: Session,
    /// The operations of the journal, the newest first.
    pub journal: Vec<Value>,
    /// Why the journal cannot be read.
    pub closed: Option<String>,
    pub config: Value,
}

impl Till {
    /// Opens a till for a store of the sandbox.
    pub fn open(place: &Place, key: &str, journal: Option<&Path>) -> Result<Till, String> {
        let folder = match journal {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("engage-till-").tempdir().map_err(|error| error.to_string())?),
        };
        let beside = folder.as_ref().map(|folder| folder.path().join("journal.db"));
        let config = json!({
            "baseUrl": place.https,
            "apiKey": key,
            "caFile": place.ca_file,
            "systemTrust": false,
            "userAgent": "BrowserTill/1.0",
            "journalPath": journal.or(beside.as_deref()),
            // Another start of the sandbox has other ports.
            "tenant": format!("sandbox {key}"),
            "waitMs": WAIT_MS,
            "requestTimeoutMs": 5000,
            "retryScheduleMs": [1000, 2000, 4000],
            "startupJitterMs": 0,
            "historyLagMs": 0,
        });
        let client = open(&config)?;
        Ok(Till { client: Mutex::new(Some(client)), config, session: Mutex::default(), _folder: folder })
    }

    /// Closes the till and opens it again on the same journal.
    pub fn restart(&self) -> Result<(), String> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.take() {
            client.close();
        }
        *client = Some(open(&self.config)?);
        *self.session() = Session::default();
        Ok(())
    }

    /// Finds a member by a search key, and lists the points and the offers.
    pub fn find(&self, text: &str) -> Result<(), String> {
        let (client, text) = (self.client()?, text.trim());
        let found = match ContactId::parse(text, "member") {
            Ok(contact) => Ok(contact),
            Err(_) => client.find_contact(key_of(text), text, None).and_then(|contact| {
                let id = parse(&contact);
                ContactId::parse(id.as_str().unwrap_or_default(), "contactId").map_err(Error::from)
            }),
        };
        let (member, problem) = match found.and_then(|contact| load(&client, contact)) {
            Ok(member) => (Some(member), None),
            Err(error) => (None, Some(parse(&error.to_json()))),
        };
        *self.session() = Session { member, problem, ..Session::default() };
        Ok(())
    }

    /// Buys an item for the member on a new receipt.
    pub fn buy(&self, item: &str) -> Result<(), String> {
        let item = ItemId::parse(item, "item").map_err(|_| "the item is not a GUID")?;
        let member = self.session().member.clone().ok_or("no member is found")?;
        let offer = member.offers.iter().find(|offer| offer["id"] == item.to_string());
        let title = offer.map(title_of).unwrap_or_default();
        let reference = format!("R-{}", 1001 + self.journal()?.len());
        self.press(Sale { reference, contact: member.contact, item, title, result: Value::Null, redeem: None })
    }

    /// Presses the same sale again.
    pub fn press_again(&self) -> Result<(), String> {
        let sale = self.session().sale.clone().ok_or("there is no sale")?;
        self.press(sale)
    }

    fn press(&self, sale: Sale) -> Result<(), String> {
        let client = self.client()?;
        let options = json!({ "reference": sale.reference, "snapshotRewards": true }).to_string();
        let result = match client.purchase(sale.contact, sale.item, Some(&options)) {
            Ok(operation) => parse(&operation),
            Err(error) => parse(&error.to_json()),
        };
        let (id, outcome) = (result["operationId"].as_str().map(str::to_owned), result["outcome"].clone());
        {
            let mut session = self.session();
            (session.sale, session.receipt) = (Some(Sale { result, ..sale }), None);
        }
        match id {
            Some(id) if outcome == "completed" => self.print(&id),
            // The cashier has read the outcome. A pending one is acknowledged once it is known.
            Some(id) if outcome == "declined" => self.acknowledge(&id),
            _ => Ok(()),
        }
    }

    /// Prints the receipt of a completed purchase with its reward, and acknowledges the purchase.
    pub fn print(&self, operation: &str) -> Result<(), String> {
        let (client, id) = (self.client()?, operation_id(operation)?);
        let operation = parse(&client.get_operation(id).map_err(|error| error.to_string())?);
        if operation["outcome"] != "completed" || operation["kind"] != "purchase" {
            return Err("only a completed purchase has a receipt".to_owned());
        }
        let reward = match client.find_reward(id, None) {
            Ok(reward) => parse(&reward),
            Err(error) => parse(&error.to_json()),
        };
        let contact = ContactId::parse(operation["contactId"].as_str().unwrap_or_default(), "contactId").ok();
        let points = contact.and_then(|contact| points(&client, contact));
        {
            let mut session = self.session();
            let sale = session.sale.as_ref().filter(|sale| operation["reference"] == sale.reference.as_str());
            let title = sale.map(|sale| sale.title.clone()).unwrap_or_default();
            let title = reward["receipt"]["title"].as_str().map_or(title, str::to_owned);
            if let Some(member) = session.member.as_mut().filter(|member| Some(member.contact) == contact) {
                member.points = points;
            }
            session.receipt = Some(Receipt { operation, reward, title, points });
        }
        client.acknowledge(id).map(drop).map_err(|error| error.to_string())
    }

    /// Uses the printed reward on its receipt.
    pub fn redeem(&self) -> Result<(), String> {
        let (client, receipt) = (self.client()?, self.session().receipt.clone().ok_or("no receipt is printed")?);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reward = AssignmentId::parse(&text(&receipt.reward["assignmentId"]), "assignmentId");
        let reward = reward.map_err(|_| "the reward is not certain yet")?;
        let contact = ContactId::parse(&text(&receipt.operation["contactId"]), "contactId").ok();
        let options = json!({ "reference": receipt.operation["reference"] }).to_string();
        let result = match client.redeem_reward(contact, reward, Some(&options)) {
            Ok(operation) => parse(&operation),
            Err(error) => parse(&error.to_json()),
        };
        if let Some(sale) = &mut self.session().sale {
            sale.redeem = Some(result.clone());
        }
        match (result["outcome"].as_str(), result["operationId"].as_str()) {
            (Some("completed" | "declined"), Some(id)) => self.acknowledge(id),
            _ => Ok(()),
        }
    }

    fn acknowledge(&self, operation: &str) -> Result<(), String> {
        let acknowledged = self.client()?.acknowledge(operation_id(operation)?);
        acknowledged.map(drop).map_err(|error| error.to_string())
    }

    /// Returns everything that the page shows.
    pub fn screen(&self) -> Screen {
        let (journal, closed) = match self.journal() {
            Ok(journal) => (journal, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        Screen { session: self.session().clone(), journal, closed, config: self.config.clone() }
    }

    fn journal(&self) -> Result<Vec<Value>, String> {
        let client = self.client()?;
        let (mut operations, mut next) = (Vec::new(), Value::Null);
        loop {
            let options = if next.is_null() { json!({}) } else { json!({ "after": next }) };
            let page = client.list_operations(Some(&options.to_string())).map_err(|error| error.to_string())?;
            let mut page = parse(&page);
            operations.extend(page["operations"].as_array_mut().map(std::mem::take).unwrap_or_default());
            next = page["next"].take();
            if next.is_null() {
                operations.reverse();
                return Ok(operations);
            }
        }
    }

    fn client(&self) -> Result<Arc<Client>, String> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or_else(|| "the till is closed. Restart it".to_owned())
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(config: &Value) -> Result<Arc<Client>, String> {
    Client::open(&config.to_string()).map(Arc::new).map_err(|error| error.to_string())
}

fn load(client: &Client, contact: ContactId) -> Result<Member, Error> {
    let offers = parse(&client.list_items(contact, None)?);
    let offers = offers.as_array().cloned().unwrap_or_default();
    Ok(Member { contact, points: points(client, contact), offers })
}

fn points(client: &Client, contact: ContactId) -> Option<f64> {
    let accounts = parse(&client.list_points(contact, None).ok()?);
    Some(accounts.as_array()?.iter().filter_map(|account| account["balance"].as_f64()).sum())
}

fn operation_id(text: &str) -> Result<OperationId, String> {
    OperationId::parse(text, "operation").map_err(|_| "the operation is not a GUID".to_owned())
}

/// Returns the title of an offer.
pub(crate) fn title_of(offer: &Value) -> String {
    let title = offer["presentation"]["title"].as_str().or(offer["name"].as_str());
    title.unwrap_or_default().to_owned()
}

/// Returns the kind of search key that a typed or scanned text is.
fn key_of(text: &str) -> &'static str {
    match text {
        _ if text.contains('@') => "email",
        _ if text.starts_with('+') => "mobilePhone",
        _ => "customKey",
    }
}

fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}
