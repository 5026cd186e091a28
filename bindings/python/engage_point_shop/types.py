"""The types of the library's own JSON, with the header's names.

Engage's own objects are passed on unchanged, as `dict[str, Any]`.
"""

from __future__ import annotations

from typing import Any, TypedDict


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
    needsReview: bool
    """Whether the operation needs a manual review, because the library cannot resolve it."""
    recordedAtMs: int
    """The time at which the intent was recorded, in ms since 1970 UTC."""
    resolvedAtMs: int | None
    """The time at which the outcome became known, in ms since 1970 UTC."""
    acknowledgedAtMs: int | None
    """The time at which the POS acknowledged the outcome, in ms since 1970 UTC."""
    purchase: dict[str, Any] | None
    """Engage's purchase object, once the purchase is completed."""
    reward: dict[str, Any] | None
    """Engage's reward object of a redeem, if Engage returned it."""


class PurchasedOperation(Operation):
    """The operation that `purchase` and `redeem_reward` return."""

    existing: bool
    """Whether the call found an existing operation."""


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
