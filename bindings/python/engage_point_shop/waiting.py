"""Calls on a thread of their own: those of asyncio, and those that signal handlers interrupt.

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


class Made:
    """A call on a thread of its own. The thread calls `report` when the call has ended.

    The thread is a daemon: the end of the interpreter closes every client, which ends its calls, and
    waits for no thread. The journal holds the outcome that nobody was there to receive.
    """

    def __init__(self, call: Callable[[], Any], report: Callable[[], object]) -> None:
        self._call = call
        self._report = report
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_abandoned = False
        self._is_result = False
        self.value: Any = None

    def start(self) -> None:
        """Starts the thread. Where none can be started, the call is made here.

        From 3.12 on, Python starts none at the end of the interpreter.
        """
        try:
            threading.Thread(target=self._run, name="eps-call", daemon=True).start()
        except RuntimeError as error:
            # Not the exception of a signal handler.
            if "new thread" not in str(error):
                raise
            self._run()

    def _run(self) -> None:
        with self._lock:
            if self._is_abandoned:
                return
            self._has_begun = True
        try:
            self.value, self._is_result = self._call(), True
        except BaseException as error:  # Raised again by `result`.
            self.value = error
        finally:
            self._report()

    def abandon(self) -> bool:
        """Returns whether the call will never be made."""
        with self._lock:
            self._is_abandoned = not self._has_begun
        return self._is_abandoned

    def result(self) -> Any:
        """Returns the result of a call that has ended, or raises its exception."""
        if self._is_result:
            return self.value
        # The traceback begins here.
        raise self.value.with_traceback(None)


def interruptible(call: Callable[[], _Result], cancel: Callable[[], object]) -> _Result:
    """Makes a call. If a signal handler raises, the call is cancelled and its end is awaited.

    The exception then has the attribute `outcome`: the result of the call, or its exception, or None
    if the call was not made.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    done = threading.Event()
    made = Made(call, done.set)
    interrupt: BaseException | None = None
    try:
        made.start()
        while not done.wait(_STEP):
            pass
    except BaseException as raised:  # Of a signal handler.
        interrupt = raised
    if interrupt is not None:
        while not done.is_set():
            try:
                if made.abandon():
                    break
                # Repeated: it has no effect on a call that has not entered the library yet.
                cancel()
                done.wait(_STEP)
            except BaseException:  # The first exception is raised.
                pass
        setattr(interrupt, "outcome", made.value)
        raise interrupt
    result: _Result = made.result()
    return result
