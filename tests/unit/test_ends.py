"""How programs and runs end: at once, and with nothing left undone."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstv.run import timers

SCRIPTS = Path(__file__).parents[2] / "scripts"

PROGRAM = """
import atexit, sys, threading, time
sys.path.insert(0, sys.argv[1])
from lstv.base.processes import leave

class Slow:
    def __del__(self):
        print("taken apart")

slow = Slow()
atexit.register(lambda: print("handled"))
threading.Thread(target=lambda: (time.sleep(0.2), print("thread done"))).start()
print("left", end="")
leave(3)
"""


def test_leave_waits_for_threads_calls_handlers_and_writes_all_out():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SCRIPTS)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode, done.stdout) == (3, "leftthread done\nhandled\n")


CLOSED = """
import sys
sys.path.insert(0, sys.argv[1])
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.base.processes import leave

def main():
    print("worked")
    if sys.argv[2] == "2":
        raise UserError("this cannot be.")
    return 0

leave(run(main))
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("status", [0, 2])
def test_a_program_whose_output_is_closed_ends_like_any_other(closed, status):
    words = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", CLOSED, str(SCRIPTS), str(status)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == status and "Traceback" not in done.stderr, done.stderr


def test_only_timers_of_the_module_are_cancelled():
    fired = threading.Event()

    def function():
        fired.set()

    function.__module__ = "of.others"
    theirs = threading.Timer(0.2, function)

    def unwanted():
        raise AssertionError

    unwanted.__module__ = "snakemake.scheduling.job_scheduler"
    ours = threading.Timer(3600, unwanted)
    theirs.start()
    ours.start()
    try:
        timers.cancel("snakemake.scheduling.job_scheduler")
        ours.join(60)
        assert not ours.is_alive() and fired.wait(60)
    finally:
        ours.cancel()


def test_snakemakes_timer_is_one_that_the_workflow_cancels():
    """What a new version of Snakemake calls otherwise would keep each run waiting, and nobody would be told."""
    (module,) = re.findall(r'timers\.cancel\("(.+)"\)', (SCRIPTS.parent / "workflow/rules/deployment.smk").read_text())
    before = set(threading.enumerate())
    scheduler = SimpleNamespace(_open_jobs=threading.Semaphore(0))
    importlib.import_module(module).JobScheduler._schedule_reevalutation(scheduler, 3600)
    (timer,) = set(threading.enumerate()) - before
    try:
        timers.cancel(module)
        timer.join(60)
        assert not timer.is_alive()
    finally:
        timer.cancel()
