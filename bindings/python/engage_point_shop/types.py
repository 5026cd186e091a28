"""What the library's own answers hold, as the header names it. What is Engage's is passed on as it came: `dict[str, Any]`."""

from __future__ import annotations

from typing import Any, TypedDict


class Operation(TypedDict):
    """What the library knows of something that spends."""

    operationId: str
    kind: str
    outcome: str
    state: str
    code: int
    name: str
    purchaseId: str | None
    contactId: str | None
    itemId: str | None
    assignmentId: str | None
    channel: str | None
    reference: str | None
    attempts: int
    httpStatus: int | None
    engageCode: str | None
    needsReview: bool
    recordedAtMs: int
    resolvedAtMs: int | None
    acknowledgedAtMs: int | None
    purchase: dict[str, Any] | None
    reward: dict[str, Any] | None


class PurchasedOperation(Operation):
    """As a call that spends answers it."""

    existing: bool


class Receipt(TypedDict):
    """What a receipt and a screen need of a reward."""

    title: str | None
    description: str | None
    barcode: str | None
    expiresOn: str | None
    instruction: str | None
    valueType: str | None
    value: Any


class FoundReward(TypedDict):
    """Which reward a purchase gave: "explicit", "newSincePurchase" and "onlyCandidate" are certain, "ambiguous" and "none" are not."""

    certainty: str
    assignmentId: str | None
    reward: dict[str, Any] | None
    receipt: Receipt | None
    candidates: list[dict[str, Any]]


class Resolution(TypedDict):
    resolved: int
    pending: int


class Stats(TypedDict):
    version: str
    reads: int
    purchasesSent: int
    statusQueries: int
    completed: int
    declined: int
    notSent: int
    pending: int | None
    unacknowledged: int | None
