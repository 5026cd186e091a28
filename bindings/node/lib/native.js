"use strict";

/** Finds the native library, and makes calls on the threads of Node's pool. */

const fs = require("node:fs");
const path = require("node:path");
const { isMainThread } = require("node:worker_threads");
const koffi = require("koffi");
const { Action, Code, Outcome, TEXTS } = require("./codes.js");
const { Declined, LibraryError, NotSent, Pending } = require("./errors.js");
const { ABI_VERSION, PROTOTYPES } = require("./functions.js");

koffi.struct("eps_buffer", { data: "void *", len: "size_t", reserved: "size_t" });
koffi.proto("void eps_log_fn(uintptr_t user, int32_t level, void *line, size_t len)");
koffi.proto("void eps_notify_fn(uintptr_t user, void *json, size_t len)");

// By their numbers.
const OUTCOMES = ["completed", "declined", "pending", "notSent"];

let loaded = null;

/** Returns the functions of the library by their names. */
function library() {
  return (loaded ??= load());
}

function load() {
  const file = process.platform === "win32" ? "engage_point_shop.dll" : "libengage_point_shop.so";
  const target = `${process.platform === "win32" ? "win" : process.platform}-${process.arch === "ia32" ? "x86" : process.arch}`;
  const own = path.join(__dirname, "..", "native", target, file);
  const place = fs.existsSync(own) ? own : process.platform === "win32" ? file : `${file}.1`;
  let opened;
  try {
    opened = koffi.load(place);
  } catch (cause) {
    const bits = 8 * koffi.sizeof("size_t");
    throw new LibraryError(
      `The native library of engage-point-shop cannot be loaded into this ${bits}-bit Node.js: ${cause.message}. ` +
        `Searched for ${own}, else for ${place} in the system's folders. Install the package of a release.`,
      cause,
    );
  }
  // The version first, because another version may lack the other functions.
  const declared = (prototype, message) => {
    try {
      return opened.func(prototype);
    } catch (cause) {
      throw new LibraryError(message, cause);
    }
  };
  const abi = declared("uint32_t eps_abi_version(void)", `${place} is not engage_point_shop: it has no eps_abi_version.`)();
  if (abi !== ABI_VERSION) {
    const both = "Install the library and the package of one release.";
    throw new LibraryError(`${place} has ABI version ${abi}. This package needs ${ABI_VERSION}. ${both}`);
  }
  const functions = {};
  for (const prototype of PROTOTYPES) {
    const name = /eps_\w+(?=\()/.exec(prototype)[0];
    functions[name] = declared(prototype, `${place} is older than this package: it has no ${name}.`);
  }
  functions.result = (code, buffer) => result(functions, code, buffer);
  return functions;
}

/** Reads UTF-8. */
function read(data, length) {
  return data ? Buffer.from(koffi.view(data, Number(length))).toString() : "";
}

/** Disposes of a buffer. Returns its text or throws the error of the code. */
function result(functions, code, buffer) {
  const json = read(buffer.data, buffer.len);
  functions.eps_buffer_dispose(buffer);
  if (code !== Code.OK) throw error(code, json);
  return json;
}

/** Returns who acts on a code. */
function action(code) {
  const named = library().eps_code_action(code);
  return Object.values(Action).includes(named) ? named : Action.ADMINISTRATOR;
}

/** Returns the error of a code. */
function error(code, json = "", language = null) {
  const outcome = library().eps_outcome(code);
  const kind = outcome === Outcome.DECLINED ? Declined : outcome === Outcome.NOT_SENT ? NotSent : Pending;
  return new kind(json ? JSON.parse(json) : problem(code, outcome, language), action(code));
}

/** Returns the problem object that the library would have made. */
function problem(code, outcome, language) {
  const name = library().eps_code_name(code);
  const message = library().eps_code_meaning(code);
  const detail = { httpStatus: null, engageCode: null, operationId: null, purchaseId: null, attempts: 0, retryAfterMs: null, cause: [] };
  const at = outcome === Outcome.PENDING ? 4 : action(code) === Action.RETRY ? 0 : 2;
  const [forCashier, forMember] = (TEXTS[language] ?? TEXTS.en).slice(at);
  return { code, name, outcome: OUTCOMES[outcome], message, ...detail, forCashier, forMember };
}

function check(code, language) {
  if (code !== Code.OK) throw error(code, "", language);
}

/** Returns a text that can be UTF-8 with a NUL behind, or null. */
function text(value, name) {
  if (value == null) return null;
  if (typeof value !== "string") throw new TypeError(`${name} is not a text.`);
  if (value.includes("\0") || Buffer.from(value).toString() !== value) {
    throw new TypeError(`${name} has a NUL character or half a surrogate pair inside. Remove the character.`);
  }
  return value;
}

/** Returns a configuration or options: an object. */
function object(values, name) {
  if (typeof (values ?? {}) !== "object") throw new TypeError(`${name} is not an object.`);
  return values ?? {};
}

/** Writes a configuration or options. A key that is null or undefined is left out. */
function json(values, name = "options") {
  const given = Object.entries(object(values, name)).filter(([, value]) => value != null);
  const members = given.map(([key, value]) => {
    // JSON would leave out a function, and has null for NaN.
    const plain = (_, each) => {
      if (["bigint", "function", "symbol"].includes(typeof each) || (typeof each === "number" && !Number.isFinite(each))) {
        throw new TypeError(`${key} is not JSON: it has a ${typeof each}, ${String(each)}.`);
      }
      return each;
    };
    return `${JSON.stringify(key)}:${JSON.stringify(value, plain)}`;
  });
  return text(`{${members}}`, name);
}

/** Makes a call on a thread of Node's pool. Returns its code. */
function pending(name, given) {
  const called = library()[name];
  return new Promise((resolve, reject) => {
    called.async(...given, (failed, code) => (failed ? reject(failed) : resolve(code)));
  });
}

/** Makes a call with a result on a thread of Node's pool. */
async function quick(name, given) {
  const buffer = {};
  return library().result(await pending(name, [...given, buffer]), buffer);
}

// --- Calls that wait -----------------------------------------------------------------------------

// Node has few threads for files and calls. One stays free, so that a call that waits for the
// network holds up neither files nor the calls of the journal.
const THREADS = Math.max(1, (Number(process.env.UV_THREADPOOL_SIZE) || 4) - 1);
/** The calls that wait for a thread: those that spend, and the others. */
const queues = { first: [], later: [] };
let running = 0;

/**
 * Makes a call that waits for the network. What spends comes first. `signal` ends the
 * call within 100 ms; it then has its true outcome.
 */
async function waited(name, given, { signal, cancel, cancelled, isFirst }) {
  if (signal?.aborted) throw cancelled();
  await turn(signal, cancelled, isFirst);
  let repeated;
  const end = () => {
    cancel();
    // Repeated: it has no effect on a call that has not entered the library yet.
    repeated ??= setInterval(cancel, 20);
  };
  try {
    if (signal?.aborted) throw cancelled();
    signal?.addEventListener("abort", end, { once: true });
    return await quick(name, given);
  } finally {
    signal?.removeEventListener("abort", end);
    clearInterval(repeated);
    running--;
    (queues.first.shift() ?? queues.later.shift())?.();
  }
}

/** Waits for a thread. A call that is ended before has sent nothing. */
function turn(signal, cancelled, isFirst) {
  if (running < THREADS) {
    running++;
    return;
  }
  const queue = isFirst ? queues.first : queues.later;
  return new Promise((resolve, reject) => {
    const begin = () => {
      signal?.removeEventListener("abort", end);
      running++;
      resolve();
    };
    const end = () => {
      queue.splice(queue.indexOf(begin), 1);
      reject(cancelled());
    };
    signal?.addEventListener("abort", end, { once: true });
    queue.push(begin);
  });
}

// --- The functions that the library calls --------------------------------------------------------

// Weak, so that a function that refers to its client does not keep the client open.
const used = new Map();
let places = null;
let numbers = 0;

function give(user, text, ...more) {
  try {
    used.get(Number(user))?.deref()?.(text, ...more);
  } catch (thrown) {
    // As an event's: the program decides about what its functions throw.
    process.nextTick(() => {
      throw thrown;
    });
  }
}

/**
 * Returns a function for the library: what keeps it alive, its place and its number. The library
 * gets only two places, so that none in its hands is ever collected.
 */
function use(kind, receive) {
  if (receive == null) return [null, null, 0];
  if (typeof receive !== "function") throw new TypeError("receive is not a function.");
  if (!isMainThread) {
    const why = "A worker sets no function, because a worker that is terminated would end the process with it.";
    throw new Error(`${why} Open the client in the main thread, and post to the worker.`);
  }
  places ??= {
    line: koffi.register((user, level, line, len) => give(user, read(line, len), level), "eps_log_fn *"),
    change: koffi.register((user, json, len) => give(user, read(json, len)), "eps_notify_fn *"),
  };
  for (const [number, weak] of used) if (!weak.deref()) used.delete(number);
  const kept = (text, ...more) => receive(JSON.parse(text), ...more);
  used.set(++numbers, new WeakRef(kept));
  return [kept, places[kind], numbers];
}

module.exports = { action, check, error, json, library, object, pending, quick, text, use, waited };
