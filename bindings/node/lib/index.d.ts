import {
  Action,
  CheckOptions,
  Config,
  ContactOptions,
  Engages,
  FoundReward,
  HealthReport,
  JournalCopy,
  Operation,
  OperationPage,
  OperationsOptions,
  Problem,
  PurchaseOptions,
  RedeemOptions,
  Resolution,
  ReviewOptions,
  RewardOptions,
  Stats,
  UnacknowledgedOptions,
  WaitOptions,
} from "./types";

export * from "./types";

/** Ends the call within 100 ms. The promise then has the true outcome of the call. */
export interface Abortable {
  signal?: AbortSignal;
}

/** A line of the log. */
export type LogLine = { event: string } & Record<string, unknown>;

/** A client of one Engage tenant. A client that is no longer referenced is closed.
 *
 *  A promise that is not completed is rejected with Declined, Pending or NotSent. */
export declare class Client {
  private constructor();
  /** Opens a client. The call makes no request. */
  static open(config: Config): Promise<Client>;
  /** Ends every call and closes the client. Pending operations are resolved after the next open. */
  close(): Promise<void>;
  /** Ends the wait of every call on this client. */
  cancel(): void;
  /** Ends the wait of the calls with this callId, and of no other call. */
  cancelCall(callId: string): void;
  /** Finds the id of a member by a key, such as "email", and its value. */
  findContact(key: string, value: string, options?: ContactOptions & Abortable): Promise<string>;
  /** Lists a member's point accounts. */
  listPoints(contactId: string, options?: WaitOptions & Abortable): Promise<Engages[]>;
  /** Lists the items that a member can buy. */
  listItems(contactId: string, options?: WaitOptions & Abortable): Promise<Engages[]>;
  /** Buys an item for points. With `submit` the operation is returned as soon as it is durable. */
  purchase(contactId: string, itemId: string, options?: PurchaseOptions & Abortable): Promise<Operation>;
  /** Lists a member's purchases in Engage. */
  listPurchases(contactId: string, options?: WaitOptions & Abortable): Promise<Engages[]>;
  /** Lists a member's rewards. */
  listRewards(contactId: string, options?: RewardOptions & Abortable): Promise<Engages[]>;
  /** Finds the reward that a completed purchase gave. */
  findReward(operationId: string, options?: WaitOptions & Abortable): Promise<FoundReward>;
  /** Uses a reward on a receipt. A redeem cannot be undone. The contact may be null. */
  redeemReward(contactId: string | null, assignmentId: string, options?: RedeemOptions & Abortable): Promise<Operation>;
  /** Lists the operations that are pending, or final and not acknowledged. */
  listUnacknowledged(options?: UnacknowledgedOptions): Promise<Operation[]>;
  /** Lists the operations of the journal, also the acknowledged ones, page by page. */
  listOperations(options?: OperationsOptions): Promise<OperationPage>;
  /** Returns the last known state of an operation. */
  getOperation(operationId: string): Promise<Operation>;
  /** Resolves the pending operations now, instead of at their next scheduled time. */
  resolvePending(options?: WaitOptions & Abortable): Promise<Resolution>;
  /** Acknowledges that the POS has stored the outcome of an operation. */
  acknowledge(operationId: string): Promise<Operation>;
  /** Stores the decision of a person about an operation in manual review, and acknowledges it. */
  resolveReview(operationId: string, resolution: "completed" | "declined", options?: ReviewOptions): Promise<Operation>;
  /** Acknowledges all operations of a reference, or none. */
  acknowledgeReference(reference: string): Promise<Operation[]>;
  /** Copies the journal into one new file, while it is in use. The path is absolute. */
  backupJournal(path: string): Promise<JournalCopy>;
  /** Returns the counters since open, and the numbers of records in the journal. */
  readStats(): Promise<Stats>;
  /** Checks everything that a sale needs, and says what to do about what is wrong. */
  check(options?: CheckOptions & Abortable): Promise<HealthReport>;
  /** Returns the metrics of this client and its journal: OpenMetrics text. */
  readMetrics(): Promise<string>;
  /** Sets the function that receives each line of the log, and its level. Null removes it. Only the
   *  main thread sets a function. */
  setLog(level: number, receive: ((line: LogLine, level: number) => void) | null): Promise<void>;
  /** Sets the function that receives each operation whose state has changed. Null removes it. Only
   *  the main thread sets a function. */
  setNotify(receive: ((operation: Operation) => void) | null): Promise<void>;
}

/** The common part of Declined, Pending and NotSent, each of which needs another action. */
export declare class PointShopError extends Error {
  readonly problem: Problem;
  /** The code, one of Code or a newer one. */
  readonly code: number;
  /** Who acts: the member is informed only if it is "tellMember". */
  readonly action: Action;
}
/** Engage declined it definitely, and nothing was deducted. */
export declare class Declined extends PointShopError {
  private readonly declined: never;
}
/** The outcome is not known yet: the library resolves the operation. Never treat it as failed. */
export declare class Pending extends PointShopError {
  private readonly pending: never;
}
/** Nothing that spends has left the till, or a read failed. */
export declare class NotSent extends PointShopError {
  private readonly notSent: never;
}
/** The native library is missing, for another processor, or of another version. */
export declare class LibraryError extends Error {}

/** Makes a new purchase id. The POS stores the id before it is used. */
export declare function newId(): string;
/** Returns the library's version, "1.2.3". */
export declare function version(): string;
/** Returns who acts on a code, also on a code that is newer than this package. */
export declare function actionOf(code: number): Action;
/** Returns the meaning of a code in one or two English sentences. */
export declare function meaningOf(code: number): string;
/** Returns one value of a JSON text by a JSON Pointer: a string is unquoted, another is JSON. */
export declare function jsonGet(json: string, pointer: string): string;
/** Writes a text as a JSON string with its quotes. */
export declare function jsonQuote(text: string): string;
