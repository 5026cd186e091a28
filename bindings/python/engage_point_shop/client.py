"""The client. Each method calls the function of the header with the same name.

Options are keyword arguments. An option is left out if it is None.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .codes import ABI_VERSION, Action, Code
from .errors import action_named, error_of
from .native import Buffer, LogFunction, load
from .types import Config, FoundReward, JournalCopy, Operation, OperationPage, PurchasedOperation, Resolution, Stats

_library = load()

LogLine = Callable[[int, str], None]
"""A log function: it receives a level and one line of the log, as JSON."""


class _Log:
    """A log function in use. Its client holds the only lasting reference."""

    def __init__(self, function: LogLine) -> None:
        self.function = function


# The references are weak, so that a log function that refers to its client does not keep the client
# open.
_logs: weakref.WeakValueDictionary[int, _Log] = weakref.WeakValueDictionary()
_log_numbers = itertools.count(1)


def _receive(number: int, level: int, line: int, length: int) -> None:
    log = _logs.get(number)
    if log is not None:
        log.function(level, ctypes.string_at(line, length).decode())


# The only function that the library receives, so that none in its hands is ever collected. It finds
# the log function by number.
_receiver = LogFunction(_receive)


def _text(value: str | None, name: str) -> bytes | None:
    if value is None:
        return None
    if "\0" in value:
        raise ValueError(f"{name} has a NUL character inside. Remove the character.")
    return value.encode()


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
        raise error_of(code, _library.eps_code_name(code).decode(), _library.eps_outcome(code), action_of(code), text)


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
        given = json.dumps({key: value for key, value in config.items() if value is not None})
        handle = ctypes.c_void_p()
        _call("eps_client_open", ABI_VERSION, _text(given, "config"), ctypes.byref(handle))
        self._handle: int = handle.value or 0
        self._log: _Log | None = None
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

    def cancel(self) -> None:
        """Ends the wait of every call on this client. Each call then raises NotSent or Pending."""
        _check(_library.eps_cancel(self._handle))

    def find_contact(self, key: str, value: str, *, contact_type: str | None = None, wait_ms: int | None = None) -> str:
        """Finds the id of a member by a key, such as "email", and its value."""
        return str(self._call("eps_find_contact", [(key, "key"), (value, "value")], contactType=contact_type, waitMs=wait_ms))

    def list_points(self, contact_id: str, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        """Lists a member's point accounts."""
        return self._list("eps_list_points", contact_id, waitMs=wait_ms)

    def list_items(self, contact_id: str, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        """Lists the items that a member can buy."""
        return self._list("eps_list_items", contact_id, waitMs=wait_ms)

    def purchase(
        self,
        contact_id: str,
        item_id: str,
        *,
        reference: str | None = None,
        purchase_id: str | None = None,
        snapshot_rewards: bool | None = None,
        wait_ms: int | None = None,
    ) -> PurchasedOperation:
        """Buys an item for points. Returns the operation when the purchase is completed.

        `snapshot_rewards` lists the member's rewards first, so that `find_reward` recognises the
        new reward.
        """
        texts = [(contact_id, "contact_id"), (item_id, "item_id")]
        bought: PurchasedOperation = self._call(
            "eps_purchase",
            texts,
            reference=reference,
            purchaseId=purchase_id,
            snapshotRewards=snapshot_rewards,
            waitMs=wait_ms,
        )
        return bought

    def list_purchases(self, contact_id: str, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        """Lists a member's purchases in Engage."""
        return self._list("eps_list_purchases", contact_id, waitMs=wait_ms)

    def list_rewards(
        self, contact_id: str, *, channel: str | None = None, wait_ms: int | None = None
    ) -> list[dict[str, Any]]:
        """Lists a member's rewards."""
        return self._list("eps_list_rewards", contact_id, channel=channel, waitMs=wait_ms)

    def find_reward(self, operation_id: str, *, wait_ms: int | None = None) -> FoundReward:
        """Finds the reward that a completed purchase gave."""
        found: FoundReward = self._call("eps_find_reward", [(operation_id, "operation_id")], waitMs=wait_ms)
        return found

    def redeem_reward(
        self,
        contact_id: str | None,
        assignment_id: str,
        *,
        channel: str | None = None,
        reference: str | None = None,
        wait_ms: int | None = None,
    ) -> PurchasedOperation:
        """Uses a reward on a receipt. Returns the operation when the redeem is completed.

        A redeem cannot be undone. `contact_id` may be None.
        """
        texts: list[tuple[str | None, str]] = [(contact_id, "contact_id"), (assignment_id, "assignment_id")]
        redeemed: PurchasedOperation = self._call(
            "eps_redeem_reward", texts, channel=channel, reference=reference, waitMs=wait_ms
        )
        return redeemed

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

    def get_operation(self, operation_id: str) -> Operation:
        """Returns the last known state of an operation."""
        operation: Operation = _call("eps_get_operation", self._handle, _text(operation_id, "operation_id"))
        return operation

    def resolve_pending(self, *, wait_ms: int | None = None) -> Resolution:
        """Resolves the pending operations now, instead of at their next scheduled time."""
        resolved: Resolution = self._call("eps_resolve_pending", [], waitMs=wait_ms)
        return resolved

    def acknowledge(self, operation_id: str) -> Operation:
        """Acknowledges that the POS has stored the outcome of an operation."""
        operation: Operation = _call("eps_acknowledge", self._handle, _text(operation_id, "operation_id"))
        return operation

    def resolve_review(
        self, operation_id: str, resolution: str, *, by: str | None = None, note: str | None = None
    ) -> Operation:
        """Stores the decision of a person about an operation in manual review, and acknowledges it.

        `resolution` is "completed" or "declined". The journal keeps `by` and `note`.
        """
        texts = [(operation_id, "operation_id"), (resolution, "resolution")]
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

    def set_log(self, level: int, function: LogLine | None) -> None:
        """Sets the function that receives each line of the log, as JSON.

        The function runs on a thread of the library. None removes the function.
        """
        log, number = None, 0
        if function is not None:
            log, number = _Log(function), next(_log_numbers)
            _logs[number] = log
        _check(_library.eps_set_log(self._handle, level, LogFunction() if log is None else _receiver, number))
        self._log = log

    def _list(self, function: str, contact_id: str, **options: Any) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._call(function, [(contact_id, "contact_id")], **options)
        return listed

    def _call(self, function: str, texts: Sequence[tuple[str | None, str]], **options: Any) -> Any:
        given = json.dumps({key: value for key, value in options.items() if value is not None})
        arguments = [_text(value, name) for value, name in texts]
        return _call(function, self._handle, *arguments, given.encode())
