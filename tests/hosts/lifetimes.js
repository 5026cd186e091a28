"use strict";

// What a Node.js host may do to clients, functions and the process. Arguments and output: see
// lifetimes.c. Without arguments it prints the library's version.

const fs = require("node:fs");
const { Client, Code, LibraryError, LogLevel, NotSent, Pending, version } = require("engage-point-shop");

const ASTRID = "a0000000-0000-4000-8000-000000000001";
// Every request for this member stalls.
const BJORN = "a0000000-0000-4000-8000-000000000002";
const COFFEE = "b0000000-0000-4000-8000-000000000001";

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

async function fails(kind, code, promise) {
  try {
    await promise;
  } catch (error) {
    check(error instanceof kind && error.code === code, `${code} was due, not ${error}`);
    return;
  }
  check(false, `${code} was due`);
}

const open = (journal = "points.db") =>
  Client.open({
    baseUrl: given[0],
    caFile: given[1],
    apiKey: given[2],
    userAgent: "Host/1",
    journalPath: `${given[3]}/${journal}`,
    waitMs: 60000,
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
  await fails(NotSent, Code.CLOSED, first.listOperations());
  await fails(NotSent, Code.CLOSED, first.acknowledgeReference("node 1"));
  await fails(NotSent, Code.CLOSED, first.resolveReview(ASTRID, "completed"));
  await fails(NotSent, Code.CLOSED, first.backupJournal("/copy.db"));
  await fails(NotSent, Code.CLOSED, (async () => first.cancel())());
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
  for (const wrong of ["a\0b", "\ud800", 7]) {
    try {
      await shop.findContact("email", wrong);
      check(false, "a text that cannot be UTF-8 with a NUL behind");
    } catch (error) {
      check(error instanceof TypeError, "is an error");
    }
  }
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

main();
