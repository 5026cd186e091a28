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
    reference: str | None
    attempts: int
    httpStatus: int | None
    engageCode: str | None
    needsPerson: bool
    recordedAtMs: int
    settledAtMs: int | None
    acknowledgedAtMs: int | None
    purchase: dict[str, Any] | None


class OperationWithJoined(Operation):
    """As a call that spends answers it."""

    joined: bool


class Settled(TypedDict):
    settled: int
    pending: int


class Stats(TypedDict):
    version: str
    reads: int
    purchasesSent: int
    settlingLooks: int
    done: int
    refused: int
    notSent: int
    pending: int | None
    unacknowledged: int | None
