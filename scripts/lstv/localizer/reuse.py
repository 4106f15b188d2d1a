"""What need not be inferred again: studies of a batch's earlier file or interrupted run that would come out alike.

A study is known by its key, a sha256 of everything that its part of the heatmap file depends on: the row of the sheet; name,
size and time of every file of its series and of its centroids; checkpoint, options and device; versions and text of the
program. Failed studies are tried again.

The work folder (``.kept`` beside the heatmap file) holds for each batch ``<batch>.maps``, the last finished file (a hard
link, so it takes no room while that is there), ``<batch>.json``, the keys and checksums of its studies, and, while a run
goes on or after it was killed, ``<batch>.*.journal``. There is one journal however often a batch was interrupted: a run
takes over what an earlier one left. What is kept of batches that the cohort no longer has goes when one of its present
batches is finished. A file system without hard links keeps no finished file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstv.base.atomic import write_json
from lstv.base.errors import StudyError
from lstv.base.private_files import read_list
from lstv.cohort import batches
from lstv.cohort.study_sheet import Row
from lstv.dicom.nifti import is_named
from lstv.dicom.nifti_series import sidecar_of
from lstv.localizer import heatmap_file, journal
from lstv.localizer.centroids import centroid_file
from lstv.localizer.encoding import EncodedStudy
from lstv.localizer.heatmap_file import StudyMaps
from lstv.localizer.journal import Journal

if TYPE_CHECKING:
    import h5py

FOLDER = ".kept"


def state(row: Row, centroids: Path | None) -> str:
    """Of what a study is made from, to be asked for before it is read. Empty for a row that gives no maps."""
    if row.use != "yes" or not row.series_dir:
        return ""
    try:
        known: list[Any] = [list(vars(row).items()), _files(Path(row.series_dir))]
    except (OSError, StudyError, ValueError):
        return ""  # its failure is for the analysis to tell
    if centroids is not None:
        known.append(_file(centroid_file(centroids, row.study_id)))
    return json.dumps(known)


def keys(states: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, str]:
    """The key of each study by its state, and empty ones; ``facts`` are those of the run, as JSON takes them."""
    run = json.dumps(dict(facts), sort_keys=True)
    return {study: state and hashlib.sha256(f"{run}\n{state}".encode()).hexdigest() for study, state in states.items()}


def _files(series: Path) -> list[list[Any]]:
    if series.suffix.lower() == ".txt" and not series.is_dir():
        digest = hashlib.sha256(series.read_bytes()).hexdigest()
        return [[digest], *(_file(listed.path) for listed in read_list(series))]
    if is_named(series) and not series.is_dir():
        return [_file(series), _file(sidecar_of(series))]
    with os.scandir(series) as entries:
        return sorted([entry.name, entry.stat().st_size, entry.stat().st_mtime_ns] for entry in entries)


def _file(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:
        return [os.fspath(path)]
    return [os.fspath(path), found.st_size, found.st_mtime_ns]


def code_digest(files: Iterable[Path]) -> str:
    """sha256 of the texts of program files, in their order."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def is_anything_kept(out: Path) -> bool:
    """Whether there is an earlier file or an interrupted run of a heatmap file."""
    work, name = _place(out)
    return (work / f"{name}.json").exists() or bool(_journals(work, name))


def _place(out: Path) -> tuple[Path, str]:
    return Path(out).parent / FOLDER, Path(out).stem


class Batch:
    """A heatmap file in the making: see ``batch``."""

    def __init__(self, work: Path, name: str, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._maps, self._record = work / f"{name}.maps", work / f"{name}.json"
        old = _journals(work, name)
        # not by the process id: in a container or on another node a run before may have had the same
        self._journal = Journal(work / f"{name}.{secrets.token_hex(8)}.journal")
        self._recorded = self._finished_before()
        self.kept = {study for study, (key, _) in self._recorded.items() if keys.get(study) == key}
        """Studies that need not be inferred."""
        try:
            for path in old:
                self._take_over(path)
            self._journal.synchronize()
        except OSError:
            self._journal.close()
            self._journal.path.unlink(missing_ok=True)
            raise
        self._taken_over = self._journal.size
        for path in old:
            path.unlink(missing_ok=True)

    def _finished_before(self) -> dict[str, list[Any]]:
        """Key and checksum by study of the finished file."""
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            record = json.loads(self._record.read_text(encoding="utf-8"))
            return {study: known for study, known in record.items() if isinstance(known, list) and len(known) == 2}
        return {}

    def _take_over(self, path: Path) -> None:
        """Copy the studies that are still wanted. Raises OSError where they cannot be written."""
        for known, study in _readable(path):
            study_id = study.study_id
            if known and self._keys.get(study_id) == known and study_id not in self.kept:
                self._journal.append(study, known)
                self.kept.add(study_id)

    def write(self, maps: StudyMaps) -> None:
        """Encode a study and note it in the journal; may be called from several threads."""
        again = self._keys[maps.study_id] if maps.status == "ok" else ""
        self._journal.append(heatmap_file.encoded(maps), again or " " * journal.KEY_LENGTH)

    def missing(self) -> set[str]:
        """Kept studies whose bytes are no longer those that were recorded; they must be inferred after all."""
        import h5py

        wanted = {study for study in self.kept if study not in self._journal}
        good = set()
        with suppress(OSError):
            if wanted:
                with h5py.File(self._maps, "r", locking=False) as file:
                    for study in wanted:
                        with suppress(KeyError, OSError, ValueError, RuntimeError):
                            if EncodedStudy.load(file, study).checksum() == self._recorded[study][1]:
                                good.add(study)
        self.kept -= wanted - good
        return wanted - good

    def assemble(self, out: Path, run: dict[str, Any]) -> None:
        """Write the heatmap file in the order of the keys, and keep what the next run may want."""
        import h5py

        studies: dict[str, list[Any]] = {}
        earlier: h5py.File | None = None
        try:
            if any(study not in self._journal for study in self._keys):
                earlier = h5py.File(self._maps, "r", locking=False)
            with heatmap_file.create(out, run) as writer:
                for study_id, known in self._keys.items():
                    study = self._journal.load(study_id) if study_id in self._journal else _loaded(earlier, study_id)
                    writer.store(study)
                    if known and study.attributes[""]["status"] == "ok":
                        studies[study_id] = [known, study.checksum()]
        finally:
            if earlier is not None:
                earlier.close()
        self._keep(out, studies)

    def _keep(self, out: Path, studies: dict[str, list[Any]]) -> None:
        link = self._maps.with_name(f".{self._maps.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            link.unlink(missing_ok=True)
            os.link(out, link)
            os.replace(link, self._maps)
            write_json(self._record, studies)
        self._journal.path.unlink(missing_ok=True)
        self._remove_outgrown()

    def _remove_outgrown(self) -> None:
        files = [path for path in self._maps.parent.iterdir() if path.suffix in (".maps", ".json", ".journal")]
        names = {path: path.name.rsplit(".", 2 if path.suffix == ".journal" else 1)[0] for path in files}
        gone = batches.outgrown(self._maps.stem, self._keys, names.values())
        for path, name in names.items():
            if name in gone:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._journal.close()

    def discard(self) -> None:
        """Remove what this run noted; what it took over from earlier ones stays."""
        with suppress(OSError):
            self._journal.truncate(self._taken_over)
        self._journal.close()
        if not self._taken_over:
            self._journal.path.unlink(missing_ok=True)


def _journals(work: Path, name: str) -> list[Path]:
    return sorted(path for path in work.glob("*.journal") if path.name.rsplit(".", 2)[0] == name)


def _readable(path: Path) -> Iterator[tuple[str, EncodedStudy]]:
    """What a journal gives until it is damaged or its disk fails."""
    studies = journal.read(path)
    while True:
        try:
            yield next(studies)
        except (StopIteration, OSError, ValueError):
            return


def _loaded(file: h5py.File | None, study_id: str) -> EncodedStudy:
    assert file is not None
    return EncodedStudy.load(file, study_id)


@contextmanager
def batch(out: Path, run: dict[str, Any], keys: Mapping[str, str], *, reuse: bool = True) -> Iterator[Batch]:
    """A heatmap file of the studies of ``keys`` (function ``keys``), in that order; it gets its name when the block ends
    without an error. Every study that is not in ``kept`` must be written inside the block."""
    work, name = _place(out)
    if not reuse:
        for path in (work / f"{name}.json", *_journals(work, name)):
            path.unlink(missing_ok=True)
    made = None
    try:
        made = Batch(work, name, keys)
        made.missing()
        yield made
        made.assemble(Path(out), run)
    except Exception as error:
        if made is not None and _is_of_the_disk(error):
            made.discard()  # it would keep the disk full
        raise
    finally:
        if made is not None:
            made.close()
        with suppress(OSError):
            work.rmdir()  # only where nothing is in it


_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def _is_of_the_disk(error: BaseException | None) -> bool:
    while error is not None and not (isinstance(error, OSError) and error.errno in _OF_THE_DISK):
        error = error.__cause__
    return error is not None
