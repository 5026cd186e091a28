"""The client. Each method is the function of the header with the same name; options are keyword arguments, left out when None."""

from __future__ import annotations

import ctypes
import itertools
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .codes import ABI_VERSION, Code
from .errors import error_of
from .native import Buffer, LogFunction, load
from .types import FoundReward, Operation, PurchasedOperation, Resolution, Stats

_library = load()

LogLine = Callable[[int, str], None]


class _Log:
    """A log function in use; kept by its client."""

    def __init__(self, function: LogLine) -> None:
        self.function = function


# By number and weakly, so that a log function which refers to its client does not keep it open.
_logs: weakref.WeakValueDictionary[int, _Log] = weakref.WeakValueDictionary()
_log_numbers = itertools.count(1)


def _receive(number: int, level: int, line: int, length: int) -> None:
    log = _logs.get(number)
    if log is not None:
        log.function(level, ctypes.string_at(line, length).decode())


# The one function that the library ever gets, so that none it holds can be collected. It finds the real one by its number.
_receiver = LogFunction(_receive)


def _text(value: str | None, name: str) -> bytes | None:
    if value is None:
        return None
    if "\0" in value:
        raise ValueError(f"{name} has a NUL character inside")
    return value.encode()


def _answer(function: str, *arguments: Any) -> Any:
    """Calls a function that answers with JSON, and gives it or raises the exception of its outcome."""
    buffer = Buffer()
    code: int = getattr(_library, function)(*arguments, ctypes.byref(buffer))
    try:
        text = ctypes.string_at(buffer.data, buffer.len).decode() if buffer.data else ""
    finally:
        _library.eps_buffer_dispose(ctypes.byref(buffer))
    _check(code, text)
    return json.loads(text)


def _check(code: int, text: str = "") -> None:
    if code != Code.OK:
        raise error_of(code, _library.eps_code_name(code).decode(), _library.eps_outcome(code), text)


def new_id() -> str:
    """A fresh purchase id, to be stored before it is used."""
    return str(_answer("eps_new_id"))


def version() -> str:
    """The library's version."""
    return str(_library.eps_version().decode())


class Client:
    """A client of one Engage tenant. Any thread may call any method at any time.

    Closed by `close`, by `with`, by the collector or at the interpreter's end, whichever comes first; later ones do nothing.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Opens the client. The keys of `config` are those of the header; one that is None is left out."""
        given = json.dumps({key: value for key, value in config.items() if value is not None})
        handle = ctypes.c_void_p()
        _answer("eps_client_open", ABI_VERSION, _text(given, "config"), ctypes.byref(handle))
        self._handle: int = handle.value or 0
        self._log: _Log | None = None
        # Knows the number, not this object, which it would keep alive.
        self._finalizer = weakref.finalize(self, _library.eps_client_close, self._handle)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends every call, in other threads too, and closes. What is pending is settled after the next open."""
        code: int | None = self._finalizer()
        if code is not None:
            _check(code)

    def cancel(self) -> None:
        """Makes every call that now waits on this client return: with NotSent or with Pending, whichever is true."""
        _check(_library.eps_cancel(self._handle))

    def find_contact(self, key: str, value: str, *, contact_type: str | None = None, wait_ms: int | None = None) -> str:
        return str(self._call("eps_find_contact", [(key, "key"), (value, "value")], contactType=contact_type, waitMs=wait_ms))

    def list_points(self, contact_id: str, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        return self._list("eps_list_points", contact_id, waitMs=wait_ms)

    def list_items(self, contact_id: str, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
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
        """Returns when it is done; else raises Pending, Declined or NotSent."""
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
        return self._list("eps_list_purchases", contact_id, waitMs=wait_ms)

    def list_rewards(
        self, contact_id: str, *, channel: str | None = None, wait_ms: int | None = None
    ) -> list[dict[str, Any]]:
        return self._list("eps_list_rewards", contact_id, channel=channel, waitMs=wait_ms)

    def find_reward(self, operation_id: str, *, wait_ms: int | None = None) -> FoundReward:
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
        """Returns when it is done; else raises Pending, Declined or NotSent. Without a contact: None."""
        texts: list[tuple[str | None, str]] = [(contact_id, "contact_id"), (assignment_id, "assignment_id")]
        redeemed: PurchasedOperation = self._call(
            "eps_redeem_reward", texts, channel=channel, reference=reference, waitMs=wait_ms
        )
        return redeemed

    def list_unacknowledged(self) -> list[Operation]:
        operations: list[Operation] = self._call("eps_list_unacknowledged", [])["operations"]
        return operations

    def get_operation(self, operation_id: str) -> Operation:
        operation: Operation = _answer("eps_get_operation", self._handle, _text(operation_id, "operation_id"))
        return operation

    def resolve_pending(self, *, wait_ms: int | None = None) -> Resolution:
        resolved: Resolution = self._call("eps_resolve_pending", [], waitMs=wait_ms)
        return resolved

    def acknowledge(self, operation_id: str) -> Operation:
        operation: Operation = _answer("eps_acknowledge", self._handle, _text(operation_id, "operation_id"))
        return operation

    def read_stats(self) -> Stats:
        stats: Stats = _answer("eps_read_stats", self._handle)
        return stats

    def set_log(self, level: int, function: LogLine | None) -> None:
        """Gives each line of the log, JSON, to `function(level, line)` on a thread of the library's own; None removes it."""
        log, number = None, 0
        if function is not None:
            log, number = _Log(function), next(_log_numbers)
            _logs[number] = log
        _check(_library.eps_set_log(self._handle, level, LogFunction() if log is None else _receiver, number))
        self._log = log

    def _list(self, function: str, contact_id: str, **options: Any) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._call(function, [(contact_id, "contact_id")], **options)
        return answer

    def _call(self, function: str, texts: Sequence[tuple[str | None, str]], **options: Any) -> Any:
        given = json.dumps({key: value for key, value in options.items() if value is not None})
        arguments = [_text(value, name) for value, name in texts]
        return _answer(function, self._handle, *arguments, given.encode())
