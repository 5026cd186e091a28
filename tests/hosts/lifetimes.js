"use strict";

// What a Node.js host may do to clients, functions and the process. Arguments and output: see
// lifetimes.c. Without arguments it prints the library's version.

const fs = require("node:fs");
const { isMainThread, parentPort, Worker } = require("node:worker_threads");
const { Client, Code, LibraryError, LogLevel, NotSent, Pending, version } = require("engage-point-shop");

const ASTRID = "a0000000-0000-4000-8000-000000000001";
// Every request for this member stalls.
const BJORN = "a0000000-0000-4000-8000-000000000002";
const COFFEE = "b0000000-0000-4000-8000-000000000001";

// The keys that every problem object has, also one that the binding reports itself.
const KEYS = "code name outcome message httpStatus engageCode operationId purchaseId attempts retryAfterMs cause forCashier forMember";

const given = process.argv.slice(2);
let held = 0;

function check(holds, what) {
  if (!holds) {
    console.error(`does not hold: ${what}`);
    process.exit(1);
  }
  held++;
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

async function eventually(holds, what) {
  const until = Date.now() + 10000;
  while (!(await holds()) && Date.now() < until) await tick();
  check(await holds(), what);
}

/** Makes a call, and returns the error that its promise has. */
async function rejected(call) {
  let promise;
  try {
    promise = call();
  } catch (thrown) {
    check(false, `a function that returns a promise does not throw: ${thrown}`);
  }
  return promise.then(() => check(false, "an error was due"), (error) => error);
}

/** Checks an error, and that its problem object is whole. Returns the object. */
function problem(kind, code, error) {
  check(error instanceof kind && error.code === code, `${code} was due, not ${error}`);
  const keys = KEYS.split(" ").filter((key) => error.problem[key] !== undefined);
  check(keys.join(" ") === KEYS, `every key is there, not only ${keys}`);
  const outcome = kind === NotSent ? "notSent" : kind === Pending ? "pending" : "declined";
  check(error.problem.outcome === outcome && error.problem.code === code, "and states the same");
  return error.problem;
}

const fails = async (kind, code, promise) => problem(kind, code, await rejected(() => promise));

const open = (journal = "points.db", language = null) =>
  Client.open({
    baseUrl: given[0],
    caFile: given[1],
    apiKey: given[2],
    userAgent: "Host/1",
    journalPath: `${given[3]}/${journal}`,
    waitMs: 60000,
    language,
  });

/** Returns whether this process has the journal open: its shared memory is mapped. */
const isOpen = (journal) => fs.readFileSync("/proc/self/maps", "utf8").includes(`${journal}-shm`);

/** Returns how many of such requests the sandbox got. */
async function arrived(path) {
  const requests = await (await fetch(`${given[4]}/_sandbox/requests`)).json();
  return requests.filter((request) => request.path.includes(path) && request.contactId === BJORN).length;
}

async function closing() {
  let made = "";
  try {
    new Client({});
  } catch (error) {
    made = error.message;
  }
  check(made.includes("Client.open"), "a client is opened, and not made");
  const [first, second] = [await open(), await open()];
  await first.close();
  await first.close();
  const bought = await second.purchase(ASTRID, COFFEE, { reference: "node 1" });
  check(bought.outcome === "completed" && bought.existing === false, "the other goes on");
  await fails(NotSent, Code.CLOSED, first.listPoints(ASTRID));
  const closed = await fails(NotSent, Code.CLOSED, first.listOperations());
  await fails(NotSent, Code.CLOSED, first.acknowledgeReference("node 1"));
  await fails(NotSent, Code.CLOSED, first.resolveReview(ASTRID, "completed"));
  await fails(NotSent, Code.CLOSED, first.backupJournal("/copy.db"));
  for (const call of [() => first.cancel(), () => first.cancelCall("x"), () => first.setNotify(() => {})]) {
    const own = await fails(NotSent, Code.CLOSED, (async () => call())());
    check(JSON.stringify({ ...own, message: closed.message }) === JSON.stringify(closed), "the binding reports what the library does");
  }
  check(isOpen("points.db"), "a client that is open has its journal");
  await second.close();
  await eventually(() => !isOpen("points.db"), "and lets go of it");
  await fails(NotSent, Code.CLOSED, second.setLog(LogLevel.INFO, () => {}));
  await fails(NotSent, Code.CLOSED, second.setNotify(() => {}));
}

async function forget(journal) {
  const shop = await open(journal);
  // A log function that refers to its client does not keep it open.
  await shop.setLog(LogLevel.DEBUG, () => shop.toString());
  await shop.listPoints(ASTRID);
  check(isOpen(journal), "a client");
}

async function collecting() {
  await forget("collected.db");
  await eventually(() => {
    global.gc();
    return !isOpen("collected.db");
  }, "that is forgotten is closed");
}

async function logging() {
  const shop = await open();
  let [lines, thrown] = [0, 0];
  const count = () => thrown++;
  process.on("uncaughtException", count);
  await shop.setLog(LogLevel.DEBUG, (line, level) => {
    check(typeof line.event === "string" && level > LogLevel.OFF, "a line is JSON");
    lines++;
    throw new Error("from a log function");
  });
  for (let round = 0; round < 50; round++) {
    await shop.listPoints(ASTRID);
    global.gc();
  }
  await eventually(() => lines >= 50 && thrown === lines, "every line comes, whatever is collected meanwhile, and whatever is thrown");
  await shop.setLog(LogLevel.OFF, null);
  process.off("uncaughtException", count);
  await shop.close();
}

// Functions are set one after the other, so that the last one wins.
async function replacing() {
  const shop = await open("replacing.db");
  for (let round = 0; round < 30; round++) {
    const [lines, changes] = [[0, 0, 0], [0, 0, 0]];
    const set = lines.flatMap((_, at) => [shop.setLog(LogLevel.DEBUG, () => lines[at]++), shop.setNotify(() => changes[at]++)]);
    await Promise.all(set);
    lines.fill(0);
    global.gc();
    await shop.listPoints(ASTRID);
    await eventually(() => lines[2] > 0, "the last function gets the lines");
    check(lines[0] + lines[1] === 0, "and no earlier one");
    if (round > 0) continue;
    await shop.purchase(ASTRID, COFFEE, { reference: "node replaced" });
    await eventually(() => changes[2] > 0, "and the changes");
  }
  await shop.close();
}

// The library's call of a function in a worker that was terminated would end the process.
async function terminating() {
  const worker = new Worker(__filename, { argv: given });
  const messages = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject).once("exit", reject));
  check(messages.length === 2 && messages.every((each) => each.includes("main thread")), `a worker sets no function: ${messages}`);
  await worker.terminate();
}

async function inWorker() {
  const shop = await open("worker.db");
  await shop.setNotify(null);
  check((await shop.purchase(ASTRID, COFFEE, { reference: "node worker" })).outcome === "completed", "a worker buys");
  const errors = [await rejected(() => shop.setNotify(() => {})), await rejected(() => shop.setLog(LogLevel.DEBUG, () => {}))];
  parentPort.postMessage(errors.map((error) => error.message));
  // Calls go on while the worker is terminated.
  for (;;) await shop.listPoints(ASTRID);
}

async function waiting() {
  const shop = await open("waiting.db");
  const reading = shop.listItems(BJORN);
  check((await shop.listItems(ASTRID)).length > 0, "another call returns meanwhile");
  const buy = new AbortController();
  const buying = shop.purchase(BJORN, COFFEE, { signal: buy.signal });
  await eventually(async () => (await arrived("point-shop-items/purchase")) === 1, "a purchase is under way");
  buy.abort();
  await fails(Pending, Code.PENDING_CANCELLED, buying);
  const isPending = Symbol();
  check((await Promise.race([reading, tick().then(() => isPending)])) === isPending, "it belongs to one call");

  // More calls than Node has threads: files and the journal are read all the same.
  const read = new AbortController();
  const many = Array.from({ length: 8 }, () => fails(NotSent, Code.CANCELLED, shop.listItems(BJORN, { signal: read.signal })));
  check((await fs.promises.readFile(given[1], "utf8")).includes("CERTIFICATE"), "a file is read");
  check((await shop.listUnacknowledged()).length === 1, "and the journal");
  read.abort();
  await Promise.all(many);
  await fails(NotSent, Code.CANCELLED, shop.listItems(ASTRID, { signal: read.signal }));
  const swedish = await open("waiting.db", "sv");
  const { forCashier } = await fails(NotSent, Code.CANCELLED, swedish.purchase(ASTRID, COFFEE, { signal: read.signal }));
  check(forCashier.startsWith("Det avbr\u00f6ts."), `in the language of the configuration: ${forCashier}`);
  check((await swedish.listUnacknowledged()).length === 1, "nothing was sent");
  await swedish.close();

  const purchase = shop.purchase(BJORN, COFFEE, { reference: "node closed" });
  await eventually(async () => (await arrived("point-shop-items/purchase")) === 2, "another purchase is under way");
  const closed = [reading, ...Array.from({ length: 3 }, () => shop.listItems(BJORN))].map((each) => fails(NotSent, Code.CLOSED, each));
  await Promise.all([shop.close(), fails(Pending, Code.PENDING_CLOSED, purchase), ...closed]);
}

async function submitting() {
  const shop = await open("submitting.db");
  const changes = [];
  await shop.setNotify((operation) => changes.push(operation));
  const bought = await shop.purchase(ASTRID, COFFEE, { reference: "node async" });
  const isReported = () => changes.some((each) => each.operationId === bought.operationId && each.outcome === "completed");
  await eventually(isReported, "a change is reported");
  const submitted = await shop.purchase(BJORN, COFFEE, { reference: "node submitted", submit: true });
  check(submitted.outcome === "pending" && submitted.existing === false, "a submitted purchase is returned at once");
  await shop.setNotify(null);
  await shop.close();
}

async function texts() {
  const shop = await open();
  const wrong = [
    ...["a\0b", "\ud800", 7].map((text) => ["value", () => shop.findContact("email", text)]),
    ...["listPoints", "listItems", "purchase", "listPurchases", "listRewards"].map((name) => ["contactId", () => shop[name](7, COFFEE)]),
    ["operationId", () => shop.findReward(7)],
    ["assignmentId", () => shop.redeemReward(null, 7)],
    ["options", () => shop.resolvePending(7)],
    ["options", () => shop.check("offline")],
    ["reference", () => shop.purchase(ASTRID, COFFEE, { reference: () => 1 })],
    ["waitMs", () => shop.purchase(ASTRID, COFFEE, { waitMs: NaN })],
    ["waitMs", () => shop.listItems(ASTRID, { waitMs: 1n })],
    ["callId", () => shop.listItems(ASTRID, { callId: Symbol("x") })],
    ["signal", () => shop.listItems(ASTRID, { signal: 5 })],
    ["options", () => shop.purchase(ASTRID, COFFEE, "receipt")],
    ["apiMapping", () => Client.open({ apiMapping: { paths: { purchases: () => 1 } } })],
    ["config", () => Client.open("points.db")],
    ["level", () => shop.setLog("debug", () => {})],
    ["receive", () => shop.setLog(LogLevel.DEBUG, 5)],
    ["receive", () => shop.setNotify({})],
  ];
  for (const [name, call] of wrong) {
    const error = await rejected(call);
    check(error instanceof TypeError && error.message.includes(name), `the error names ${name}: ${error}`);
  }
  check((await shop.listItems(ASTRID, { waitMs: undefined, callId: null, signal: null })).length > 0, "null is absent");
  await fails(NotSent, Code.NULL_ARGUMENT, shop.findContact(null, "x"));
  await fails(NotSent, Code.BAD_OPTIONS, shop.listItems(ASTRID, { colour: "red" }));
  await shop.close();
}

async function main() {
  if (given.length === 0) {
    // Whether the library is found: the tests put wrong libraries of every kind there.
    try {
      console.log(version());
    } catch (error) {
      if (!(error instanceof LibraryError)) throw error;
      console.log(error.message);
      process.exit(3);
    }
    return;
  }
  await closing();
  await collecting();
  await logging();
  await replacing();
  await terminating();
  await waiting();
  await submitting();
  await texts();
  // Left open with functions and with a call: the process still ends cleanly.
  const left = await open();
  await left.setLog(LogLevel.DEBUG, () => {});
  await left.setNotify(() => {});
  left.listItems(BJORN).catch(() => {});
  await left.listPoints(ASTRID);
  console.log(`${held} checks held`);
  process.exit(0);
}

if (isMainThread) main();
else inWorker();
