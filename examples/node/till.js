"use strict";

// A till that sells rewards for points, as a POS vendor would write it in Node.js. It is the till
// of examples/c, which describes the options and the exit codes.

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { Action, Client, Code, Declined, NotSent, Pending, PointShopError } = require("engage-point-shop");

const [COMPLETED, FAILED, USAGE, DECLINED, PENDING, NOT_SENT] = [0, 1, 2, 10, 11, 12];

// --- Small helpers -------------------------------------------------------------------------------

/** Prints a problem for the technician: its code, its message and every cause. */
function showProblem(step, error) {
  console.error(`${step}: ${error.message}`);
  for (const cause of error.problem.cause) console.error(`    because: ${cause}`);
  const { httpStatus, engageCode } = error.problem;
  if (httpStatus) console.error(`    HTTP status ${httpStatus} ${engageCode ?? ""}`.trimEnd());
}

/**
 * Prints the outcome for the cashier, and what the member is shown. The library has both texts for
 * every code, also a newer one; `language` in the configuration chooses their language. The action
 * says who acts: a fault of the program is nothing that a member should read about.
 */
function showCashier(error) {
  console.log(`==> ${error.problem.forCashier}`);
  if (error.action !== Action.FIX_PROGRAM) console.log(`    For the member: ${error.problem.forMember}`);
}

/** Returns the exit code. The error's class says what happened, also for a newer code. */
function exitCode(error) {
  return error instanceof Declined ? DECLINED : error instanceof NotSent ? NOT_SENT : PENDING;
}

/** Returns what a call of the shop was rejected with. A fault of the program ends the program. */
function problemOf(error) {
  if (error instanceof PointShopError) return error;
  throw error;
}

const points = (number) => Number(number).toFixed(0);

/** Returns the option of the longest wait. */
const waitOf = (given) => ({ waitMs: given["--wait"] && Number(given["--wait"]) });

// --- The steps of a sale -------------------------------------------------------------------------

/**
 * Acknowledges an outcome that the till has printed. If it fails, the operation is listed again at
 * the next start.
 */
async function acknowledge(shop, operationId) {
  try {
    await shop.acknowledge(operationId);
  } catch (error) {
    showProblem("cannot acknowledge", problemOf(error));
  }
}

/**
 * Acknowledges a receipt that the till has printed, the purchase and its redeem in one step. While
 * one of them is pending, only the operation is acknowledged.
 */
async function acknowledgeReceipt(shop, reference, operationId) {
  if (reference === undefined) return acknowledge(shop, operationId);
  try {
    await shop.acknowledgeReference(reference);
  } catch (error) {
    if (problemOf(error).code === Code.STILL_PENDING) return acknowledge(shop, operationId);
    showProblem("cannot acknowledge", error);
  }
}

/**
 * Finds the reward of a purchase and prints it for the member. Returns the assignment's id if the
 * reward is certain.
 */
async function printReward(shop, operationId) {
  let found;
  try {
    found = await shop.findReward(operationId);
  } catch (error) {
    showProblem("cannot find the reward", problemOf(error));
    return null;
  }
  const { assignmentId, receipt } = found;
  if (assignmentId === null || receipt === null) {
    console.log(`The reward is not certain yet (${found.certainty}). Check the member's list of rewards.`);
    return null;
  }
  console.log(`Reward: ${receipt.title ?? ""}`);
  for (const [label, text] of [
    ["", receipt.description],
    ["Barcode: ", receipt.barcode],
    ["Valid until: ", receipt.expiresOn],
    ["Cashier: ", receipt.instruction],
  ]) {
    if (text) console.log(`    ${label}${text}`);
  }
  return assignmentId;
}

/**
 * Uses the reward on this receipt. A redeem cannot be undone. With a receipt's number, the whole
 * receipt is acknowledged at its end.
 */
async function redeem(shop, given, contact, assignment) {
  const reference = given["--reference"];
  try {
    const redeemed = await shop.redeemReward(contact, assignment, { reference, ...waitOf(given) });
    console.log("==> The reward is used on this receipt.");
    if (reference === undefined) await acknowledge(shop, redeemed.operationId);
  } catch (error) {
    const isDeclined = problemOf(error) instanceof Declined;
    if (isDeclined && error.action === Action.TELL_MEMBER) {
      console.log("==> The reward cannot be used on this receipt.");
    } else if (isDeclined) {
      console.log("==> Rewards cannot be used now. Call the administrator.");
    } else if (error instanceof NotSent) {
      console.log("==> The reward is not used. You may try again.");
    } else if (error.action === Action.REVIEW) {
      console.log("==> A person must check whether the reward is used. Let the sale go on.");
    } else {
      console.log("==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.");
    }
    showProblem("redeem", error);
    const { operationId } = error.problem;
    if (reference === undefined && !(error instanceof Pending) && operationId) await acknowledge(shop, operationId);
  }
}

/** Adds a line for an earlier purchase to the file of --shown. */
function noteShown(given, operation) {
  if ("--shown" in given) fs.appendFileSync(given["--shown"], `${operation.reference ?? ""}\t${operation.outcome}\n`);
}

/**
 * Shows an operation of an earlier run, and acknowledges it if its outcome is known. After a power
 * cut, this step gives the member the reward.
 */
async function showEarlier(shop, given, operation) {
  const { kind, outcome, operationId } = operation;
  console.log(`Earlier ${kind} ${operationId} (${operation.reference ?? ""}): ${outcome}`);
  if (kind === "purchase") noteShown(given, operation);
  // The member uses it at the next visit.
  if (kind === "purchase" && outcome === "completed") await printReward(shop, operationId);
  // It stays pending and listed until a person has decided (resolveReview, or eps review).
  if (operation.needsReview) {
    console.log("    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,");
    console.log(`    then store the decision: eps review ${operationId}`);
  }
  if (outcome !== "pending") await acknowledge(shop, operationId);
}

/** Shows the operations of an earlier run. The library resolves those that are pending. */
async function showEarlierSales(shop, given) {
  let operations;
  try {
    operations = await shop.listUnacknowledged();
  } catch (error) {
    showProblem("cannot list earlier sales", problemOf(error));
    return [];
  }
  for (const operation of operations) await showEarlier(shop, given, operation);
  return operations;
}

/**
 * Resolves the earlier sales that are still pending, after the sale. This program ends here, so
 * that the library has no time to resolve them in the background. A POS that keeps running needs no
 * such step, and no POS takes it at its start: all tills share the requests of one key.
 */
async function resolveEarlierSales(shop, given, earlier) {
  const pending = earlier.filter((operation) => operation.outcome === "pending" && !operation.needsReview);
  if (pending.length === 0) return;
  try {
    await shop.resolvePending({ waitMs: 5000 });
  } catch (error) {
    showProblem("cannot resolve earlier sales now", problemOf(error));
  }
  for (const { operationId } of pending) {
    try {
      const now = await shop.getOperation(operationId);
      if (now.outcome !== "pending" && now.acknowledgedAtMs === null) await showEarlier(shop, given, now);
    } catch (error) {
      showProblem("cannot read an earlier sale", problemOf(error));
    }
  }
}

/** Finds the member by a key and a value, "email=astrid@example.com". Returns the contact's id. */
async function findMember(shop, member) {
  const at = member.indexOf("=");
  try {
    const contact = await shop.findContact(member.slice(0, at), member.slice(at + 1));
    console.log(`The member is ${contact}.`);
    return contact;
  } catch (error) {
    showCashier(problemOf(error));
    showProblem("cannot find the member", error);
    throw error;
  }
}

/** Returns the member's points, or null if they cannot be read. */
async function pointsOf(shop, contact) {
  try {
    return (await shop.listPoints(contact)).reduce((sum, account) => sum + account.balance, 0);
  } catch (error) {
    showProblem("cannot read the points", problemOf(error));
    return null;
  }
}

/** Shows the offers and chooses the wanted one, else the first that the member can afford. */
async function chooseOffer(shop, given, contact, balance) {
  let items;
  try {
    items = await shop.listItems(contact);
  } catch (error) {
    showCashier(problemOf(error));
    showProblem("cannot list the offers", error);
    throw error;
  }
  const wanted = given["--item"];
  let chosen = null;
  console.log("Offers:");
  for (const item of items) {
    if (chosen === null && (wanted ? item.id === wanted : item.cost <= balance)) chosen = item.id;
    console.log(`  ${points(item.cost).padStart(6)} points  ${item.presentation?.title ?? item.name ?? ""}`);
  }
  if (chosen === null) {
    console.log(wanted ? "The member is not offered this item." : "There is no offer the member can buy.");
  }
  return chosen;
}

/** Buys an item, prints the outcome, and acknowledges it unless it is pending. */
async function buy(shop, given, contact, item) {
  const reference = given["--reference"];
  let bought;
  try {
    // With the receipt's number, a second press is the same purchase, also after a restart. With
    // the snapshot of the rewards, the new reward is distinguished from older ones.
    bought = await shop.purchase(contact, item, { reference, snapshotRewards: true, ...waitOf(given) });
  } catch (error) {
    showCashier(problemOf(error));
    showProblem("purchase", error);
    // The outcome is printed, so it is acknowledged. A pending operation is acknowledged when its
    // outcome is known.
    const { operationId } = error.problem;
    if (!(error instanceof Pending) && operationId) await acknowledgeReceipt(shop, reference, operationId);
    return exitCode(error);
  }
  console.log("==> The reward is bought.");
  const existing = bought.existing ? " (existing purchase: nothing was deducted again)" : "";
  console.log(`Purchase ${bought.purchaseId} for ${points(bought.purchase?.cost ?? 0)} points${existing}`);
  const assignment = await printReward(shop, bought.operationId);
  if (assignment !== null && !("--no-redeem" in given)) await redeem(shop, given, contact, assignment);
  await acknowledgeReceipt(shop, reference, bought.operationId);
  return COMPLETED;
}

async function showPurchases(shop, contact) {
  try {
    const purchases = await shop.listPurchases(contact);
    console.log("Purchases:");
    for (const { cost, status, createdOn } of purchases) {
      console.log(`  ${points(cost ?? 0).padStart(6)} points  ${(status ?? "").padEnd(10)} ${createdOn ?? ""}`);
    }
  } catch (error) {
    showProblem("cannot list the purchases", problemOf(error));
  }
}

/**
 * Returns the item that an earlier run bought on this receipt for the member. The second press
 * means that purchase, also when the offers cannot be read.
 */
function itemOfReceipt(earlier, given, contact) {
  const reference = given["--reference"];
  const isOfReceipt = (operation) =>
    reference !== undefined &&
    operation.reference === reference &&
    operation.contactId === contact &&
    ["pending", "completed"].includes(operation.outcome);
  return earlier.find(isOfReceipt)?.itemId ?? null;
}

/** Makes one sale, from the member to the receipt. */
async function sell(shop, given, contact, earlier) {
  const before = await pointsOf(shop, contact);
  if (before !== null) console.log(`The member has ${points(before)} points.`);
  const item = itemOfReceipt(earlier, given, contact) ?? (await chooseOffer(shop, given, contact, before ?? -1));
  if (item === null) return FAILED;
  const result = await buy(shop, given, contact, item);
  await showPurchases(shop, contact);
  const left = await pointsOf(shop, contact);
  if (left !== null) console.log(`The member has ${points(left)} points left.`);
  return result;
}

/** Finds the member, if the contact's id is not given, and makes the sale. */
async function sellToMember(shop, given, earlier) {
  try {
    return await sell(shop, given, given["--contact"] ?? (await findMember(shop, given["--member"])), earlier);
  } catch (error) {
    // The step that failed has printed it.
    return exitCode(problemOf(error));
  }
}

/**
 * Sells until standard input ends: one line with a sale, one line with its outcome. The library
 * resolves pending sales in the background, and the next sale shows them.
 */
async function serve(shop, given) {
  const names = { [COMPLETED]: "completed", [DECLINED]: "declined", [PENDING]: "pending", [NOT_SENT]: "notSent" };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { contact, item, reference, waitMs } = JSON.parse(line);
    const earlier = await showEarlierSales(shop, given);
    const values = { "--contact": contact, "--item": item, "--reference": reference, "--wait": `${waitMs}` };
    const result = await sellToMember(shop, { ...given, ...values }, earlier);
    console.log(JSON.stringify({ outcome: names[result] ?? "failed" }));
  }
  return COMPLETED;
}

// --- The program ---------------------------------------------------------------------------------

const TIMES = ["--wait", "--request-timeout", "--startup-jitter"];

function readArguments(words) {
  const known = ["--url", "--key", "--ca", "--journal", "--contact", "--member", "--item", "--reference", "--shown", ...TIMES];
  const given = {};
  for (let at = 0; at < words.length; at++) {
    if (["--no-redeem", "--serve"].includes(words[at])) {
      given[words[at]] = "";
    } else if (!known.includes(words[at]) || at + 1 === words.length) {
      return null;
    } else {
      given[words[at]] = words[++at];
    }
  }
  const isComplete =
    "--url" in given &&
    "--journal" in given &&
    TIMES.every((time) => /^[0-9]+$/.test(given[time] ?? "0")) &&
    (given["--member"] ?? "=").includes("=") &&
    ("--serve" in given || "--contact" in given !== "--member" in given);
  return isComplete ? given : null;
}

async function main() {
  const given = readArguments(process.argv.slice(2));
  if (given === null) {
    console.error(
      "usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE" +
        " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]" +
        " [--shown FILE] [--no-redeem] [--serve]",
    );
    return USAGE;
  }
  let shop;
  try {
    shop = await Client.open({
      baseUrl: given["--url"],
      userAgent: "ExampleTill/1.0",
      // A relative path would be another journal when the program is started in another folder.
      journalPath: path.resolve(given["--journal"]),
      apiKey: given["--key"],
      caFile: given["--ca"],
      requestTimeoutMs: given["--request-timeout"] && Number(given["--request-timeout"]),
      startupJitterMs: given["--startup-jitter"] && Number(given["--startup-jitter"]),
    });
  } catch (error) {
    showProblem("cannot open the point shop", problemOf(error));
    return FAILED;
  }
  // Pending purchases stay in the journal and are resolved after the next start.
  try {
    if ("--serve" in given) return await serve(shop, given);
    const earlier = await showEarlierSales(shop, given);
    const result = await sellToMember(shop, given, earlier);
    await resolveEarlierSales(shop, given, earlier);
    return result;
  } finally {
    await shop.close();
  }
}

main().then((code) => (process.exitCode = code));
