"""Calls that Ctrl-C and signal handlers interrupt.

Python runs its signal handlers on the main thread, and only between its own instructions. A call of
the library on the main thread therefore runs on a thread of its own, while the main thread waits in
short steps. A handler that raises ends the call. The outcome of that call is never lost: it is an
attribute of the exception.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_STEP = 0.05
"""How long the main thread waits in one step, in seconds: Windows runs no handler during a wait."""


def interruptible(call: Callable[[], _Result], cancel: Callable[[], object]) -> _Result:
    """Makes a call. If a signal handler raises, the call is cancelled and its end is awaited.

    The exception then has the attribute `outcome`: the result of the call, or its exception.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: list[Any] = []
    done = threading.Event()

    def run() -> None:
        try:
            outcome.append((True, call()))
        except BaseException as error:  # Raised again below.
            outcome.append((False, error))
        finally:
            done.set()

    worker = threading.Thread(target=run, name="eps-call", daemon=True)
    interrupt: BaseException | None = None
    worker.start()
    while not done.is_set():
        try:
            if interrupt is not None:
                # Repeated: it has no effect on a call that has not entered the library yet.
                cancel()
            done.wait(_STEP)
        except BaseException as raised:  # Of a signal handler.
            interrupt = interrupt or raised
    is_result, value = outcome[0]
    if interrupt is not None:
        setattr(interrupt, "outcome", value)
        raise interrupt
    if is_result:
        result: _Result = value
        return result
    # The traceback begins here.
    raise value.with_traceback(None)
