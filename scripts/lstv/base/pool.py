"""Processes that share tasks and leave Ctrl-C to the one that started them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import ParamSpec, TypeVar

from lstv.base.processes import started_without_ctrl_c

T = TypeVar("T")
P = ParamSpec("P")


class Pool(ProcessPoolExecutor):
    """A ProcessPoolExecutor whose processes do not hear Ctrl-C, which reaches the whole terminal: each would end in a
    traceback of its own, those that are still importing too. Where its block ends with an error, as with Ctrl-C, tasks that
    have not begun are dropped."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with started_without_ctrl_c():  # here is where it starts its processes
            return super().submit(fn, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)
