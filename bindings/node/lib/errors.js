"use strict";

/** The common part of the three errors below, each of which needs another action. */
class PointShopError extends Error {
  constructor(problem, action) {
    super(`${problem.name} (${problem.code}): ${problem.message}`);
    this.name = new.target.name;
    /** The problem object. */
    this.problem = problem;
    /** The code, one of Code or a newer one. */
    this.code = problem.code;
    /** Who acts: the member is informed only if it is "tellMember". */
    this.action = action;
  }
}

/** Engage declined it definitely, and nothing was deducted. */
class Declined extends PointShopError {}

/** The outcome is not known yet: the library resolves the operation. Never treat it as failed. */
class Pending extends PointShopError {}

/** Nothing that spends has left the till, or a read failed. */
class NotSent extends PointShopError {}

/** The native library is missing, for another processor, or of another version. */
class LibraryError extends Error {
  constructor(message, cause) {
    super(message, { cause });
    this.name = "LibraryError";
  }
}

module.exports = { Declined, LibraryError, NotSent, Pending, PointShopError };
