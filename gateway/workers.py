"""Threads that do what would keep the broker's loop waiting, and one way back into that loop.

A worker takes jobs in order; what a job leads to is posted back and runs on the loop's thread,
so the loop's own state needs no lock. A job that raises is logged and forgotten: what it was
about is still in the database and on disk, and is found there again.
"""

import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

Job = Callable[[], None]
IDLE_SECONDS: Final = 0.02


class Mailbox:
    """Calls for the loop's thread; ``fileno`` is readable while there are any."""

    def __init__(self) -> None:
        self._calls: deque[Job] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._bell

    def post(self, call: Job) -> None:
        """Have the loop run ``call``; from any thread."""
        self._calls.append(call)
        os.eventfd_write(self._bell, 1)

    def run(self) -> None:
        """Run what was posted; on the loop's thread."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return
        while self._calls:
            self._calls.popleft()()

    def close(self) -> None:
        """Take no more."""
        os.close(self._bell)


class Worker:
    """One thread and a queue of at most ``most`` jobs.

    ``idle`` is called once whenever nothing has come for ``IDLE_SECONDS``.
    """

    def __init__(self, name: str, *, most: int, idle: Job | None = None) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(most)
        self._idle = idle
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> bool:
        """Queue a job; False when there are too many already."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _work(self) -> None:
        rested = self._idle is None
        while True:
            try:
                job = self._jobs.get(timeout=None if rested else IDLE_SECONDS)
            except queue.Empty:
                job, rested = self._idle, True
            else:
                rested = self._idle is None
            if job is None:
                return
            try:
                job()
            except Exception:
                log.exception("a job of %s failed", self._thread.name)

    def stop(self) -> None:
        """Finish the job at hand, drop the rest, and return."""
        while True:
            try:
                self._jobs.get_nowait()
            except queue.Empty:
                break
        self._jobs.put(None)
        self._thread.join()
