"""JSON that is nested too deeply to be read is told, or passed over, like any other damaged file."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import review_app
from lstv.base import run_record
from lstv.base.errors import StudyError, UserError
from lstv.bids import source
from lstv.dicom import nifti_series
from lstv.dicom.nifti import NiftiError
from lstv.folder import passed_over
from lstv.localizer import centroids
from lstv.ranking import review_queue
from lstv.report import inputs
from lstv.report.pages import cohort, picture
from lstv.review import annotations, store
from lstv.run import changed
from lstv.second_reader import outcomes
from lstv.uncertainty import feature_bank, study_record
from lstv_kaggle import credentials, ranged_zip, single_file

NESTED = "[" * 100_000


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (study_record.read, UserError),
        (review_queue.read_queue, UserError),
        (inputs.read_json, UserError),
        (cohort.queued_studies, UserError),
        (annotations._array, UserError),
        (lambda path: list(store._parsed(path)), UserError),
        (centroids.read_centroids, StudyError),
        (nifti_series.read_sidecar, NiftiError),
        (review_app._settings, UserError),
        (lambda path: credentials._json(path, NESTED), credentials.CredentialsError),
    ],
)
@pytest.mark.fault("JSON that is nested too deeply", "one sentence, like other damaged files")
def test_nested_json_is_an_error_in_words(tmp_path, read, error):
    path = tmp_path / "x.json"
    path.write_text(NESTED)
    with pytest.raises(error) as raised:
        read(path)
    assert type(raised.value) is not RecursionError and str(raised.value)


def test_a_feature_bank_with_nested_facts_cannot_be_read(tmp_path):
    path = tmp_path / "bank.npz"
    np.savez(path, facts=np.array(NESTED))
    with pytest.raises(UserError, match="cannot be read"):
        feature_bank.read(path)


@pytest.mark.parametrize("read", [study_record.read, inputs.read_json, centroids.read_centroids])
def test_what_the_system_says_of_a_file_is_in_words_alone(tmp_path, read):
    with pytest.raises((UserError, StudyError)) as raised:
        read(tmp_path)
    assert "Is a directory" in str(raised.value) and "Errno" not in str(raised.value)


def test_nested_json_where_a_damaged_file_is_as_none(tmp_path):
    outcomes.path_of(tmp_path, "1").write_text(NESTED)
    assert outcomes.read(tmp_path, "1") is None
    path = tmp_path / source.DESCRIPTION
    path.write_text(NESTED)
    assert source.exported_studies(tmp_path) == {}
    assert passed_over.sentence(path) == ""
    assert changed.sentence(path, tmp_path, {}) is None
    assert run_record.read(path) == {}
    archive = SimpleNamespace(size=1, etag="a", what="x", ranges=True)
    assert ranged_zip._load_cache(archive, path) is None
    assert single_file._resumable(archive, path, path) == 0


def test_nested_json_within_a_series_file(tmp_path):
    (tmp_path / "series.js").write_text(f"lstv.series({NESTED});")
    with pytest.raises(UserError, match="is not a series of a study page"):
        picture._frame(tmp_path / "series.js", 0)


def test_a_configuration_with_a_date_that_is_none_is_an_error_in_words(tmp_path):
    (tmp_path / "config.yaml").write_text("cohort: 2024-13-01\n")
    with pytest.raises(UserError, match="cannot be read as a configuration"):
        review_app._settings(tmp_path / "config.yaml")
