"use strict";

/**
 * Sell loyalty rewards for points at the till. Each method calls the function of
 * engage_point_shop.h with the same name, where the header specifies it.
 */

const { Code, LogLevel, Action } = require("./codes.js");
const { Declined, LibraryError, NotSent, Pending, PointShopError } = require("./errors.js");
const { action, check, error, json, library, object, pending, quick, text, use, waited } = require("./native.js");

let calls = 0;

/** Only this module makes clients. */
const MADE = Symbol("made");

/** A client of one Engage tenant. A client that is no longer referenced is closed. */
class Client {
  #handle;
  #language;
  // What keeps the functions of the log and of the changes alive.
  #functions = {};
  // Ends when the function that was set last is set.
  #set = Promise.resolve();
  #isClosing = false;

  constructor(handle, language, made) {
    if (made !== MADE) throw new TypeError("open a client by: await Client.open(config)");
    this.#handle = handle;
    this.#language = language;
    opened.add(handle);
    forgotten.register(this, handle, this);
  }

  /** Opens a client. The disk of the journal does not hold up the event loop. */
  static async open(config) {
    const handle = [null];
    await quick("eps_client_open", [require("./functions.js").ABI_VERSION, json(config, "config"), handle]);
    return new Client(handle[0], config.language, MADE);
  }

  /** Ends every call and closes the client. Pending operations are resolved after the next open. */
  async close() {
    forgotten.unregister(this);
    if (this.#isClosing) return;
    this.#isClosing = true;
    check(await end(this.#handle));
    this.#functions = {};
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }

  /** Ends the wait of every call on this client. Each call then has its true outcome. */
  cancel() {
    check(library().eps_cancel(this.#handle), this.#language);
  }

  /** Ends the wait of the calls with this callId, and of no other call. */
  cancelCall(callId) {
    check(library().eps_cancel_call(this.#handle, text(callId, "callId")), this.#language);
  }

  async findContact(key, value, options) {
    return this.#wait("eps_find_contact", [text(key, "key"), text(value, "value")], options);
  }

  async listPoints(contactId, options) {
    return this.#wait("eps_list_points", [text(contactId, "contactId")], options);
  }

  async listItems(contactId, options) {
    return this.#wait("eps_list_items", [text(contactId, "contactId")], options);
  }

  async purchase(contactId, itemId, options) {
    return this.#spend("eps_purchase", [text(contactId, "contactId"), text(itemId, "itemId")], options);
  }

  async listPurchases(contactId, options) {
    return this.#wait("eps_list_purchases", [text(contactId, "contactId")], options);
  }

  async listRewards(contactId, options) {
    return this.#wait("eps_list_rewards", [text(contactId, "contactId")], options);
  }

  async findReward(operationId, options) {
    return this.#wait("eps_find_reward", [text(operationId, "operationId")], options);
  }

  async redeemReward(contactId, assignmentId, options) {
    return this.#spend("eps_redeem_reward", [text(contactId, "contactId"), text(assignmentId, "assignmentId")], options);
  }

  async listUnacknowledged(options) {
    return (await this.#read("eps_list_unacknowledged", [json(options)])).operations;
  }

  async listOperations(options) {
    return this.#read("eps_list_operations", [json(options)]);
  }

  async getOperation(operationId) {
    return this.#read("eps_get_operation", [text(operationId, "operationId")]);
  }

  resolvePending(options) {
    return this.#wait("eps_resolve_pending", [], options);
  }

  async acknowledge(operationId) {
    return this.#read("eps_acknowledge", [text(operationId, "operationId")]);
  }

  async resolveReview(operationId, resolution, options) {
    return this.#read("eps_resolve_review", [text(operationId, "operationId"), text(resolution, "resolution"), json(options)]);
  }

  async acknowledgeReference(reference) {
    return (await this.#read("eps_acknowledge_reference", [text(reference, "reference"), null])).operations;
  }

  async backupJournal(path) {
    return this.#read("eps_backup_journal", [text(path, "path"), null]);
  }

  async readStats() {
    return this.#read("eps_read_stats", []);
  }

  check(options) {
    return this.#wait("eps_check", [], options);
  }

  async readMetrics() {
    return quick("eps_read_metrics", [this.#handle]);
  }

  /**
   * Sets the function that receives each line of the log, parsed, and its level. Null removes
   * it.
   */
  async setLog(level, receive) {
    if (!Number.isInteger(level)) throw new TypeError("level is none of LogLevel.");
    await this.#use("line", receive, "eps_set_log", [level]);
  }

  /**
   * Sets the function that receives each operation whose state has changed, first every one that is
   * not acknowledged. Null removes it.
   */
  async setNotify(receive) {
    await this.#use("change", receive, "eps_set_notify", []);
  }

  /** Sets a function after the one that is being set, so that the last one wins. */
  #use(kind, receive, name, given) {
    const [kept, place, user] = use(kind, receive);
    const set = async () => {
      check(await pending(name, [this.#handle, ...given, place, user]), this.#language);
      this.#functions[kind] = kept;
    };
    return (this.#set = this.#set.then(set, set));
  }

  /** Makes a call that only the disk can hold up. */
  async #read(name, given) {
    return JSON.parse(await quick(name, [this.#handle, ...given]));
  }

  /** Makes a call that waits for the network. `signal` ends it, and no other call. */
  async #wait(name, given, options, isFirst = false) {
    const { signal, ...others } = object(options, "options");
    if (signal != null && typeof signal.addEventListener !== "function") throw new TypeError("signal is not an AbortSignal.");
    const callId = text(others.callId, "callId") ?? `node-${++calls}`;
    const made = [this.#handle, ...given, json({ ...others, callId })];
    const cancel = () => library().eps_cancel_call(this.#handle, callId);
    const cancelled = () => error(Code.CANCELLED, "", this.#language);
    return JSON.parse(await waited(name, made, { signal, cancel, cancelled, isFirst }));
  }

  async #spend(name, given, options) {
    try {
      return await this.#wait(name, given, options, true);
    } catch (problem) {
      // Durable and on its way, as asked for.
      if (problem instanceof Pending && problem.code === Code.PENDING_SUBMITTED && problem.problem.operation) {
        return problem.problem.operation;
      }
      throw problem;
    }
  }
}

// Holds numbers, so that it keeps no client alive.
const opened = new Set();
const forgotten = new FinalizationRegistry(end);

function end(handle) {
  opened.delete(handle);
  return pending("eps_client_close", [handle]);
}

// At its end Node waits for the calls on its threads.
process.on("exit", () => opened.forEach((handle) => library().eps_client_close(handle)));

/** Calls a function that needs no client and never waits. */
function now(name, given) {
  const buffer = {};
  const code = library()[name](...given, buffer);
  return library().result(code, buffer);
}

/** Makes a new purchase id. The POS stores the id before it is used. */
function newId() {
  return JSON.parse(now("eps_new_id", []));
}

/** Returns the library's version, "1.2.3". */
function version() {
  return library().eps_version();
}

/** Returns who acts on a code, also on a code that is newer than this package. */
function actionOf(code) {
  return action(code);
}

/** Returns the meaning of a code in one or two English sentences. */
function meaningOf(code) {
  return library().eps_code_meaning(code);
}

/** Returns one value of a JSON text by a JSON Pointer: a string is unquoted, another is JSON. */
function jsonGet(from, pointer) {
  const data = Buffer.from(from);
  return now("eps_json_get", [{ data, len: data.length, reserved: 0 }, text(pointer, "pointer")]);
}

/** Writes a text as a JSON string with its quotes. */
function jsonQuote(given) {
  return now("eps_json_quote", [text(given, "text")]);
}

module.exports = {
  Action,
  Client,
  Code,
  Declined,
  LibraryError,
  LogLevel,
  NotSent,
  Pending,
  PointShopError,
  actionOf,
  jsonGet,
  jsonQuote,
  meaningOf,
  newId,
  version,
};
