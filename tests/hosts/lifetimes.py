"""What a Python host may do to clients, log functions and the process. Arguments and output: see lifetimes.c."""

import asyncio
import atexit
import gc
import inspect
import json
import logging
import os
import pickle
import signal
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

from engage_point_shop import waiting
from engage_point_shop import Action, AsyncClient, Client, Code, Declined, LogLevel, NotSent, Operation, Pending, log_to

ASTRID = "a0000000-0000-4000-8000-000000000001"
# Every request for this member stalls.
BJORN = "a0000000-0000-4000-8000-000000000002"
COFFEE = "b0000000-0000-4000-8000-000000000001"
PURCHASE = "point-shop-items/purchase"

held = 0


def check(holds: bool, what: str) -> None:
    global held
    if not holds:
        sys.exit(f"does not hold: {what}")
    held += 1


def eventually(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 10
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    check(holds(), what)


def raises(kind: type, code: Code, call: Callable[..., object], *arguments: object) -> dict:
    try:
        call(*arguments)
    except kind as error:
        check(error.code == code, f"{code!r}, not {error}")
        return error.problem
    check(False, f"{code!r} was due")
    return {}


def config(journal: str) -> dict:
    _, url, ca, key, folder, _ = sys.argv
    path = Path(folder) / journal
    return {"baseUrl": url, "caFile": Path(ca), "apiKey": key, "userAgent": "Host/1", "journalPath": path, "waitMs": 60000}


def open_shop(journal: str = "points.db") -> Client:
    return Client(config(journal))


def is_open(journal: str) -> bool:
    """Whether this process has the journal open: its shared memory is mapped."""
    with open("/proc/self/maps") as maps:
        return f"{journal}-shm" in maps.read()


def arrived(path: str) -> int:
    """How often the sandbox has been asked for this by anybody."""
    with urllib.request.urlopen(f"{sys.argv[5]}/_sandbox/requests") as response:
        return sum(path in request["path"] and request["contactId"] == BJORN for request in json.load(response))


def closing() -> None:
    first, second = open_shop(), open_shop()
    first.close()
    first.close()
    check(second.purchase(ASTRID, COFFEE, reference="py 1")["outcome"] == "completed", "the other goes on")
    raises(NotSent, Code.CLOSED, first.list_points, ASTRID)
    raises(NotSent, Code.CLOSED, first.list_operations)
    raises(NotSent, Code.CLOSED, first.acknowledge_reference, "py 1")
    raises(NotSent, Code.CLOSED, first.resolve_review, ASTRID, "completed")
    raises(NotSent, Code.CLOSED, first.backup_journal, "/copy.db")
    with second:
        check(is_open("points.db"), "a client that is open has its journal")
    eventually(lambda: not is_open("points.db"), "and lets go of it")
    made = raises(NotSent, Code.CLOSED, second.set_log, LogLevel.INFO, print)
    librarys = raises(NotSent, Code.CLOSED, second.list_operations)
    check(bool(made["message"]), "an error without a text of the library has a message")
    check({**made, "message": ""} == {**librarys, "message": ""}, f"and all values, {made}")


def collecting() -> None:
    shop = open_shop("collected.db")
    # A log function that refers to its client does not keep it open.
    shop.set_log(LogLevel.DEBUG, lambda level, line, shop=shop: None)
    shop.list_points(ASTRID)
    check(is_open("collected.db"), "a client")
    del shop
    gc.collect()
    eventually(lambda: not is_open("collected.db"), "that is forgotten is closed")


def log_functions() -> None:
    shop = open_shop()
    seen = threading.Event()

    def log(level: int, line: str) -> None:
        if "points.listed" in line:
            seen.set()
        raise RuntimeError("from a log function")

    # Python reports such an error on standard error, which is not tested.
    sys.unraisablehook = lambda _: None
    shop.set_log(LogLevel.DEBUG, log)
    del log
    for _ in range(50):
        shop.list_points(ASTRID)
        gc.collect()
    check(seen.wait(10), "lines come, though nobody else refers to the function")
    shop.set_log(LogLevel.OFF, None)
    shop.close()


def log_records() -> None:
    records: list = []
    logger = logging.Logger("points", logging.INFO)
    handler = logging.Handler()
    handler.emit = records.append
    logger.addHandler(handler)
    with open_shop() as shop:
        shop.set_log(LogLevel.DEBUG, log_to(logger))
        shop.purchase(ASTRID, COFFEE, reference="py logged")
        shop.list_points(ASTRID)
    sent = [record for record in records if record.eps["event"] == "purchase.sent"]
    check(len(sent) == 1 and sent[0].levelno == logging.INFO, "a line is a record of its level, with its values")
    check(all(record.levelno >= logging.INFO for record in records), "and none below the logger's level")


def interrupts() -> None:
    """Ctrl-C and signal handlers act while a call of the main thread waits."""
    handled = threading.Event()

    def kill(path: str, number: int) -> None:
        known = arrived(path)

        def when_it_waits() -> None:
            before = time.monotonic() + 10
            while arrived(path) == known and time.monotonic() < before:
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident, number)
            if number == signal.SIGUSR1:
                handled.wait(10)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        threading.Thread(target=when_it_waits, daemon=True).start()

    signal.signal(signal.SIGUSR1, lambda number, frame: handled.set())
    with open_shop("interrupted.db") as shop:
        for call, number, code in [
            (lambda: shop.list_items(BJORN), signal.SIGINT, Code.CANCELLED),
            (lambda: shop.purchase(BJORN, COFFEE), signal.SIGUSR1, Code.PENDING_CANCELLED),
        ]:
            kill("point-shop-items?" if number == signal.SIGINT else PURCHASE, number)
            try:
                call()
            except KeyboardInterrupt as interrupt:
                outcome = getattr(interrupt, "outcome", None)
                check(getattr(outcome, "code", None) == code, f"{code!r} is its outcome, not {outcome!r}")
            else:
                check(False, "Ctrl-C ends the call")
        check(handled.is_set(), "a handler that returns ends no call")
        check(shop.list_unacknowledged()[0]["outcome"] == "pending", "the journal holds the purchase")

        class Interrupted(threading.Thread):
            def start(self) -> None:
                super().start()
                raise KeyboardInterrupt

        # A signal comes while the thread of the call starts.
        class Threadless(threading.Thread):
            def start(self) -> None:
                raise RuntimeError("can't create new thread at interpreter shutdown")

        usual, waiting.threading.Thread = threading.Thread, Interrupted
        try:
            shop.list_items(BJORN)
        except KeyboardInterrupt as interrupt:
            outcome = getattr(interrupt, "outcome", "lost")
            check(outcome is None or outcome.code == Code.CANCELLED, f"it has its outcome too, {outcome!r}")
        finally:
            waiting.threading.Thread = usual
        # From 3.12 on, no thread starts at the end of the interpreter.
        waiting.threading.Thread = Threadless
        try:
            check(len(shop.list_items(ASTRID)) > 0, "a call without a thread of its own is made on the caller's")
            raises(NotSent, Code.NOT_A_GUID, shop.list_items, "astrid")
        finally:
            waiting.threading.Thread = usual
        check(len(shop.list_items(ASTRID)) > 0, "and the client works")


def values() -> None:
    with open_shop() as shop:
        bought = shop.purchase(uuid.UUID(ASTRID), uuid.UUID(COFFEE), reference="py uuid")
        check(shop.get_operation(uuid.UUID(bought["operationId"]))["outcome"] == "completed", "a UUID is an identifier")
        submitted = shop.purchase(BJORN, COFFEE, reference="py submitted", submit=True)
        check(submitted["outcome"] == "pending" and not submitted["existing"], "a submitted purchase is returned at once")
        try:
            shop.get_operation(uuid.uuid4())
        except NotSent as error:
            again = pickle.loads(pickle.dumps(error))
            check((type(again), again.problem, again.action) == (NotSent, error.problem, error.action), "it can be pickled")
            check(str(again) == str(error), "with its message")
    for kind in (Declined, Pending, NotSent):
        check(type(pickle.loads(pickle.dumps(kind(error_problem(), Action.WAIT)))) is kind, "so can each kind")


def error_problem() -> dict:
    return {"code": -1, "name": "EPS_X", "message": "x", "outcome": "pending"}


def texts() -> None:
    with open_shop() as shop:
        try:
            shop.find_contact("email", "a\0b")
        except ValueError as error:
            check("NUL" in str(error), "a NUL inside is reported")
        else:
            check(False, "a NUL inside is seen")


async def threads() -> None:
    """Calls that wait hold up neither the loop nor each other; each cancelled call reports its true outcome."""
    with open_shop("waiting.db") as shop:
        known = arrived(PURCHASE)
        stalled = [asyncio.ensure_future(asyncio.to_thread(shop.list_items, BJORN)) for _ in range(2)]
        buying = asyncio.ensure_future(asyncio.to_thread(shop.purchase, BJORN, COFFEE))
        check(len(await asyncio.to_thread(shop.list_items, ASTRID)) > 0, "another call returns meanwhile")
        while arrived(PURCHASE) == known:
            await asyncio.sleep(0.01)
        while not all(task.done() for task in [*stalled, buying]):
            shop.cancel()
            await asyncio.sleep(0.01)
        for task in stalled:
            error = task.exception()
            check(isinstance(error, NotSent) and error.code == Code.CANCELLED, f"a read, {error!r}")
        error = buying.exception()
        check(isinstance(error, Pending) and error.code == Code.PENDING_CANCELLED, f"a purchase, {error!r}")


def same_methods() -> None:
    """A client for asyncio has the methods of Client, as coroutines."""
    for name, method in inspect.getmembers(Client):
        if name.startswith("_") or name == "cancel_call":
            continue
        own = getattr(AsyncClient, name, None)
        check(own is not None, f"{name} is there")
        if inspect.isfunction(method):
            check(inspect.iscoroutinefunction(own), f"{name} is a coroutine")
            parameters = [each for each in inspect.signature(method).parameters.values() if each.name != "call_id"]
            check(list(inspect.signature(own).parameters.values()) == parameters, f"{name} has the same parameters")


async def functions() -> None:
    """The functions of a client for asyncio, and a cancellation of all its calls."""
    async with await AsyncClient.open(config("functions.db")) as shop:
        lines: list[str] = []
        changed: list[Operation] = []
        await shop.set_log(LogLevel.DEBUG, lambda level, line: lines.append(line))
        await shop.set_notify(changed.append)
        bought = await shop.purchase(ASTRID, COFFEE, reference="py functions")
        await becomes(lambda: any(each["operationId"] == bought["operationId"] for each in changed), "a change comes")
        await becomes(lambda: any("purchase.sent" in line for line in lines), "and a line")
        await shop.set_notify(None)
        reading = asyncio.ensure_future(shop.list_items(BJORN))
        while not reading.done():
            await shop.cancel()
            await asyncio.sleep(0.01)
        error = reading.exception()
        check(isinstance(error, NotSent) and error.code == Code.CANCELLED, f"a cancel ends a call, {error!r}")
        check(shop.is_open, "the client is open")
    check(not shop.is_open, "and then closed")


async def tasks() -> None:
    """A client for asyncio: a cancelled task ends its own call, and its outcome is kept."""
    try:
        AsyncClient(config("tasks.db"))
        check(False, "a configuration is no client")
    except TypeError as error:
        check("AsyncClient.open" in str(error), "a configuration is no client")
    async with await AsyncClient.open(config("tasks.db")) as shop:
        seen: list[Operation] = []

        async def watch() -> None:
            async for operation in shop.changes():
                seen.append(operation)

        watching = asyncio.ensure_future(watch())
        bought = await shop.purchase(ASTRID, COFFEE, reference="py async")
        check(bought["outcome"] == "completed", "a purchase is awaited")
        while not any(each["operationId"] == bought["operationId"] and each["outcome"] == "completed" for each in seen):
            await asyncio.sleep(0.01)
        check(True, "and is reported as a change")
        reading, other = (asyncio.ensure_future(shop.list_items(BJORN)) for _ in range(2))
        while (await shop.read_stats())["reads"] < 2:
            await asyncio.sleep(0.01)
        reading.cancel()
        try:
            await reading
        except asyncio.CancelledError as cancelled:
            outcome = getattr(cancelled, "outcome", None) or getattr(cancelled.__context__, "outcome", None)
            check(isinstance(outcome, NotSent) and outcome.code == Code.CANCELLED, f"it ends with {outcome!r}")
        check(reading.cancelled() and not other.done(), "one call is cancelled, and not the other one")
        watching.cancel()
    error = await asyncio.gather(other, return_exceptions=True)
    check(isinstance(error[0], NotSent) and error[0].code == Code.CLOSED, "a close ends the calls")


async def becomes(holds: Callable[[], bool], what: str) -> None:
    """`eventually` for a coroutine."""
    until = time.monotonic() + 10
    while not holds() and time.monotonic() < until:
        await asyncio.sleep(0.01)
    check(holds(), what)


async def outcome_of(task: asyncio.Future) -> object:
    """Cancels a task and returns the outcome of its call."""
    task.cancel()
    await asyncio.wait([task], timeout=10)
    check(task.done(), "a cancelled task ends")
    try:
        return await task
    except asyncio.CancelledError as cancelled:
        inner = cancelled if hasattr(cancelled, "outcome") else cancelled.__context__
        return getattr(inner, "outcome", "lost")
    except Exception as error:
        return f"{error!r} instead of the cancellation"


async def sent_purchase(shop: AsyncClient) -> asyncio.Future:
    """Begins a purchase that stalls, and returns when it was sent."""
    known = arrived(PURCHASE)
    buying = asyncio.ensure_future(shop.purchase(BJORN, COFFEE))
    await becomes(lambda: arrived(PURCHASE) > known, "a purchase is sent")
    return buying


async def crowd() -> None:
    """No call of a client for asyncio waits for another one, and none begins after its cancellation."""
    async with await AsyncClient.open(config("crowd.db")) as shop:
        stalled = [asyncio.ensure_future(shop.list_items(BJORN)) for _ in range(100)]
        await becomes(lambda: shop.client.read_stats()["reads"] == len(stalled), "100 reads are under way at once")
        check(await shop.list_unacknowledged() == [], "the journal is read")
        check((await shop.purchase(ASTRID, COFFEE, reference="py crowd"))["outcome"] == "completed", "and a purchase made")
        outcome = await outcome_of(await sent_purchase(shop))
        check(isinstance(outcome, Pending) and outcome.code == Code.PENDING_CANCELLED, f"it is pending, {outcome!r}")
        check(not any(task.done() for task in stalled), "while the reads wait")

        held_back, released = [], threading.Event()

        class Late(threading.Thread):
            def start(self) -> None:
                held_back.append(self)
                super().start()

            def run(self) -> None:
                released.wait()
                super().run()

        # The threads of two calls do not come to run before the tasks are cancelled.
        usual, waiting.threading.Thread = threading.Thread, Late
        try:
            buying = asyncio.ensure_future(shop.purchase(ASTRID, COFFEE, reference="py late"))
            storing = asyncio.ensure_future(shop.acknowledge_reference("py crowd"))
            await becomes(lambda: len(held_back) == 2, "two calls have a thread each")
            check(await outcome_of(buying) is None, "a call that has not begun has no outcome")
            await outcome_of(storing)
        finally:
            waiting.threading.Thread = usual
            released.set()
        for thread in held_back:
            thread.join()
        references = [operation.get("reference") for operation in await shop.list_unacknowledged()]
        check("py crowd" in references and "py late" not in references, f"and never begins, {references}")
    for error in await asyncio.gather(*stalled, return_exceptions=True):
        check(isinstance(error, NotSent) and error.code == Code.CLOSED, f"the close ends all, {error!r}")


async def closed_and_cancelled() -> None:
    """A task that is cancelled when its client was just closed has the outcome of its call."""
    shop = await AsyncClient.open(config("closed.db"))
    buying = await sent_purchase(shop)
    shop.client.close()
    outcome = await outcome_of(buying)
    check(isinstance(outcome, Pending) and outcome.code == Code.PENDING_CLOSED, f"it is pending, {outcome!r}")
    [error] = await asyncio.gather(shop.list_unacknowledged(), return_exceptions=True)
    check(isinstance(error, NotSent) and error.code == Code.CLOSED, f"a later call names the close, {error!r}")


def closed_loops() -> None:
    """A call whose event loop is closed meanwhile ends without an error in its thread."""
    errors: list[object] = []
    before = set(threading.enumerate())
    loop = asyncio.new_event_loop()
    shop = loop.run_until_complete(AsyncClient.open(config("loop.db")))
    reading = loop.create_task(shop.list_items(BJORN))
    loop.run_until_complete(becomes(lambda: shop.client.read_stats()["reads"] == 1, "a read is under way"))
    reading._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    usual, threading.excepthook = threading.excepthook, errors.append
    shop.client.close()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    check(errors == [], f"its thread ends, {errors}")
    threading.excepthook = usual


def forking() -> None:
    shop = open_shop()
    shop.list_points(ASTRID)
    child = os.fork()
    if child == 0:
        raises(NotSent, Code.FORKED, shop.list_points, ASTRID)
        raises(NotSent, Code.FORKED, open_shop)
        del shop
        gc.collect()
        sys.exit(0)  # With everything that Python does at its end.
    check(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child gets an error")
    check(len(shop.list_points(ASTRID)) > 0, "and the parent has not noticed")
    shop.close()


def configuration() -> None:
    for wrong in ("{}", None, 1):
        try:
            Client(wrong)  # type: ignore[arg-type]
        except TypeError as error:
            check("a dict" in str(error), f"{wrong!r}: {error}")
        else:
            check(False, f"{wrong!r} is taken for a configuration")


configuration()
closing()
collecting()
log_functions()
log_records()
interrupts()
values()
texts()
asyncio.run(threads())
same_methods()
asyncio.run(functions())
asyncio.run(tasks())
asyncio.run(crowd())
asyncio.run(closed_and_cancelled())
closed_loops()
forking()
# Left open with a log function, and with a thread in a call: Python still ends cleanly.
left = open_shop()
left.set_log(LogLevel.DEBUG, lambda level, line: None)
threading.Thread(target=lambda: raises(NotSent, Code.CLOSED, left.list_items, BJORN), daemon=True).start()
left.list_points(ASTRID)
# And with a call of a loop that nobody runs any more.
loop = asyncio.new_event_loop()
forgotten = loop.run_until_complete(AsyncClient.open(config("forgotten.db")))
task = loop.create_task(forgotten.list_items(BJORN, wait_ms=600_000))
loop.run_until_complete(becomes(lambda: forgotten.client.read_stats()["reads"] == 1, "a read is under way"))


@atexit.register
def at_exit() -> None:
    try:
        assert left.purchase(ASTRID, COFFEE, reference="py exit")["outcome"] == "completed"
        assert asyncio.run(forgotten.read_stats())["reads"] == 1
    except BaseException as error:
        print(f"does not hold: a call at the end of the interpreter, {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


print(held, "checks held", flush=True)
