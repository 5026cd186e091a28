//! Stage 2: a purchase of the test member, in a journal of its own. It stops at the first surprise.

use super::findings::{self, Bought};
use super::shape::{Response, guid, names_in};
use super::{Session, Watched, candidates, operation};
use crate::Result;
use crate::cli::Probe;
use crate::failure::{Exit, Failure};
use crate::fields::{parse, shown};
use crate::progress::Progress;
use engage_point_shop::{AssignmentId, ItemId, OperationId};
use serde_json::{Value, json};
use std::fs;
use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a purchase of the probe is waited for.
const WAIT_MS: u64 = 8_000;

/// The folder of the probe's journals, deleted at the end unless a surprise ended the probe: a
/// purchase may be pending in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("eps-probe-{}", Uuid::new_v4()));
        fs::create_dir(&path).map_err(|error| Failure::of_file(&path, &error))?;
        Ok(Self(path))
    }

    fn journal(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.db"))
    }
}

impl Session<'_> {
    /// Buys. Returns the surprise that ended it, if any.
    pub fn spend(&mut self, item: ItemId, probe: &Probe) -> Result<Option<String>> {
        let id = Uuid::try_parse(&item.to_string()).unwrap_or_default();
        let Some(cost) = findings::cost(self.evidence.items.as_ref(), id) else {
            return Err(Failure::new(Exit::Usage, "the member is not offered this item; see the list of items"));
        };
        confirm(probe, cost)?;
        let folder = Folder::new()?;
        let _progress = Progress::start("buying");
        // What was seen before a failure is in the report too.
        let surprise = self.steps(item, cost, probe, &folder).unwrap_or_else(|failure| Some(failure.message));
        let Some(surprise) = surprise else {
            let _ = fs::remove_dir_all(&folder.0);
            return Ok(None);
        };
        Ok(Some(format!("{surprise}. The journals of this probe are kept in {}", folder.0.display())))
    }

    fn steps(&mut self, item: ItemId, cost: f64, probe: &Probe, folder: &Folder) -> Result<Option<String>> {
        if let Some(surprise) = self.unknown_item(probe, folder)? {
            return Ok(Some(surprise));
        }
        let before = findings::reward_ids(self.evidence.rewards.as_ref(), &self.evidence.mapping);
        let mut bought = Bought {
            purchase_id: Uuid::new_v4(),
            item: Uuid::try_parse(&item.to_string()).unwrap_or_default(),
            cost,
            balance_before: findings::balance(self.evidence.points.as_ref()),
            ..Bought::default()
        };
        let mapping = self.mapping()?;
        let (purchase, result) = self.buy("purchase", item, bought.purchase_id, &mapping, folder)?;
        let Some(purchase) = purchase else {
            return Ok(Some(format!("the purchase got no response; the library reports {}", named(&result))));
        };
        let fits = matches!(purchase.status, 200..=202);
        self.evidence.purchase = Some(purchase);
        if !fits {
            return Ok(Some(format!("the purchase was not accepted; the library reports {}", named(&result))));
        }
        self.wait_for_history(&mut bought, &mapping, probe.history_wait_ms)?;
        self.evidence.bought = Some(bought.clone());
        if bought.history_lag_ms.is_none() {
            return Ok(Some(format!(
                "the purchase was accepted, and the history did not show it within {} ms; --history-wait-ms waits longer",
                probe.history_wait_ms
            )));
        }
        let mapping = self.mapping()?;
        let (repeat, _) = self.buy("same id again", item, bought.purchase_id, &mapping, folder)?;
        self.evidence.repeat = repeat;
        let points = self.points("points afterwards", &mapping)?;
        bought.balance_after = findings::balance(Some(&points));
        self.evidence.bought = Some(bought.clone());
        if findings::is_deducted(&bought) == Some(false) {
            return Ok(Some("the balance did not fall by the cost, once".to_owned()));
        }
        let rewards = self.new_rewards(&before, &mapping)?;
        self.evidence.rewards = Some(rewards);
        if probe.redeem {
            return self.redeem(folder);
        }
        Ok(None)
    }

    /// Buys an item that does not exist: spends nothing, and shows by which field a request names
    /// the item.
    fn unknown_item(&mut self, probe: &Probe, folder: &Folder) -> Result<Option<String>> {
        let mapping = self.mapping()?;
        let assumed = mapping["itemIdField"].as_str().or(self.evidence.mapping["itemIdField"].as_str());
        let mut fields = candidates(assumed.unwrap_or_default(), probe, "itemIdField", &[]);
        let mut at = 0;
        while let Some(field) = fields.get(at).cloned() {
            let mut with_field = mapping.clone();
            with_field["itemIdField"] = json!(field);
            let unknown = ItemId::from_uuid(Uuid::new_v4());
            let (response, result) =
                self.buy(&format!("unknown item {at}"), unknown, Uuid::new_v4(), &with_field, folder)?;
            let Some(response) = response else {
                return Ok(Some(format!("no response to an unknown item; the library reports {}", named(&result))));
            };
            let status = response.status;
            // An error that names a field shows what it is called here.
            let named = names_in(&response.body).into_iter().filter(|name| name.to_ascii_lowercase().contains("item"));
            for name in named {
                if fields.len() < 8 && !fields.iter().any(|it| it.eq_ignore_ascii_case(&name)) {
                    fields.push(name);
                }
            }
            self.evidence.unknown_item = Some(response);
            match status {
                404 => {
                    self.evidence.item_field = Some(field);
                    return Ok(None);
                }
                400 | 422 => at += 1,
                _ => return Ok(Some(format!("an item that does not exist has status {status}"))),
            }
        }
        // The history shows the name where a request did not.
        let shown = self.mapping()?.get("itemIdField").is_some() || self.evidence.history_names_the_item();
        Ok((!shown).then(|| "no name for the item is accepted; give one by --try itemIdField=NAME".to_owned()))
    }

    /// Makes one purchase as a till does. Returns the response of the request that spends, and the
    /// library's result.
    fn buy(
        &mut self,
        name: &str,
        item: ItemId,
        purchase_id: Uuid,
        mapping: &Value,
        folder: &Folder,
    ) -> Result<(Option<Response>, Value)> {
        let journal = folder.journal(&name.replace(' ', "-"));
        let watched = Watched::open(&self.config(mapping, Some(&journal)))?;
        let options = json!({ "purchaseId": purchase_id.to_string(), "submit": true }).to_string();
        let mut result = operation(watched.client.purchase(self.contact, item, Some(&options)))?;
        let (id, began) = (OperationId::from_uuid(purchase_id), Instant::now());
        // As soon as the response is recorded: a mapping that does not fit leaves it pending.
        while result["lastCode"].is_null() && began.elapsed() < Duration::from_millis(WAIT_MS) {
            std::thread::sleep(Duration::from_millis(10));
            let Ok(operation) = watched.client.get_operation(id) else { break };
            result = parse(&operation)?;
        }
        watched.client.close();
        let response = watched.first("POST");
        if let Some(response) = &response {
            self.calls.push((name.to_owned(), response.clone()));
        }
        Ok((response, result))
    }

    /// Waits until the history shows the purchase and the balance has fallen.
    fn wait_for_history(&mut self, bought: &mut Bought, mapping: &Value, limit_ms: u64) -> Result<()> {
        let (began, mut pause) = (Instant::now(), Duration::from_millis(100));
        loop {
            let history = self.history("history afterwards", mapping)?;
            let is_ours = |row: &Value| {
                row.as_object().is_some_and(|row| row.values().any(|it| guid(it) == Some(bought.purchase_id)))
            };
            let is_shown = findings::rows(Some(&history)).iter().any(is_ours);
            self.evidence.history = Some(history);
            let elapsed = began.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
            if is_shown {
                bought.history_lag_ms.get_or_insert(elapsed);
            }
            let points = self.points("points afterwards", mapping)?;
            bought.balance_after = findings::balance(Some(&points));
            if (is_shown && findings::is_deducted(bought) != Some(false)) || elapsed >= limit_ms {
                return Ok(());
            }
            // Each read is in the report once.
            self.calls.truncate(self.calls.len() - 2);
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Lists the rewards until there is one more than before, for some seconds.
    fn new_rewards(&mut self, before: &[Uuid], mapping: &Value) -> Result<Response> {
        let mut pause = Duration::from_millis(100);
        loop {
            let rewards = self.rewards("rewards afterwards", mapping)?;
            let new = findings::reward_ids(Some(&rewards), &self.evidence.mapping);
            self.evidence.new_rewards = new.into_iter().filter(|id| !before.contains(id)).collect();
            if !self.evidence.new_rewards.is_empty() || pause > Duration::from_secs(3) {
                return Ok(rewards);
            }
            self.calls.pop();
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    fn redeem(&mut self, folder: &Folder) -> Result<Option<String>> {
        let [reward] = self.evidence.new_rewards[..] else {
            return Ok(Some("not one new reward, so that nothing was redeemed".to_owned()));
        };
        let mapping = self.mapping()?;
        let watched = Watched::open(&self.config(&mapping, Some(&folder.journal("redeem"))))?;
        let options = json!({ "waitMs": WAIT_MS }).to_string();
        let reward = AssignmentId::from_uuid(reward);
        let result = operation(watched.client.redeem_reward(Some(self.contact), reward, Some(&options)))?;
        watched.client.close();
        let Some(response) = watched.first("POST") else {
            return Ok(Some(format!("the redeem got no response; the library reports {}", named(&result))));
        };
        self.calls.push(("redeem".to_owned(), response.clone()));
        self.evidence.redeem = Some(response);
        self.evidence.rewards = Some(self.rewards("rewards at the end", &mapping)?);
        Ok(None)
    }
}

impl findings::Evidence {
    /// Whether a purchase of the history has the field by which the mapping names the item.
    fn history_names_the_item(&self) -> bool {
        let rows = findings::rows(self.history.as_ref());
        let name = self.mapping["itemIdField"].as_str().unwrap_or_default();
        rows.iter().any(|row| crate::fields::field(row, name).is_some_and(super::shape::is_guid))
    }
}

fn named(result: &Value) -> String {
    shown(&result["name"])
}

fn confirm(probe: &Probe, cost: f64) -> Result<()> {
    if probe.yes {
        return Ok(());
    }
    let redeem = if probe.redeem { " and redeem the reward, which cannot be undone" } else { "" };
    eprint!("Spend {cost} points of the test member{redeem}? [y/N] ");
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Usage, "nothing was bought; confirm by y, or give --yes")),
    }
}
