"""Work shared among copies of a process. Each case in a process of its own, because the one of the tests has threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def said(code: str) -> str:
    begin = f"import os, signal, sys; sys.path.insert(0, {str(SCRIPTS)!r})\nfrom lstv.base.forked import mapped\n"
    begin += "from lstv.base.errors import StudyError, UserError\n"
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_results_come_in_order_from_copies_of_this_process():
    code = "own = os.getpid(); known = {7: 'seven'}\n"
    code += "found = list(mapped(lambda i: (i, known.get(i), os.getpid() != own), 20, 3))\n"
    code += "print(found == [(i, known.get(i), i > 0) for i in range(20)])"
    assert said(code) == "True"


def test_one_process_is_this_one():
    assert said("own = os.getpid(); print(list(mapped(lambda i: os.getpid() == own, 3, 1)))") == "[True, True, True]"
    assert said("own = os.getpid(); print(list(mapped(lambda i: os.getpid() == own, 2, 4)))") == "[True, True]"
    assert said("own = os.getpid(); print(list(mapped(lambda i: os.getpid() == own, 1, 4)))") == "[True]"
    assert said("print(list(mapped(lambda i: i, 0, 4)))") == "[]"


def test_an_error_comes_from_the_work():
    code = "def work(i):\n    if i == 5: raise StudyError('the fifth')\n    return i\n"
    code += "try: list(mapped(work, 9, 2))\nexcept StudyError as error: print(error)"
    assert said(code) == "the fifth"


def test_a_copy_that_is_killed_is_a_sentence():
    code = "def work(i):\n    if i == 5: os.kill(os.getpid(), signal.SIGKILL)\n    return i\n"
    code += "try: list(mapped(work, 9, 2))\nexcept UserError as error: print(error)"
    assert "give it more memory" in said(code)


def test_opencv_has_no_threads_that_a_copy_would_miss():
    code = "import cv2; cv2.setNumThreads(3)\n"
    code += "print(list(mapped(lambda i: cv2.getNumThreads(), 4, 2)), cv2.getNumThreads())"
    assert said(code) == "[1, 1, 1, 1] 3"
