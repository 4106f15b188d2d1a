"""Running the programs: their commands, what they leave, what becomes of a study whose run fails, what is not run again."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import provenance
import run_second_reader as program
import second_reader_studies as selection
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.cohort import study_sheet
from lstv.ranking.second_reader_selection import QueueOptions, chosen
from lstv.second_reader import outcomes, programs, running
from lstv.second_reader.programs import Program

ROOT = Path(__file__).parents[2]
FAKE = """
import pathlib, sys
image, out, models = map(pathlib.Path, sys.argv[1:4])
print('models', models)
study = image.name.split('_')[0]
if study == 'sub-bad':
    print('RuntimeError: no memory'); sys.exit(3)
if study == 'sub-none':
    sys.exit(0)
folder = image.parent / 'derivatives_seg'
folder.mkdir()
for kind in ('vert', 'vert-raw', 'spine'):
    (folder / image.name.replace('_T2w', '_mod-T2w_seg-%s_msk' % kind)).write_bytes(image.read_bytes() + kind.encode())
step = out / 'step2_output'
step.mkdir()
(step / image.name).write_bytes(b'labels')
"""


@pytest.fixture
def place(tmp_path):
    """A fake program, and exported images of three studies and of one that could not be exported."""
    (tmp_path / "fake.py").write_text(FAKE)
    (tmp_path / "models").mkdir()
    lines = ["study_id,status,reason,image,bytes,sha256,split"]
    for study_id in ("good", "bad", "none"):
        image = f"sub-{study_id}/anat/sub-{study_id}_acq-sag_T2w.nii.gz"
        (tmp_path / "bids" / image).parent.mkdir(parents=True)
        (tmp_path / "bids" / image).write_bytes(study_id.encode())
        lines.append(f"{study_id},ok,,{image},4,sum-{study_id},unknown")
    lines.append("gone,failed,its slices do not lie evenly,,,,unknown")
    (tmp_path / "images.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def arguments(place: Path, *more: str, name: str = "spineps", command: str | None = None) -> list[str]:
    command = command or f"{sys.executable} {place}/fake.py {{image}} {{out}} {{models}}"
    return [
        *("--program", name, "--command", command, "--models", f"{place}/models", "--study-minutes", "1"),
        *("--images", f"{place}/images.csv", "--folder", f"{place}/bids", "--masks", f"{place}/masks"),
        *("--logs", f"{place}/logs", "--manifest", f"{place}/manifest.csv", *more),
    ]


def manifest(place: Path) -> dict[str, dict[str, str]]:
    with open(place / "manifest.csv", newline="") as stream:
        return {row["study_id"]: row for row in csv.DictReader(stream)}


def test_each_study_ends_for_itself(place, capsys):
    assert program.main(arguments(place)) == 0
    rows = manifest(place)
    assert {name: row["status"] for name, row in rows.items()} == {
        "good": "made", "bad": "failed", "none": "failed", "gone": "failed"
    }  # fmt: skip
    assert (place / "masks/good_vert.nii.gz").read_bytes() == b"goodvert"
    assert (place / "masks/good_spine.nii.gz").read_bytes() == b"goodspine"
    assert rows["bad"]["reason"].startswith("SPINEPS ended with status 3 (RuntimeError: no memory); its output: ")
    assert rows["none"]["reason"].startswith("SPINEPS ended without a mask")
    assert rows["gone"]["reason"] == "there is no image of the study: its slices do not lie evenly."
    assert outcomes.reason(place / "masks", "bad") == rows["bad"]["reason"]
    assert outcomes.reason(place / "masks", "good") is None
    assert f"models {place}/models" in (place / "logs/good.log").read_text()
    for name in rows:
        made = provenance.only(outcomes.read(place / "masks", name))
        assert made["image"] is None and str(place) not in str(made), "what is not known is not made up"
        assert set(made["libraries"]) == {"spineps", "TPTBox", "torch"}
    assert "SPINEPS: 1 made, 0 taken, 3 failed" in capsys.readouterr().out
    assert sorted(path.name for path in (place / "masks").iterdir()) == [
        "bad.json", "gone.json", "good.json", "good_spine.nii.gz", "good_vert.nii.gz", "none.json"
    ]  # fmt: skip


def test_a_mask_says_of_which_image_its_program_is(place):
    """Of the program's own, not the one that the other rules have; and a mask is kept whichever commit made it."""
    images = {
        "image": {"name": "lstv.sif", "sha256": "a"},
        "second_reader_images": {"spineps": {"name": "/s/spineps.sif"}},
    }
    record = place / "software_versions.yml"
    record.write_text(yaml.safe_dump({"git_revision": "a" * 40, "git_changes": False, **images}))
    program.main(arguments(place, "--software", str(record)))
    made = outcomes.read(place / "masks", "good")["provenance"]
    assert made["image"] == {"name": "spineps.sif", "sha256": None}
    written = (place / "masks/good.json").read_bytes()
    program.main(arguments(place))
    assert manifest(place)["good"]["status"] == "taken" and (place / "masks/good.json").read_bytes() == written


def test_totalspinesegs_mask_is_that_of_its_second_step(place):
    program.main(arguments(place, name="totalspineseg"))
    assert (place / "masks/good.nii.gz").read_bytes() == b"labels"


def test_masks_that_are_there_are_taken_as_they_are(place):
    program.main(arguments(place))
    (place / "masks/none_vert.nii.gz").write_bytes(b"by hand")
    (place / "masks/none.json").unlink()
    (place / "fake.py").write_text("raise SystemExit('it is not to be run')")
    program.main(arguments(place))
    rows = manifest(place)
    assert rows["good"]["status"] == rows["none"]["status"] == "taken"
    assert (place / "masks/good_vert.nii.gz").read_bytes() == b"goodvert"
    # a user's mask also where the program is now called in another way
    program.main(arguments(place, command=f"{sys.executable} -c raise_error {{image}}"))
    assert manifest(place)["none"]["status"] == "taken"
    assert (place / "masks/none_vert.nii.gz").read_bytes() == b"by hand"


@pytest.mark.parametrize(
    "change", ["image", *(pytest.param(name, marks=pytest.mark.slow) for name in ("export", "command", "models"))]
)
def test_a_mask_of_another_image_command_or_weights_is_not_kept(place, change):
    program.main(arguments(place))
    args = arguments(place)
    images = (place / "images.csv").read_text()
    if change == "image":
        (place / "images.csv").write_text(images.replace("sum-good", "sum-other"))
    elif change == "export":
        old = "ok,,sub-good/anat/sub-good_acq-sag_T2w.nii.gz,4,sum-good"
        (place / "images.csv").write_text(images.replace(old, "failed,its slices do not lie evenly,,,"))
    elif change == "command":
        args[args.index("--command") + 1] += " more"
    else:
        (place / "other").mkdir()
        args[args.index("--models") + 1] = f"{place}/other"
    works = (place / "fake.py").read_text()
    (place / "fake.py").write_text("raise SystemExit('RuntimeError: no memory')")
    program.main(args)
    assert manifest(place)["good"]["status"] == "failed"
    assert not list((place / "masks").glob("good*.nii.gz"))
    (place / "fake.py").write_text(works)
    if change != "export":
        program.main(args)
        assert manifest(place)["good"]["status"] == "made"
        assert outcomes.read(place / "masks", "good")["models"] == args[args.index("--models") + 1]
        program.main(args)
        assert manifest(place)["good"]["status"] == "taken"


def test_a_mask_put_in_the_place_of_ours_or_of_a_failure_stays(place):
    program.main(arguments(place))
    for study_id in ("good", "bad"):
        (place / f"masks/{study_id}_vert.nii.gz").write_bytes(b"by hand")
    program.main(arguments(place, command=f"{sys.executable} -c raise_error {{image}}"))
    for study_id in ("good", "bad"):
        assert manifest(place)[study_id]["status"] == "taken"
        assert (place / f"masks/{study_id}_vert.nii.gz").read_bytes() == b"by hand"
        assert outcomes.reason(place / "masks", study_id) is None


def test_a_run_that_was_ended_between_two_masks_is_done_again(place):
    program.main(arguments(place))
    (place / "masks/good_spine.nii.gz").unlink()
    program.main(arguments(place))
    assert manifest(place)["good"]["status"] == "made" and (place / "masks/good_spine.nii.gz").is_file()


def test_another_file_beside_a_mask_is_no_outcome(tmp_path):
    (tmp_path / "7.json").write_text('{"status": "failed", "reason": "of another program"}')
    assert outcomes.read(tmp_path, "7") is None and outcomes.reason(tmp_path, "7") is None


def test_a_program_that_takes_too_long(place, tmp_path):
    slow = Program("spineps", f'{sys.executable} -c "import time; time.sleep(60)" {{image}}', None, 0.005)
    (tmp_path / "work").mkdir()
    image = place / "bids/sub-good/anat/sub-good_acq-sag_T2w.nii.gz"
    ended = programs.run(slow, image, tmp_path / "work", tmp_path / "log")
    assert ended.reason.startswith("SPINEPS was ended after 0.005 minutes")


def started(place: Path, minutes: float) -> tuple[Program, Path]:
    """A program that starts another one and waits for it, and the file with the number of that process."""
    told = place / "process"
    command = f"sh -c 'sleep 600 & echo $! > {told}.part; mv {told}.part {told}; wait' sh {{image}}"
    return Program("spineps", command, None, minutes), told


def has_ended(process: int) -> bool:
    """Within 30 seconds; one that has ended may wait for its parent to ask."""
    for _ in range(300):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_what_a_program_started_is_ended_with_it(place, tmp_path):
    slow, told = started(place, 0.05)
    (tmp_path / "work").mkdir()
    image = place / "bids/sub-good/anat/sub-good_acq-sag_T2w.nii.gz"
    ended = programs.run(slow, image, tmp_path / "work", tmp_path / "log")
    assert ended.reason.startswith("SPINEPS was ended after 0.05 minutes")
    assert has_ended(int(told.read_text()))


@pytest.mark.parametrize("moment", ["while it starts", "while it is waited for"])
def test_a_job_that_is_ended_at_an_awkward_moment_ends(place, monkeypatch, moment):
    """Python answers a signal between any two steps, so also within Popen, and while it holds its lock."""

    numbers: list[int] = []

    class Popen(subprocess.Popen):
        def __init__(self, *words, **options):
            super().__init__(*words, **options)
            numbers.append(self.pid)
            if moment == "while it starts":
                os.kill(os.getpid(), signal.SIGTERM)

        def wait(self, timeout=None):
            if moment != "while it starts" and timeout == 60:
                self._waitpid_lock.acquire()
                raise KeyboardInterrupt
            assert timeout is not None, "would never return"
            return super().wait(timeout)

    monkeypatch.setattr(programs, "_LAST_WAIT", 0.1, raising=False)
    monkeypatch.setattr(programs.subprocess, "Popen", Popen)
    image = place / "bids/sub-good/anat/sub-good_acq-sag_T2w.nii.gz"
    (place / "work").mkdir()
    slow = Program("spineps", "sh -c 'exec sleep 600' sh {image}", None, 1)
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        programs.run(slow, image, place / "work", place / "log")
    assert has_ended(numbers[0])


@pytest.mark.parametrize("command", ["true", "sleep 600"], ids=["as its program has ended", "as its time is up"])
def test_a_job_that_is_asked_to_end_when_all_is_over_ends(place, monkeypatch, command):
    set_to = signal.signal

    def late(number, handler):
        if handler is signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)
        return set_to(number, handler)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    monkeypatch.setattr(programs.signal, "signal", late)
    image = place / "bids/sub-good/anat/sub-good_acq-sag_T2w.nii.gz"
    (place / "work").mkdir()
    asked = Program("spineps", f"sh -c 'exec {command}' sh {{image}}", None, 0.005)
    with pytest.raises(SystemExit) as ended:
        programs.run(asked, image, place / "work", place / "log")
    assert ended.value.code == 128 + signal.SIGTERM


def test_a_job_that_is_ended_leaves_no_program_behind(place):
    slow, told = started(place, 1)
    args = [sys.executable, "scripts/run_second_reader.py", *arguments(place, command=slow.command)]
    job = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not told.exists() and job.poll() is None:
        time.sleep(0.05)
    job.terminate()
    assert job.wait(60) == 128 + signal.SIGTERM
    assert has_ended(int(told.read_text()))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program {image}", "--command cannot be started: no-such-program"),
        ("python {picture}", "cannot be filled in"),
        ("python script.py", "does not name the {image}"),
        ("python {image} 'unclosed", "cannot be filled in"),
    ],
)
def test_a_command_that_cannot_be_run_ends_the_job(place, command, words, capsys, monkeypatch):
    args = arguments(place, command=command)
    monkeypatch.setattr(sys, "argv", ["run_second_reader", *args])
    assert run(lambda: program.main(args)) == 2
    assert words in capsys.readouterr().err


def test_parts_share_the_studies():
    names = [f"study-{number}" for number in range(40)]
    shares = [[name for name in names if running.in_part(name, part, 3)] for part in (1, 2, 3)]
    assert sorted(sum(shares, [])) == sorted(names) and all(shares)


def test_the_programs_python_needs_nothing_but_its_standard_library():
    done = subprocess.run(
        [sys.executable, "-S", "scripts/run_second_reader.py", "--version"],
        cwd=ROOT,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_without_a_library_what_the_run_recorded_is_not_known(place):
    """A second reader's environment need not have PyYAML: what cannot be read is null, and the rest is said."""
    (place / "software_versions.yml").write_text("second_reader_images: {spineps: {name: spineps.sif}}\n")
    code = "import json, pathlib, sys; sys.path.insert(0, 'scripts'); from lstv.run import maker; print(json.dumps("
    code += (
        f"maker.provenance(pathlib.Path({str(place / 'software_versions.yml')!r}), ['torch'], {{}}, reader='spineps')))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = provenance.only({"provenance": json.loads(done.stdout)})
    assert made["image"] is None and made["libraries"] == {"torch": None} and made["python"]


# --- which studies ----------------------------------------------------------------------------------------------------


def table() -> list[dict[str, str]]:
    found = [
        {
            "study_id": f"s{place}",
            "series_id": "x",
            "status": "ok",
            "reason": "",
            "flags": "",
            "risk": "low",
            "rank": str(place),
        }
        for place in (3, 1, 2, 4)
    ]
    return [*found, {**found[0], "study_id": "bad", "status": "failed", "rank": ""}]


QUEUE = QueueOptions(ambiguous=1, sample=1, localizer=0, seed=1)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("first 2", ["s1", "s2"]),
        ("last 2", ["s3", "s4"]),
        ("first 9", ["s1", "s2", "s3", "s4"]),
        ("last 9", ["s1", "s2", "s3", "s4"]),
        ("all", ["s1", "s2", "s3", "s4"]),
    ],
)
def test_the_choice_follows_the_ranking(choice, expected):
    assert chosen(table(), choice, QUEUE) == expected


def test_the_queue_is_the_review_queue():
    found = chosen(table(), "queue", QUEUE)
    assert found[0] == "s1" and len(found) == 2


@pytest.mark.parametrize("choice", ["first", "first 0", "last -1", "everything", "first 2.5", ""])
def test_another_choice_is_refused(choice):
    with pytest.raises(UserError, match="first N, last N, queue or all"):
        chosen(table(), choice, QUEUE)


def test_the_chosen_studies_are_a_study_sheet(tmp_path):
    columns = list(table()[0])
    with open(tmp_path / "table.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(table())
    study_sheet.write_sheet([study_sheet.Row(row["study_id"], "x") for row in table()], tmp_path / "sheet.csv")
    args = ["--table", f"{tmp_path}/table.csv", "--sheet", f"{tmp_path}/sheet.csv", "--out", f"{tmp_path}/out.csv"]
    assert selection.main([*args, "--studies", "last 1"]) == 0
    assert [row.study_id for row in study_sheet.read_sheet(tmp_path / "out.csv")] == ["s4"]
    study_sheet.write_sheet([study_sheet.Row("of another run", "x")], tmp_path / "sheet.csv")
    with pytest.raises(UserError, match=r"sheet\.csv has no study .*, which .*table\.csv has; give those of one run"):
        selection.main([*args, "--studies", "all"])
