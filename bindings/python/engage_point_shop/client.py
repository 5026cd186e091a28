"""The client. Each method calls the function of the header with the same name.

Options are keyword arguments. An option is left out if it is None. Every identifier may be a
uuid.UUID, and every path a pathlib.Path.

On the main thread Ctrl-C and other signal handlers act while a call waits. If a handler raises, the
call ends within 100 ms, and the exception has the attribute `outcome`: the result of the call, or
its Pending, Declined or NotSent.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Union
from uuid import UUID

from .codes import ABI_VERSION, Action, Code
from .errors import Pending, action_named, error_of
from .native import Buffer, LogFunction, NotifyFunction, load
from .types import (
    Config,
    FoundReward,
    HealthReport,
    JournalCopy,
    Operation,
    OperationPage,
    PurchasedOperation,
    Resolution,
    Stats,
)
from .waiting import interruptible

_library = load()

Id = Union[str, UUID]
"""An identifier: a text or a uuid.UUID."""

LogLine = Callable[[int, str], None]
"""A log function: it receives a level and one line of the log, as JSON."""

Notify = Callable[[Operation], None]
"""A notify function: it receives an operation whose state has changed."""


class _Function:
    """A function in use. Its client holds the only lasting reference."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function


# The references are weak, so that a function that refers to its client does not keep the client
# open.
_functions: weakref.WeakValueDictionary[int, _Function] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


def _receive_line(number: int, level: int, line: int, length: int) -> None:
    used = _functions.get(number)
    if used is not None:
        used.function(level, ctypes.string_at(line, length).decode())


def _receive_change(number: int, text: int, length: int) -> None:
    used = _functions.get(number)
    if used is not None:
        used.function(json.loads(ctypes.string_at(text, length)))


# The only functions that the library receives, so that none in its hands is ever collected. They
# find the POS's function by number.
_line_receiver = LogFunction(_receive_line)
_change_receiver = NotifyFunction(_receive_change)


def _use(function: Callable[..., None] | None) -> tuple[_Function | None, int]:
    if function is None:
        return None, 0
    used, number = _Function(function), next(_numbers)
    _functions[number] = used
    return used, number


def _plain(value: object) -> str:
    """Writes a path or a UUID as JSON has it."""
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a value for the library: {value!r}")


def _json(values: Mapping[str, Any]) -> str:
    if not isinstance(values, Mapping):
        raise TypeError(f"The configuration and the options are a dict, not {type(values).__name__}.")
    return json.dumps({key: value for key, value in values.items() if value is not None}, default=_plain)


def _text(value: Id | None, name: str) -> bytes | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else _plain(value)
    if "\0" in text:
        raise ValueError(f"{name} has a NUL character inside. Remove the character.")
    return text.encode()


def log_to(logger: logging.Logger) -> LogLine:
    """Returns a log function that gives each line to a logger of Python's logging.

    `shop.set_log(LogLevel.INFO, log_to(logging.getLogger("points")))`. The message is the line, and
    the record's attribute `eps` has its values.
    """
    levels = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO}

    def log(level: int, line: str) -> None:
        number = levels.get(level, logging.DEBUG)
        if logger.isEnabledFor(number):
            logger.log(number, "%s", line, extra={"eps": json.loads(line)})

    return log


def _call(function: str, *arguments: Any) -> Any:
    """Calls a function of the C API. Returns its JSON or raises the exception of its outcome."""
    return json.loads(_call_text(function, *arguments))


def _call_text(function: str, *arguments: Any) -> str:
    """Calls a function of the C API. Returns its text or raises the exception of its outcome."""
    buffer = Buffer()
    code: int = getattr(_library, function)(*arguments, ctypes.byref(buffer))
    try:
        text = ctypes.string_at(buffer.data, buffer.len).decode() if buffer.data else ""
    finally:
        _library.eps_buffer_dispose(ctypes.byref(buffer))
    _check(code, text)
    return text


def _check(code: int, text: str = "") -> None:
    if code != Code.OK:
        name = _library.eps_code_name(code).decode()
        raise error_of(code, name, meaning_of(code), _library.eps_outcome(code), action_of(code), text)


def action_of(code: int) -> Action:
    """Returns who acts on a code, also on a code that is newer than this package."""
    return action_named(_library.eps_code_action(code).decode())


def meaning_of(code: int) -> str:
    """Returns the meaning of a code in one or two English sentences."""
    return str(_library.eps_code_meaning(code).decode())


def json_get(text: str, pointer: str) -> str:
    """Returns one value of a JSON text by a JSON Pointer, "/operationId".

    A string is unquoted, any other value is JSON. Without the value it raises NotSent
    (EPS_BAD_OPTIONS). json.loads reads a whole text.
    """
    given = text.encode()
    source = Buffer(ctypes.cast(ctypes.c_char_p(given), ctypes.c_void_p), len(given), 0)
    return _call_text("eps_json_get", ctypes.byref(source), _text(pointer, "pointer"))


def json_quote(text: str) -> str:
    """Writes a text as a JSON string with its quotes. json.dumps writes whole objects."""
    return _call_text("eps_json_quote", _text(text, "text"))


def new_id() -> str:
    """Makes a new purchase id. The POS stores the id before it is used."""
    return str(_call("eps_new_id"))


def version() -> str:
    """Returns the library's version, "1.2.3"."""
    return str(_library.eps_version().decode())


class Client:
    """A client of one Engage tenant. Any thread may call any method at any time.

    `close`, the end of `with`, the garbage collector or the end of the interpreter closes it.
    A second close does nothing. A call that is not completed raises Pending, Declined or NotSent.
    """

    def __init__(self, config: Config | Mapping[str, Any]) -> None:
        """Opens the client.

        docs/configuration.md lists the keys. A key is left out if its value is None.
        """
        given = _json(config)
        handle = ctypes.c_void_p()
        _call("eps_client_open", ABI_VERSION, _text(given, "config"), ctypes.byref(handle))
        self._handle: int = handle.value or 0
        self._log: _Function | None = None
        self._notify: _Function | None = None
        self._call_numbers = itertools.count(1)
        # Holds the number and not this object, which it would keep alive.
        self._finalizer = weakref.finalize(self, _library.eps_client_close, self._handle)

    def __enter__(self) -> Client:
        """Returns the client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Closes the client."""
        self.close()

    def close(self) -> None:
        """Ends every call, also in other threads, and closes the client.

        Pending operations are resolved after the next open.
        """
        code: int | None = self._finalizer()
        if code is not None:
            _check(code)

    @property
    def is_open(self) -> bool:
        """Whether the client was not closed yet."""
        return self._finalizer.alive

    def cancel(self) -> None:
        """Ends the wait of every call on this client. Each call then raises NotSent or Pending."""
        _check(_library.eps_cancel(self._handle))

    def cancel_call(self, call_id: str) -> None:
        """Ends the wait of the calls that were made with this `call_id`, and of no other call."""
        _check(_library.eps_cancel_call(self._handle, _text(call_id, "call_id")))

    def find_contact(
        self,
        key: str,
        value: str,
        *,
        contact_type: str | None = None,
        wait_ms: int | None = None,
        call_id: str | None = None,
    ) -> str:
        """Finds the id of a member by a key, such as "email", and its value."""
        texts: list[tuple[Id | None, str]] = [(key, "key"), (value, "value")]
        return str(self._wait("eps_find_contact", texts, call_id, contactType=contact_type, waitMs=wait_ms))

    def list_points(
        self, contact_id: Id, *, wait_ms: int | None = None, call_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Lists a member's point accounts."""
        return self._list("eps_list_points", contact_id, call_id, waitMs=wait_ms)

    def list_items(
        self, contact_id: Id, *, wait_ms: int | None = None, call_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Lists the items that a member can buy."""
        return self._list("eps_list_items", contact_id, call_id, waitMs=wait_ms)

    def purchase(
        self,
        contact_id: Id,
        item_id: Id,
        *,
        reference: str | None = None,
        purchase_id: Id | None = None,
        snapshot_rewards: bool | None = None,
        wait_ms: int | None = None,
        call_id: str | None = None,
        submit: bool | None = None,
    ) -> PurchasedOperation:
        """Buys an item for points. Returns the operation when the purchase is completed.

        `snapshot_rewards` lists the member's rewards first, so that `find_reward` recognises the
        new reward. With `submit` the call returns the pending operation as soon as it is durable;
        `set_notify` reports its outcome.
        """
        return self._spend(
            "eps_purchase",
            [(contact_id, "contact_id"), (item_id, "item_id")],
            call_id,
            submit=submit,
            reference=reference,
            purchaseId=purchase_id,
            snapshotRewards=snapshot_rewards,
            waitMs=wait_ms,
        )

    def list_purchases(
        self, contact_id: Id, *, wait_ms: int | None = None, call_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Lists a member's purchases in Engage."""
        return self._list("eps_list_purchases", contact_id, call_id, waitMs=wait_ms)

    def list_rewards(
        self, contact_id: Id, *, channel: str | None = None, wait_ms: int | None = None, call_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Lists a member's rewards."""
        return self._list("eps_list_rewards", contact_id, call_id, channel=channel, waitMs=wait_ms)

    def find_reward(self, operation_id: Id, *, wait_ms: int | None = None, call_id: str | None = None) -> FoundReward:
        """Finds the reward that a completed purchase gave."""
        found: FoundReward = self._wait("eps_find_reward", [(operation_id, "operation_id")], call_id, waitMs=wait_ms)
        return found

    def redeem_reward(
        self,
        contact_id: Id | None,
        assignment_id: Id,
        *,
        channel: str | None = None,
        reference: str | None = None,
        wait_ms: int | None = None,
        call_id: str | None = None,
        submit: bool | None = None,
    ) -> PurchasedOperation:
        """Uses a reward on a receipt. Returns the operation when the redeem is completed.

        A redeem cannot be undone. `contact_id` may be None. `submit` is as for `purchase`.
        """
        return self._spend(
            "eps_redeem_reward",
            [(contact_id, "contact_id"), (assignment_id, "assignment_id")],
            call_id,
            submit=submit,
            channel=channel,
            reference=reference,
            waitMs=wait_ms,
        )

    def list_unacknowledged(self, *, reference: str | None = None) -> list[Operation]:
        """Lists the operations that are pending, or final and not acknowledged.

        `reference` lists only the operations of this reference, for example of one receipt.
        """
        operations: list[Operation] = self._call("eps_list_unacknowledged", [], reference=reference)["operations"]
        return operations

    def list_operations(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        outcome: str | None = None,
        acknowledged: bool | None = None,
        reference: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> OperationPage:
        """Lists the operations of the journal, also the acknowledged ones, page by page.

        `since` and `until` are the times of their records, in ms since 1970 UTC. `after` is the
        "next" of the page before this one.
        """
        page: OperationPage = self._call(
            "eps_list_operations",
            [],
            since=since,
            until=until,
            outcome=outcome,
            acknowledged=acknowledged,
            reference=reference,
            limit=limit,
            after=after,
        )
        return page

    def get_operation(self, operation_id: Id) -> Operation:
        """Returns the last known state of an operation."""
        operation: Operation = _call("eps_get_operation", self._handle, _text(operation_id, "operation_id"))
        return operation

    def resolve_pending(self, *, wait_ms: int | None = None, call_id: str | None = None) -> Resolution:
        """Resolves the pending operations now, instead of at their next scheduled time."""
        resolved: Resolution = self._wait("eps_resolve_pending", [], call_id, waitMs=wait_ms)
        return resolved

    def acknowledge(self, operation_id: Id) -> Operation:
        """Acknowledges that the POS has stored the outcome of an operation."""
        operation: Operation = _call("eps_acknowledge", self._handle, _text(operation_id, "operation_id"))
        return operation

    def resolve_review(
        self, operation_id: Id, resolution: str, *, by: str | None = None, note: str | None = None
    ) -> Operation:
        """Stores the decision of a person about an operation in manual review, and acknowledges it.

        `resolution` is "completed" or "declined". The journal keeps `by` and `note`.
        """
        texts: list[tuple[Id | None, str]] = [(operation_id, "operation_id"), (resolution, "resolution")]
        operation: Operation = self._call("eps_resolve_review", texts, by=by, note=note)
        return operation

    def acknowledge_reference(self, reference: str) -> list[Operation]:
        """Acknowledges all operations of a reference, or none."""
        operations: list[Operation] = self._call("eps_acknowledge_reference", [(reference, "reference")])["operations"]
        return operations

    def backup_journal(self, path: str) -> JournalCopy:
        """Copies the journal into one new file, while it is in use. The copy is marked as one.

        `path` is absolute. No file is overwritten.
        """
        copy: JournalCopy = self._call("eps_backup_journal", [(path, "path")])
        return copy

    def read_stats(self) -> Stats:
        """Returns the counters since open, and the numbers of records in the journal."""
        stats: Stats = _call("eps_read_stats", self._handle)
        return stats

    def check(
        self, *, offline: bool | None = None, wait_ms: int | None = None, call_id: str | None = None
    ) -> HealthReport:
        """Checks everything that a sale needs, and says what to do about what is wrong."""
        report: HealthReport = self._wait("eps_check", [], call_id, offline=offline, waitMs=wait_ms)
        return report

    def read_metrics(self) -> str:
        """Returns the metrics of this client and its journal: OpenMetrics text."""
        return _call_text("eps_read_metrics", self._handle)

    def set_log(self, level: int, function: LogLine | None) -> None:
        """Sets the function that receives each line of the log, as JSON.

        The function runs on a thread of the library. None removes the function.
        """
        log, number = _use(function)
        _check(_library.eps_set_log(self._handle, level, LogFunction() if log is None else _line_receiver, number))
        self._log = log

    def set_notify(self, function: Notify | None) -> None:
        """Sets the function that receives each operation whose state has changed.

        The function first receives every operation that is not acknowledged. It runs on a thread of
        the library. None removes the function.
        """
        notify, number = _use(function)
        given = NotifyFunction() if notify is None else _change_receiver
        _check(_library.eps_set_notify(self._handle, given, number))
        self._notify = notify

    def _list(self, function: str, contact_id: Id, call_id: str | None, **options: Any) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._wait(function, [(contact_id, "contact_id")], call_id, **options)
        return listed

    def _spend(
        self, function: str, texts: Sequence[tuple[Id | None, str]], call_id: str | None, **options: Any
    ) -> PurchasedOperation:
        try:
            spent: PurchasedOperation = self._wait(function, texts, call_id, **options)
        except Pending as pending:
            # Durable, and on its way: as asked for.
            submitted = pending.problem.get("operation")
            if submitted is None or pending.code != Code.PENDING_SUBMITTED:
                raise
            return submitted
        return spent

    def _wait(
        self, function: str, texts: Sequence[tuple[Id | None, str]], call_id: str | None, **options: Any
    ) -> Any:
        """Makes a call that waits for the network, so that Ctrl-C can end it."""
        name = call_id or f"python-{next(self._call_numbers)}"
        return interruptible(
            lambda: self._call(function, texts, callId=name, **options),
            lambda: _library.eps_cancel_call(self._handle, name.encode()),
        )

    def _call(self, function: str, texts: Sequence[tuple[Id | None, str]], **options: Any) -> Any:
        arguments = [_text(value, name) for value, name in texts]
        return _call(function, self._handle, *arguments, _json(options).encode())
