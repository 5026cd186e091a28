"""The exceptions: one for each outcome that is not *done*. None is a kind of another, so *pending* is never caught as *refused*."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from .codes import Outcome


class Problem(TypedDict):
    """The problem object of the header. What is not known is None."""

    code: int
    name: str
    outcome: str
    message: str
    httpStatus: int | None
    engageCode: str | None
    operationId: str | None
    purchaseId: str | None
    attempts: int
    retryAfterMs: int | None
    cause: list[str]


class PointShopError(Exception):
    """What the three below have in common. Catch those, not this: what to do next is different for each."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem['name']} ({problem['code']}): {problem['message']}")
        self.problem = problem

    @property
    def code(self) -> int:
        """To be compared with Code; a newer library may give a number that is not in it."""
        return self.problem["code"]


class Declined(PointShopError):
    """Engage said no, definitely; nothing was deducted."""


class Pending(PointShopError):
    """Not known yet: the journal holds it and it is being settled. Never treat it as failed."""


class NotSent(PointShopError):
    """Nothing that spends has left the till, or a read failed."""


class LibraryError(ImportError):
    """The native library is missing, for another processor, or of another version than this package."""


def error_of(code: int, name: str, outcome: int, text: str) -> PointShopError:
    """The exception of a code with its problem object, which after the worst of faults may be absent."""
    problem: Any = dict.fromkeys(Problem.__annotations__)
    problem.update(code=code, name=name, message="the library gave no details", attempts=0, cause=[])
    if text:
        problem.update(json.loads(text))
    if outcome == Outcome.DECLINED:
        return Declined(problem)
    return NotSent(problem) if outcome == Outcome.NOT_SENT else Pending(problem)
