"""Read a store with a deadline (bulkhead): a store that is frozen keeps one thread, however often it is asked."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class DeadlineReader(Generic[T]):
    """A thread that reads. While a reading hangs, callers wait for it instead of beginning another one. Thread-safe."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._reading: Future[T] | None = None

    def begin(self, read: Callable[[], T]) -> "Future[T]":
        """Return the reading that is under way, or a new one. The caller sets the deadline: `result(timeout)`."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._executor.submit(read)
            return self._reading
