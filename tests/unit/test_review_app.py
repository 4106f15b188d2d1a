"""The app without a browser: who is let in, what is refused and in which words, and what is left of what was given."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("flask")

import review_app as program
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.review import app as review_app
from lstv.review import child, jobs, workspace
from lstv.review.analysis import STAGES, Settings
from lstv.review.doors import POLICY, Doors, is_loopback
from lstv.review.limits import Limits
from lstv.review.workspace import Workspace

SETTINGS = Settings(Path("none.pth"))
LIMITS = Limits(upload_bytes=1 << 20, files=5, waiting=1)


class Analyses:
    """Stands in for the process: ends when it is told to, and remembers what it was given."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.given: list[list[bytes]] = []
        self.error: Exception = child.Refused("it is CT, not MR.")

    def run(self, given, out, settings, limits, say, ended):
        self.given.append(sorted(path.read_bytes() for path in given.rglob("*") if path.is_file()))
        out.mkdir()
        say("images")
        while not self.go.wait(0.01):
            if ended():
                raise child.Refused("the app ends.")
        raise self.error


@pytest.fixture
def analyses(monkeypatch) -> Analyses:
    found = Analyses()
    monkeypatch.setattr(child, "run", found.run)
    return found


def write_sample(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images/1.dcm").write_bytes(b"sample")


@pytest.fixture
def site(tmp_path, analyses):
    """(client, folder of uploads) of an app whose analyses do nothing."""
    with jobs.Jobs(tmp_path, SETTINGS, LIMITS) as running:
        sample = review_app.Sample("An ordinary spine", "Nothing.", write_sample)
        content = review_app.Content(True, LIMITS, [sample])
        yield review_app.create_app(content, running, Doors()).test_client(), tmp_path


def token(client) -> str:
    client.get("/analyze")
    with client.session_transaction() as session:
        return session["csrf"]


def give(client, *files: tuple[str, bytes], **options):
    data = {"files": [(io.BytesIO(content), name) for name, content in files]}
    headers = {"X-CSRF-Token": token(client), **options.pop("headers", {})}
    return client.post("/analyze", data=data, content_type="multipart/form-data", headers=headers, **options)


def sentence(response) -> str:
    text = response.get_data(as_text=True)
    assert "Traceback" not in text and 'File "' not in text
    return text.partition('role="alert">')[2].partition("</p>")[0]


def ended(client, where: str) -> str:
    """The page of a job when it has ended."""
    for _ in range(1000):
        if client.get(f"{where}/state").get_json()["ended"]:
            return client.get(where)
        time.sleep(0.01)
    raise AssertionError("it does not end")


def test_what_was_given_is_analysed_and_removed(site, analyses):
    client, folder = site
    answer = give(client, ("study/IM1", b"one"), ("study/IM2", b"two"))
    assert answer.status_code == 303
    where = answer.headers["Location"]
    assert "Analysing" in client.get(where).get_data(as_text=True)
    assert any(path.is_file() for path in folder.rglob("*"))
    analyses.go.set()
    assert "It is CT, not MR." in sentence(ended(client, where))
    assert analyses.given == [[b"one", b"two"]]
    assert list(folder.iterdir()) == []


def test_the_browser_hears_how_far_it_is(site, analyses):
    client, _ = site
    where = give(client, ("a", b"x"), headers={"Accept": "application/json"}).get_json()["to"]
    for _ in range(1000):
        state = client.get(f"{where}/state").get_json()
        if state["stage"]:
            break
        time.sleep(0.01)
    assert state == {"state": "running", "stage": "images", "words": STAGES["images"], "ended": False}
    analyses.go.set()
    ended(client, where)


def test_an_error_that_nobody_expects_is_a_sentence(site, analyses, capsys):
    client, folder = site
    analyses.error = ZeroDivisionError("of the patient Gerda")
    analyses.go.set()
    page = ended(client, give(client, ("a", b"x")).headers["Location"])
    assert "did not expect" in sentence(page) and "Gerda" not in page.get_data(as_text=True)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert list(folder.iterdir()) == []
    # and the next one is analysed all the same
    analyses.error = child.Refused("it is CT, not MR.")
    assert "CT" in sentence(ended(client, give(client, ("a", b"x")).headers["Location"]))


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ([], 400, "No file was given"),
        ([("empty.dcm", b"")], 400, "No file was given"),
        ([("a.dcm", bytes(2 << 20))], 413, "too much for one study"),
        ([(f"{n}.dcm", b"x") for n in range(6)], 400, "More than 5 files"),
        ([(f"{n}.dcm", b"x") for n in range(40)], 400, "More than 5 files"),
        ([("../../etc/cron.d/x", b"x")], 400, "leads out of its folder"),
        ([("C:\\x.dcm", b"x")], 400, "leads out of its folder"),
    ],
)
def test_an_upload_that_is_refused_leaves_nothing(site, analyses, files, status, words):
    client, folder = site
    answer = give(client, *files)
    assert (answer.status_code, words in sentence(answer)) == (status, True), sentence(answer)
    assert list(folder.iterdir()) == [] and analyses.given == []


def test_refusals_are_json_for_the_script(site):
    client, _ = site
    answer = give(client, headers={"Accept": "application/json"})
    assert answer.status_code == 400 and answer.get_json()["sentence"].startswith("no file was given")


def test_only_so_many_wait(site, analyses):
    client, _ = site
    assert [give(client, ("a", b"x")).status_code for _ in range(2)] == [303, 303]
    answer = give(client, ("a", b"x"))
    assert answer.status_code == 400 and "try again in a minute" in sentence(answer)


def test_a_sample_goes_the_same_way_and_can_be_saved(site, analyses):
    client, _ = site
    analyses.go.set()
    answer = client.post("/samples/1", headers={"X-CSRF-Token": token(client)})
    ended(client, answer.headers["Location"])
    assert analyses.given == [[b"sample"]]
    packed = zipfile.ZipFile(io.BytesIO(client.get("/samples/1.zip").data))
    assert packed.namelist() == ["images/1.dcm"]
    assert client.get("/samples/2.zip").status_code == 404


def test_a_result_that_is_gone_and_pages_that_never_were(site):
    client, _ = site
    for path in ("/analyze/none", "/analyze/none/state", "/shared/app.py", "/shared/..%2fapp.py", "/nothing"):
        answer = client.get(path)
        assert answer.status_code in (400, 404) and sentence(answer), path
    assert client.delete("/analyze").status_code in (403, 405)


@pytest.mark.parametrize("path", ["/", "/analyze", "/shared/app.css", "/nothing", "/analyze/none/state"])
def test_every_answer_has_the_strict_policy(site, path):
    client, _ = site
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == POLICY and "unsafe" not in POLICY
    assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_pages_have_nothing_inline(site):
    client, _ = site
    text = client.get("/analyze").get_data(as_text=True)
    assert " style=" not in text and "<style" not in text and "<script>" not in text and " onclick" not in text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "[bad", "", "10.0.0.9"]
)
def test_another_name_is_refused(site, host):
    client, _ = site
    answer = client.get("/analyze", headers={"Host": host})
    assert answer.status_code == 421 and "not called by this name" in sentence(answer)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:8642", "[::1]:8642", "LOCALHOST"])
def test_the_names_of_this_machine_are_good_at_any_port(site, host):
    client, _ = site  # ssh -L may give it another
    assert client.get("/analyze", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/analyze", "/samples/1", "/analyze/none/remove"])
def test_what_another_site_sends_is_refused(site, analyses, path):
    client, folder = site
    good = token(client)
    for headers in (
        {},
        {"X-CSRF-Token": "wrong"},
        {"X-CSRF-Token": good, "Origin": "http://evil.example"},
        {"X-CSRF-Token": good, "Origin": "null"},
    ):
        answer = client.post(path, headers=headers)
        assert answer.status_code == 403 and sentence(answer)
    assert list(folder.iterdir()) == [] and analyses.given == []


def test_another_site_cannot_load_anything_but_may_link_here(site):
    client, _ = site
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/samples/1.zip", headers=foreign).status_code == 403
    assert client.get("/analyze", headers=foreign | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_a_token_is_asked_for_once_and_leaves_the_address(tmp_path, analyses):
    with jobs.Jobs(tmp_path, SETTINGS, LIMITS) as running:
        client = review_app.create_app(
            review_app.Content(True, LIMITS), running, Doors(["node7"], "secret")
        ).test_client()
        for path in ("/", "/?token=wrong", "/shared/app.css", "/analyze/x"):
            assert client.get(path).status_code == 401, path
        assert client.post("/analyze").status_code == 401
        answer = client.get("/?token=secret", headers={"Host": "node7:8642"})
        assert answer.status_code == 302 and answer.headers["Location"] == "/"
        # a terminal in the browser is another site: "Strict" would keep the cookie from the page that it opens
        assert "SameSite=Lax" in answer.headers["Set-Cookie"]
        assert client.get("/analyze", headers={"Host": "node7:8642"}).status_code == 200


def test_addresses_of_loopback():
    assert all(map(is_loopback, ["127.0.0.1", "127.3.2.1", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "node7"]))


def test_results_are_kept_for_a_while_and_only_so_many(tmp_path, analyses):
    analyses.go.set()
    few = replace(LIMITS, kept=2, waiting=9)
    with jobs.Jobs(tmp_path, SETTINGS, few) as running:
        found = []
        for _ in range(4):
            job = running.new()
            running.submit(job)
            while job.state != "refused":
                time.sleep(0.01)
            found.append(job)
        assert [running.find(job.id) is not None for job in found] == [False, False, True, True]
        found[2].asked -= few.kept_seconds + 1
        assert running.find(found[2].id) is None


def test_an_analysis_can_be_stopped(site, analyses):
    client, folder = site
    where = give(client, ("a", b"x")).headers["Location"]
    while client.get(f"{where}/state").get_json()["state"] != "running":
        time.sleep(0.01)
    assert client.post(f"{where}/remove", headers={"X-CSRF-Token": token(client)}).status_code == 303
    assert client.get(where).status_code == 404
    for _ in range(1000):
        if not list(folder.iterdir()):
            break
        time.sleep(0.01)
    assert list(folder.iterdir()) == []
    # the next one is not held up
    analyses.go.set()
    ended(client, give(client, ("a", b"x")).headers["Location"])


def test_ending_the_app_ends_what_runs(tmp_path, analyses):
    with jobs.Jobs(tmp_path, SETTINGS, LIMITS) as running:
        job = running.new()
        running.submit(job)
        while job.state != "running":
            time.sleep(0.01)
    assert job.state == "refused" and list(tmp_path.iterdir()) == []


def test_the_workspace_is_private_and_goes(tmp_path):
    with Workspace(tmp_path) as space:
        assert space.folder.is_relative_to(tmp_path) and space.folder.stat().st_mode & 0o077 == 0
        (space.folder / "upload").write_bytes(b"x")
        with Workspace(tmp_path) as other:  # beside a living one
            assert space.folder.exists() and other.folder != space.folder
        assert (space.folder / "upload").exists()
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from lstv.review.workspace import Workspace
space = Workspace(Path(sys.argv[2])).__enter__()
(space.folder / "upload.dcm").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_app_left_is_removed_at_the_next_start(tmp_path):
    scripts = str(Path(workspace.__file__).parents[2])
    subprocess.run([sys.executable, "-c", _KILLED, scripts, str(tmp_path)], check=False)
    assert list(tmp_path.rglob("upload.dcm"))
    with Workspace(tmp_path):
        assert not list(tmp_path.rglob("upload.dcm"))


def test_a_folder_that_somebody_else_made_is_refused(tmp_path):
    home = tmp_path / f"lstv-review-{os.getuid()}"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    with pytest.raises(UserError, match="not a private folder"), Workspace(tmp_path):
        pass
    home.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not a private folder"), Workspace(tmp_path):
        pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give --results, --config or both"),
        (["--blinded", "--config", "config/config.yaml"], "give --results too"),
        (["--results", "results/none"], "results/none does not exist; run the workflow first"),
        (["--config", "config/none.yaml"], "config/none.yaml cannot be read"),
        (["--config", "README.md"], "cannot be read as a configuration"),
    ],
)
def test_the_program_answers_bad_options_in_a_sentence(options, words, monkeypatch, capsys):
    monkeypatch.chdir(Path(workspace.__file__).parents[3])
    monkeypatch.setattr(sys, "argv", ["review_app.py", *options])
    assert run(program.main) == 2
    assert words in " ".join(capsys.readouterr().err.split())


class Server:
    effective_port = 8642

    def run(self) -> None:
        pass


@pytest.mark.parametrize("address", ["127.0.0.2", "10.1.2.3"])
def test_the_program_answers_at_the_address_at_which_it_listens(address, monkeypatch, capsys):
    apps = []
    monkeypatch.chdir(Path(workspace.__file__).parents[3])
    monkeypatch.setattr(program, "_server", lambda _, app, *rest: apps.append(app) or Server())
    assert program.main(["--config", "config/config.yaml", "--expose", address, "--no-browser"]) == 0
    shown = urlsplit(capsys.readouterr().out.split()[1])
    answer = apps[0].test_client().get(f"{shown.path}?{shown.query}", headers={"Host": shown.netloc})
    assert answer.status_code == 302


def test_a_port_in_use_is_a_sentence(monkeypatch, capsys):
    monkeypatch.chdir(Path(workspace.__file__).parents[3])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["review_app.py", "--config", "config/config.yaml", "--port", port])
        assert run(program.main) == 2
    assert f"--port {port} at 127.0.0.1 cannot be used" in capsys.readouterr().err
