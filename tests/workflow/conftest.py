"""A project folder for each test that asks for one."""

from __future__ import annotations

import pytest

from workflow_project import Project, copy_project


@pytest.fixture
def project(tmp_path) -> Project:
    return copy_project(tmp_path / "project")
