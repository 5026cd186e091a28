"""The types of the library's own JSON, with the header's names.

Engage's own objects are passed on unchanged, as `dict[str, Any]`.
"""

from __future__ import annotations

import os
from typing import Any, TypedDict, Union

FilePath = Union[str, "os.PathLike[str]"]
"""A path: a text or a pathlib.Path."""


class Review(TypedDict):
    """The decision of a person about an operation in manual review."""

    resolution: str
    """The decision: "completed" or "declined"."""
    by: str | None
    """The person who decided, or None."""
    note: str | None
    """The note, or None."""
    atMs: int
    """The time of the decision, in ms since 1970 UTC."""


class Operation(TypedDict):
    """An operation: a purchase or a redeem, as the journal holds it.

    A value is None if it is not known.
    """

    operationId: str
    """The operation's id; for a purchase it is also the purchase id."""
    kind: str
    """The kind: "purchase" or "redeem"."""
    outcome: str
    """The outcome: "completed", "declined", "pending" or "notSent"."""
    state: str
    """The state in the journal."""
    code: int
    """The code of the outcome."""
    name: str
    """The name of the code."""
    action: str
    """Who acts on the code; see Action."""
    forCashier: str
    """What the cashier reads, in the language of the configuration."""
    forMember: str
    """What the member is shown, in the language of the configuration."""
    purchaseId: str | None
    """The purchase id; None for a redeem."""
    contactId: str | None
    """The member's contact id; None if it was not given."""
    itemId: str | None
    """The id of the bought item; None for a redeem."""
    assignmentId: str | None
    """The assignment id of the redeemed reward, or of the purchase's reward once it is certain."""
    channel: str | None
    """The channel of a redeem; None for a purchase."""
    reference: str | None
    """The POS's own name for the sale."""
    attempts: int
    """The number of attempts: requests that may have spent."""
    httpStatus: int | None
    """The HTTP status of the last response, if there was one."""
    engageCode: str | None
    """Engage's own error code, if there was one."""
    cause: list[str]
    """The causes of the last response's code, outermost first."""
    requestIds: list[str]
    """Engage's own ids of the requests."""
    needsReview: bool
    """Whether the operation needs a manual review, because the library cannot resolve it."""
    review: Review | None
    """The decision of a person, or None."""
    recordedAtMs: int
    """The time at which the intent was recorded, in ms since 1970 UTC."""
    resolvedAtMs: int | None
    """The time at which the outcome became known, in ms since 1970 UTC."""
    acknowledgedAtMs: int | None
    """The time at which the POS acknowledged the outcome, in ms since 1970 UTC."""
    expectedByMs: int | None
    """The time by which a pending operation has an outcome at the latest, in ms since 1970 UTC."""
    lastQueryAtMs: int | None
    """The time of the last status query, in ms since 1970 UTC."""
    nextQueryAtMs: int | None
    """The time of the next status query while it is pending, in ms since 1970 UTC."""
    lastCode: int | None
    """The code of the last attempt or status query."""
    firstPendingCode: int | None
    """The code with which the operation became pending."""
    retryCount: int
    """The number of status queries that no caller waited for."""
    tenant: str | None
    """The tenant to which the operation belongs."""
    foreign: bool
    """Whether it belongs to another tenant than the client's, which neither queries nor sends it."""
    writerVersion: str
    """The version of the library that wrote the record last."""
    purchase: dict[str, Any] | None
    """Engage's purchase object, once the purchase is completed."""
    reward: dict[str, Any] | None
    """Engage's reward object of a redeem, if Engage returned it."""


class PurchasedOperation(Operation):
    """The operation that `purchase` and `redeem_reward` return."""

    existing: bool
    """Whether the call found an existing operation."""


class OperationPage(TypedDict):
    """One page of `list_operations`."""

    operations: list[Operation]
    """The operations, oldest first; a page may be empty."""
    next: str | None
    """The value of `after` for the next page; None behind the last page."""


class Receipt(TypedDict):
    """The texts of a reward for a receipt and a screen. A value is None if it is not known."""

    title: str | None
    """The title for the member."""
    description: str | None
    """The longer description."""
    barcode: str | None
    """The text of the barcode, to be printed as a barcode."""
    expiresOn: str | None
    """The time at which the reward expires, in Engage's format."""
    instruction: str | None
    """The instruction for the cashier."""
    valueType: str | None
    """The type of the value."""
    value: Any
    """The value, in Engage's format."""


class FoundReward(TypedDict):
    """The reward of a purchase, and how certain it is."""

    certainty: str
    """The certainty.

    "explicit", "newSincePurchase" and "onlyCandidate" are certain; "ambiguous" and "none" are not.
    """
    assignmentId: str | None
    """The assignment id for `redeem_reward`; None unless the reward is certain."""
    reward: dict[str, Any] | None
    """Engage's reward object, or None."""
    receipt: Receipt | None
    """The reward's texts for a receipt and a screen, or None."""
    candidates: list[dict[str, Any]]
    """The rewards from which a person can choose, if the reward is ambiguous."""


class Resolution(TypedDict):
    """The result of `resolve_pending`."""

    resolved: int
    """The number of operations that were resolved."""
    pending: int
    """The number of operations that are still pending."""


class JournalCopy(TypedDict):
    """The result of `backup_journal`."""

    path: str
    """The path of the copy, as it was given."""
    bytes: int
    """The size of the copy."""
    operations: int
    """The number of operations in the copy."""


class HealthCheck(TypedDict):
    """One check of a `HealthReport`."""

    name: str
    """The name, which never changes."""
    status: str
    """The status: "ok", "warn", "fail" or "unknown"."""
    message: str
    """What was found."""
    action: str | None
    """Who does what, or None."""
    sinceMs: int | None
    """Since when, or None."""


class HealthReport(TypedDict):
    """The result of `check`."""

    status: str
    """The worst status: "ok", "warn" or "fail"."""
    checks: list[HealthCheck]
    """The checks."""
    pendingPoints: int | None
    """The points of the pending purchases as far as they are known; None without a journal."""


class Stats(TypedDict):
    """The counters since open, and the numbers of records in the journal."""

    version: str
    """The library's version."""
    reads: int
    """The number of reads that were made."""
    purchasesSent: int
    """The number of attempts of purchases."""
    redeemsSent: int
    """The number of attempts of redeems."""
    statusQueries: int
    """The number of status queries."""
    completed: int
    """The number of operations that became completed."""
    declined: int
    """The number of operations that became declined."""
    notSent: int
    """The number of operations that became not sent."""
    pending: int | None
    """The number of pending operations in the journal; None without a journal."""
    unacknowledged: int | None
    """The number of unacknowledged operations in the journal; None without a journal."""


class Config(TypedDict, total=False):
    """The configuration of a client. docs/configuration.md describes each key.

    A key is left out if its value is None.
    """

    baseUrl: str | None
    """The tenant's URL, "https://acme.voyado.com", or a relay's. Required."""
    userAgent: str | None
    """The POS and its version, "AcmePOS/1.5". Required."""
    apiKey: str | None
    """The API key; None if a relay adds it."""
    journalPath: FilePath | None
    """The absolute path of the journal's file, on a local disk."""
    journal: str | None
    """"memory" in place of a file: pending operations are lost with the process."""
    waitMs: int | None
    """The longest wait of a call; 10000 ms if it is absent."""
    requestTimeoutMs: int | None
    """The timeout of one request; 60000 ms if it is absent."""
    caFile: FilePath | None
    """A PEM file with root certificates, beside the system's."""
    systemTrust: bool | None
    """Whether the system's root certificates are used; True if it is absent."""
    clientCertFile: FilePath | None
    """A PEM file with the till's certificate, which a relay checks."""
    clientKeyFile: FilePath | None
    """A PEM file with the key of clientCertFile."""
    proxy: str | None
    """"http://user:password@host:port" or "none"; the environment's proxy if it is absent."""
    preconnect: bool | None
    """Whether a connection is made on open; True if it is absent."""
    maxResponseBytes: int | None
    """The size limit of a response; 8388608 if it is absent."""
    retryScheduleMs: list[int] | None
    """The waits between status queries of a pending operation, in ms."""
    startupJitterMs: int | None
    """The time after an open within which the first status queries start; 300000 ms if absent."""
    resendLimitMs: int | None
    """The age after which a purchase is not sent again; 86400000 ms if it is absent."""
    tenant: str | None
    """Whose operations the journal holds; the origin of baseUrl if it is absent."""
    historyLagMs: int | None
    """The longest delay with which Engage's history shows a purchase; 600000 ms if absent."""
    referenceWindowMs: int | None
    """How long after its acknowledgement a reference means the same purchase; 43200000 ms if absent."""
    idScope: str | None
    """"journal" (the default) or "tenant": purchase ids are derived from the sale."""
    language: str | None
    """The language of forCashier and forMember: "en" (the default), "sv", "nb", "da", "fi" or "de"."""
    logFile: FilePath | None
    """The absolute path of the library's own log file; none if it is absent."""
    logLevel: str | None
    """The level of the lines in logFile: "error", "warn", "info" (the default) or "debug"."""
    logFileBytes: int | None
    """The size at which logFile is renamed and begun anew; 5242880 if it is absent."""
    logFiles: int | None
    """The number of log files, the newest one included; 5 if it is absent."""
    retentionDays: int | None
    """The time for which acknowledged records are kept, in days; 90 if it is absent."""
    sealPath: FilePath | None
    """The path of the journal's seal; beside the journal if it is absent."""
    journalRole: str | None
    """"live" (the default), or "copy" or "takeOver" for a journal that is a copy."""
    journalRecovery: str | None
    """"refuse" (the default), or "accept" for a journal that has lost records."""
    apiMapping: dict[str, Any] | None
    """The names in Engage's API that Voyado's public pages do not state."""
