"""What a Python host may do to clients, log functions and the process. Arguments and output: see lifetimes.c."""

import asyncio
import gc
import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable

from engage_point_shop import Client, Code, LogLevel, NotSent, Pending

ASTRID = "a0000000-0000-4000-8000-000000000001"
# Every request for this member stalls.
BJORN = "a0000000-0000-4000-8000-000000000002"
COFFEE = "b0000000-0000-4000-8000-000000000001"

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


def raises(kind: type, code: Code, call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except kind as error:
        check(error.code == code, f"{code!r}, not {error}")
    else:
        check(False, f"{code!r} was due")


def open_shop(journal: str = "points.db") -> Client:
    _, url, ca, key, folder, _ = sys.argv
    path = os.path.join(folder, journal)
    return Client({"baseUrl": url, "caFile": ca, "apiKey": key, "userAgent": "Host/1", "journalPath": path, "waitMs": 60000})


def is_open(journal: str) -> bool:
    """Whether this process has the journal open: its shared memory is mapped."""
    with open("/proc/self/maps") as maps:
        return f"{journal}-shm" in maps.read()


def has_arrived(path: str) -> bool:
    """Whether the sandbox has been asked for this by anybody."""
    with urllib.request.urlopen(f"{sys.argv[5]}/_sandbox/requests") as response:
        return any(path in request["path"] and request["contactId"] == BJORN for request in json.load(response))


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
    raises(NotSent, Code.CLOSED, second.set_log, LogLevel.INFO, print)


def collecting() -> None:
    shop = open_shop("collected.db")
    # A log function that refers to its client does not keep it open.
    shop.set_log(LogLevel.DEBUG, lambda level, line, shop=shop: None)
    shop.list_points(ASTRID)
    check(is_open("collected.db"), "a client")
    del shop
    gc.collect()
    eventually(lambda: not is_open("collected.db"), "that is forgotten is closed")


def logging() -> None:
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


def texts() -> None:
    with open_shop() as shop:
        try:
            shop.find_contact("email", "a\0b")
        except ValueError as error:
            check("NUL" in str(error), "a NUL inside is reported")
        else:
            check(False, "a NUL inside is seen")


async def waiting() -> None:
    """Calls that wait hold up neither the loop nor each other; each cancelled call reports its true outcome."""
    with open_shop("waiting.db") as shop:
        stalled = [asyncio.ensure_future(asyncio.to_thread(shop.list_items, BJORN)) for _ in range(2)]
        buying = asyncio.ensure_future(asyncio.to_thread(shop.purchase, BJORN, COFFEE))
        check(len(await asyncio.to_thread(shop.list_items, ASTRID)) > 0, "another call returns meanwhile")
        while not has_arrived("point-shop-items/purchase"):
            await asyncio.sleep(0.01)
        while not all(task.done() for task in [*stalled, buying]):
            shop.cancel()
            await asyncio.sleep(0.01)
        for task in stalled:
            error = task.exception()
            check(isinstance(error, NotSent) and error.code == Code.CANCELLED, f"a read, {error!r}")
        error = buying.exception()
        check(isinstance(error, Pending) and error.code == Code.PENDING_CANCELLED, f"a purchase, {error!r}")


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


closing()
collecting()
logging()
texts()
asyncio.run(waiting())
forking()
# Left open with a log function, and with a thread in a call: Python still ends cleanly.
left = open_shop()
left.set_log(LogLevel.DEBUG, lambda level, line: None)
threading.Thread(target=lambda: raises(NotSent, Code.CLOSED, left.list_items, BJORN), daemon=True).start()
left.list_points(ASTRID)
print(held, "checks held", flush=True)
