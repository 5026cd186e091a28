"""The client for asyncio. Each method is that of Client, without `call_id`: a task is cancelled.

Each call runs on a thread of its own, so that it holds up neither the event loop nor another call.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from .client import Client, Id, LogLine, Notify
from .errors import NotSent
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
from .waiting import Made

_Result = TypeVar("_Result")

_STEP = 0.02
"""How often a cancellation is repeated, in seconds."""


class AsyncClient:
    """A client of one Engage tenant for asyncio.

    No call waits for another one. A cancelled task ends its call within 100 ms, and no other call.
    The CancelledError has the attribute `outcome`: the result of the call, or its Pending, Declined
    or NotSent, or None if the call was not made. A purchase that was sent goes on, and `changes`
    reports its outcome. A call without `wait_ms` goes on too once it has begun, without an `outcome`.
    """

    def __init__(self, client: Client) -> None:
        """Takes over an open client. `AsyncClient.open` opens one."""
        if not isinstance(client, Client):
            raise TypeError("open a client by: await AsyncClient.open(config)")
        self.client = client
        """The client, for calls outside of the event loop."""
        self._numbers = itertools.count(1)

    @classmethod
    async def open(cls, config: Config | Mapping[str, Any]) -> AsyncClient:
        """Opens a client. The disk of the journal does not hold up the event loop."""
        return cls(await _run(lambda: Client(config)))

    async def __aenter__(self) -> AsyncClient:
        """Returns the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the client."""
        await self.close()

    @property
    def is_open(self) -> bool:
        """Whether the client was not closed yet."""
        return self.client.is_open

    async def cancel(self) -> None:
        """Ends the wait of every call on this client. Each call then raises NotSent or Pending."""
        self.client.cancel()

    async def close(self) -> None:
        """Ends every call and closes the client."""
        closing, ended = _begin(self.client.close)
        await asyncio.wait([ended])
        closing.result()

    async def find_contact(
        self, key: str, value: str, *, contact_type: str | None = None, wait_ms: int | None = None
    ) -> str:
        """Finds the id of a member by a key, such as "email", and its value."""
        return await self._wait(
            lambda call: self.client.find_contact(key, value, contact_type=contact_type, wait_ms=wait_ms, call_id=call)
        )

    async def list_points(self, contact_id: Id, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        """Lists a member's point accounts."""
        return await self._wait(lambda call: self.client.list_points(contact_id, wait_ms=wait_ms, call_id=call))

    async def list_items(self, contact_id: Id, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        """Lists the items that a member can buy."""
        return await self._wait(lambda call: self.client.list_items(contact_id, wait_ms=wait_ms, call_id=call))

    async def purchase(
        self,
        contact_id: Id,
        item_id: Id,
        *,
        reference: str | None = None,
        purchase_id: Id | None = None,
        snapshot_rewards: bool | None = None,
        wait_ms: int | None = None,
        submit: bool | None = None,
    ) -> PurchasedOperation:
        """Buys an item for points. Returns the operation when the purchase is completed."""
        return await self._wait(
            lambda call: self.client.purchase(
                contact_id,
                item_id,
                reference=reference,
                purchase_id=purchase_id,
                snapshot_rewards=snapshot_rewards,
                wait_ms=wait_ms,
                call_id=call,
                submit=submit,
            )
        )

    async def list_purchases(self, contact_id: Id, *, wait_ms: int | None = None) -> list[dict[str, Any]]:
        """Lists a member's purchases in Engage."""
        return await self._wait(lambda call: self.client.list_purchases(contact_id, wait_ms=wait_ms, call_id=call))

    async def list_rewards(
        self, contact_id: Id, *, channel: str | None = None, wait_ms: int | None = None
    ) -> list[dict[str, Any]]:
        """Lists a member's rewards."""
        return await self._wait(
            lambda call: self.client.list_rewards(contact_id, channel=channel, wait_ms=wait_ms, call_id=call)
        )

    async def find_reward(self, operation_id: Id, *, wait_ms: int | None = None) -> FoundReward:
        """Finds the reward that a completed purchase gave."""
        return await self._wait(lambda call: self.client.find_reward(operation_id, wait_ms=wait_ms, call_id=call))

    async def redeem_reward(
        self,
        contact_id: Id | None,
        assignment_id: Id,
        *,
        channel: str | None = None,
        reference: str | None = None,
        wait_ms: int | None = None,
        submit: bool | None = None,
    ) -> PurchasedOperation:
        """Uses a reward on a receipt. Returns the operation when the redeem is completed."""
        return await self._wait(
            lambda call: self.client.redeem_reward(
                contact_id,
                assignment_id,
                channel=channel,
                reference=reference,
                wait_ms=wait_ms,
                call_id=call,
                submit=submit,
            )
        )

    async def resolve_pending(self, *, wait_ms: int | None = None) -> Resolution:
        """Resolves the pending operations now, instead of at their next scheduled time."""
        return await self._wait(lambda call: self.client.resolve_pending(wait_ms=wait_ms, call_id=call))

    async def list_unacknowledged(self, *, reference: str | None = None) -> list[Operation]:
        """Lists the operations that are pending, or final and not acknowledged."""
        return await _run(lambda: self.client.list_unacknowledged(reference=reference))

    async def list_operations(
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
        """Lists the operations of the journal, also the acknowledged ones, page by page."""
        return await _run(
            lambda: self.client.list_operations(
                since=since,
                until=until,
                outcome=outcome,
                acknowledged=acknowledged,
                reference=reference,
                limit=limit,
                after=after,
            )
        )

    async def get_operation(self, operation_id: Id) -> Operation:
        """Returns the last known state of an operation."""
        return await _run(lambda: self.client.get_operation(operation_id))

    async def acknowledge(self, operation_id: Id) -> Operation:
        """Acknowledges that the POS has stored the outcome of an operation."""
        return await _run(lambda: self.client.acknowledge(operation_id))

    async def resolve_review(
        self, operation_id: Id, resolution: str, *, by: str | None = None, note: str | None = None
    ) -> Operation:
        """Stores the decision of a person about an operation in manual review."""
        return await _run(lambda: self.client.resolve_review(operation_id, resolution, by=by, note=note))

    async def acknowledge_reference(self, reference: str) -> list[Operation]:
        """Acknowledges all operations of a reference, or none."""
        return await _run(lambda: self.client.acknowledge_reference(reference))

    async def backup_journal(self, path: str) -> JournalCopy:
        """Copies the journal into one new file, while it is in use."""
        return await _run(lambda: self.client.backup_journal(path))

    async def read_stats(self) -> Stats:
        """Returns the counters since open, and the numbers of records in the journal."""
        return await _run(self.client.read_stats)

    async def check(self, *, offline: bool | None = None, wait_ms: int | None = None) -> HealthReport:
        """Checks everything that a sale needs, and says what to do about what is wrong."""
        return await self._wait(lambda call: self.client.check(offline=offline, wait_ms=wait_ms, call_id=call))

    async def read_metrics(self) -> str:
        """Returns the metrics of this client and its journal: OpenMetrics text."""
        return await _run(self.client.read_metrics)

    async def set_log(self, level: int, function: LogLine | None) -> None:
        """Sets the function that receives each line of the log. It runs on a thread of the library."""
        await _run(lambda: self.client.set_log(level, function))

    async def set_notify(self, function: Notify | None) -> None:
        """Sets the function that receives each changed operation. It runs on a thread of the library.

        `changes` gives them to a loop instead, and takes the place of the function.
        """
        await _run(lambda: self.client.set_notify(function))

    async def changes(self) -> AsyncIterator[Operation]:
        """Yields each operation whose state has changed, first every one that is not acknowledged.

        `async for operation in shop.changes(): …`. One loop at a time receives the changes.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Operation] = asyncio.Queue()
        self.client.set_notify(lambda operation: _report(loop, queue.put_nowait, operation))
        try:
            while True:
                yield await queue.get()
        finally:
            if self.client.is_open:
                self.client.set_notify(None)

    async def _wait(self, call: Callable[[str], _Result]) -> _Result:
        """Makes a call that a cancelled task ends."""
        name = f"asyncio-{next(self._numbers)}"
        made, ended = _begin(lambda: call(name))
        cancelled: asyncio.CancelledError | None = None
        while not ended.done():
            try:
                await asyncio.wait([ended], timeout=None if cancelled is None else _STEP)
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
            if cancelled is not None:
                if made.abandon():
                    break
                # Repeated: it has no effect on a call that has not entered the library yet. A
                # client that is closed has ended the call itself.
                with contextlib.suppress(NotSent):
                    self.client.cancel_call(name)
        if cancelled is not None:
            setattr(cancelled, "outcome", made.value)
            raise cancelled
        result: _Result = made.result()
        return result


async def _run(call: Callable[[], _Result]) -> _Result:
    """Makes a call that only the disk can hold up. A cancelled task does not wait for its end."""
    made, ended = _begin(call)
    try:
        await asyncio.wait([ended])
    except asyncio.CancelledError:
        made.abandon()
        raise
    result: _Result = made.result()
    return result


def _begin(call: Callable[[], object]) -> tuple[Made, asyncio.Future[None]]:
    """Begins a call. The future is done when the call has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    made = Made(call, lambda: _report(loop, ended.set_result, None))
    made.start()
    return made, ended


def _report(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: Any) -> None:
    # A loop that is closed has no receiver. A change comes again after the next start.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)
