"""The point net and the list of the studies it was not trained on: fetched once, then held to their recorded sha256."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lstv.base.checksums import file_digest, sha256
from lstv.base.errors import UserError
from lstv.base.text import readable_bytes
from lstv_kaggle.disk import PARTIAL, explained, write_atomic
from lstv_kaggle.remote import RemoteFile
from lstv_kaggle.single_file import download
from lstv_kaggle.sources import CHECKPOINT_BYTES, DATASET_PAGE, VALID_ID_COUNT


@dataclass(frozen=True)
class Fetched:
    """``transferred`` is False where the file was present."""

    path: Path
    sha256: str
    transferred: bool


def fetch(name: str, folder: Path, open_remote: Callable[[], RemoteFile], check: Callable[[Path], None]) -> Fetched:
    """Put ``name`` into ``folder``, with ``name.sha256`` beside it (in the form of ``sha256sum``).

    The sha256 is recorded once, after ``check`` accepted the file; from then on only that content is accepted. A file that
    is there without a record is checked and recorded. Nothing is asked of the service when file and record agree.
    Raises UserError where the content differs from the record or is refused.
    """
    target, record = folder / name, folder / f"{name}.sha256"
    recorded = sha256(target)
    with explained(folder):
        if target.is_file():
            digest = file_digest(target)
            if recorded is None:
                check(target)
                _write_record(record, digest, name)
            if recorded in (None, digest):
                return Fetched(target, digest, transferred=False)
        remote = open_remote()
        if remote.size > CHECKPOINT_BYTES[1]:
            raise UserError(
                f"Kaggle offers {readable_bytes(remote.size)} as {name}, which is more than it can be; nothing was fetched: "
                f"look at {DATASET_PAGE}."
            )
        part = download(remote, name, folder / PARTIAL)
        digest = file_digest(part)
        if recorded is not None and digest != recorded:
            part.unlink()
            raise UserError(
                f"Kaggle now sends another {name} (sha256 {digest}) than was recorded at the first download ({recorded}); "
                f"if the change is intended, delete {record} and run again."
            )
        try:
            check(part)
        except UserError as error:
            part.unlink()
            raise UserError(f"what Kaggle sent as {name} is refused: {error}") from error
        os.replace(part, target)
        if recorded is None:
            _write_record(record, digest, name)
    return Fetched(target, digest, transferred=True)


def check_checkpoint(path: Path) -> None:
    """Raise CheckpointError unless the file is the published point net: plausible size, all names and shapes, finite values.

    The size is looked at first, so that nothing is loaded that cannot be it.
    """
    from lstv.base.errors import CheckpointError
    from lstv.localizer.checkpoint import read_checkpoint

    size, (least, most) = path.stat().st_size, CHECKPOINT_BYTES
    if not least <= size <= most:
        raise CheckpointError(
            f"checkpoint {path} has {readable_bytes(size)}, but the point net has about 130 MB; use the published file."
        )
    if read_checkpoint(path).demo:
        raise CheckpointError(f"checkpoint {path} is the demo's small network, not the published point net.")


def check_valid_ids(path: Path) -> None:
    """Raise UserError unless the file holds as many distinct integer study ids as the published one."""
    import numpy as np

    try:
        ids = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} is not a NumPy file of study ids ({error}); delete it and fetch it again.") from None
    if (
        ids.ndim != 1
        or ids.dtype.kind not in "iu"
        or len(np.unique(ids)) != VALID_ID_COUNT
        or len(ids) != VALID_ID_COUNT
    ):
        raise UserError(
            f"{path} holds {ids.size} values of type {ids.dtype}, but the published list has {VALID_ID_COUNT} different "
            "integer ids; use the published file."
        )


def _write_record(record: Path, digest: str, name: str) -> None:
    write_atomic(record, f"{digest}  {name}\n".encode(), record.parent / PARTIAL)
