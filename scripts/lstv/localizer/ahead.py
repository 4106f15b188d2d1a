"""Taking things from an iterator in a thread, some ahead of who wants them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
Given = TypeVar("Given", covariant=True)


class Source(Iterator[Given], Protocol[Given]):
    """An iterator that another thread may close while it is at work; what it waits for is given up then. (A generator can
    only be closed between two things.)"""

    def close(self) -> None: ...


class Ahead(Generic[T]):
    """A context in which a source runs in a thread of its own, at most ``most`` things ahead. When the context ends the
    source is closed, and what waits is dropped."""

    def __init__(self, source: Source[T], most: int = 64) -> None:
        self._source = source
        self._queue: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=most)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Ahead[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if not isinstance(self._source, Generator):
            self._source.close()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    def _run(self) -> None:
        last: BaseException | None = None
        try:
            for thing in self._source:
                if not self._put((thing,)):
                    return
        except BaseException as error:  # raised again in the thread that wants the things
            last = error
        finally:
            if isinstance(self._source, Generator):
                self._source.close()
            self._put(last)

    def _put(self, item: tuple[T] | BaseException | None) -> bool:
        while not self._ended.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return True
        return False
