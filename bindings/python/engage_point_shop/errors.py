"""The exceptions: one for each outcome other than *completed*.

No exception derives from another one, so that a handler for *declined* never catches *pending*.
"""

from __future__ import annotations

import json
from typing import Any, TypedDict

from .codes import Action, Outcome
from .types import PurchasedOperation


class _Problem(TypedDict):
    """The keys that every problem object has."""

    code: int
    """The number of the code."""
    name: str
    """The name of the code, "EPS_DECLINED"."""
    outcome: str
    """The outcome: "declined", "pending" or "notSent"."""
    message: str
    """The message for a person: the problem and the next action."""
    httpStatus: int | None
    """The HTTP status of the response, if there was one."""
    engageCode: str | None
    """Engage's own error code, if there was one."""
    operationId: str | None
    """The id of the operation, if there is one."""
    purchaseId: str | None
    """The purchase id, if the operation is a purchase."""
    attempts: int
    """The number of attempts: requests that may have spent."""
    retryAfterMs: int | None
    """The time to wait before another try in ms, if the server gave one."""
    cause: list[str]
    """The causes, outermost first."""
    forCashier: str
    """What the cashier reads, in the language of the configuration."""
    forMember: str
    """What the member is shown, in the language of the configuration."""


class Problem(_Problem, total=False):
    """The problem object of a call that is not completed. A value is None if it is not known."""

    operation: PurchasedOperation
    """The operation; only of a pending purchase or redeem with the option submit."""


class PointShopError(Exception):
    """The common part of the three exceptions below.

    Catch the three exceptions instead, because each needs another action.
    """

    def __init__(self, problem: Problem, action: Action = Action.ADMINISTRATOR) -> None:
        """Makes the exception of a problem object."""
        super().__init__(f"{problem['name']} ({problem['code']}): {problem['message']}")
        self.problem = problem
        """The problem object, unchanged."""
        self.action = action
        """Who acts: the member is informed only if it is TELL_MEMBER."""

    def __reduce__(self) -> tuple[type[PointShopError], tuple[Problem, Action]]:
        """Lets the exception be pickled, for example by multiprocessing."""
        return type(self), (self.problem, self.action)

    @property
    def code(self) -> int:
        """The code, to be compared with Code.

        A newer library may return a number that Code does not list.
        """
        return self.problem["code"]


class Declined(PointShopError):
    """Declined: Engage declined it definitely, and nothing was deducted."""


class Pending(PointShopError):
    """Pending: the outcome is not known yet and the library resolves it.

    Never treat it as failed.
    """


class NotSent(PointShopError):
    """Not sent: nothing that spends has left the till, or a read failed."""


class LibraryError(ImportError):
    """The native library is missing, for another processor, or of another version."""


def action_named(name: str) -> Action:
    """Returns the action of a name. A name that is newer than this package is the administrator's."""
    try:
        return Action(name)
    except ValueError:
        return Action.ADMINISTRATOR


_OUTCOMES: dict[int, str] = {Outcome.DECLINED: "declined", Outcome.NOT_SENT: "notSent"}


def error_of(code: int, name: str, meaning: str, outcome: int, action: Action, text: str) -> PointShopError:
    """Returns the exception of a code. A call without a buffer has no problem object."""
    problem: Any = dict.fromkeys(_Problem.__annotations__)
    problem.update(code=code, name=name, outcome=_OUTCOMES.get(outcome, "pending"), message=meaning, attempts=0, cause=[])
    if text:
        problem.update(json.loads(text))
    elif problem["outcome"] == "pending":
        problem["forCashier"] = "Not clear yet. Finish the sale, and call support."
        problem["forMember"] = "Your request takes a little longer. You will see it in your points."
    elif action == Action.RETRY:
        problem["forCashier"] = "This was interrupted. Try again."
        problem["forMember"] = "This was interrupted. We will try again."
    else:
        problem["forCashier"] = "Not available now. Call support."
        problem["forMember"] = "Points and rewards are not available right now."
    if outcome == Outcome.DECLINED:
        return Declined(problem, action)
    return NotSent(problem, action) if outcome == Outcome.NOT_SENT else Pending(problem, action)
