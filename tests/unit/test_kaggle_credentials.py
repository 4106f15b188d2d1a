"""Where credentials are looked for, and that none is ever shown."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lstv_kaggle import credentials
from lstv_kaggle.credentials import Credentials, CredentialsError, find


def test_nothing_found():
    assert find({}) is None
    assert find({"HOME": "/does/not/exist"}) is None


def test_the_order_is_that_of_the_official_client(tmp_path):
    home, config = tmp_path / "home", tmp_path / "config"
    (home / ".kaggle").mkdir(parents=True)
    config.mkdir()
    environment = {"HOME": str(home), "KAGGLE_CONFIG_DIR": str(config)}
    later = (datetime.now(UTC) + timedelta(hours=6)).isoformat()
    login = {"access_token": "login-token", "access_token_expiration": later, "refresh_token": "refresh"}
    (home / ".kaggle" / "credentials.json").write_text(json.dumps(login))
    assert find(environment).token == "login-token"
    (home / ".kaggle" / "kaggle.json").write_text('{"username": "home", "key": "home-key"}')
    assert find(environment).key == "home-key"
    (config / "kaggle.json").write_text('{"username": "config", "key": "config-key"}')
    assert find(environment).key == "config-key"
    environment |= {"KAGGLE_USERNAME": "variable", "KAGGLE_KEY": "variable-key"}
    assert find(environment).key == "variable-key"
    (home / ".kaggle" / "access_token").write_text("home-token\n")
    assert find(environment).token == "home-token"
    (config / "access_token").write_text("config-token\n")
    assert find(environment).token == "config-token"
    environment["KAGGLE_API_TOKEN"] = "variable-token"
    assert find(environment).token == "variable-token"


def test_xdg_folder_and_token_file_named_by_the_variable(tmp_path):
    (tmp_path / "kaggle").mkdir()
    (tmp_path / "kaggle" / "kaggle.json").write_text('{"username": "u", "key": "k"}')
    assert find({"XDG_CONFIG_HOME": str(tmp_path)}).username == "u"
    (tmp_path / "token").write_text(" a-token\n")
    assert find({"KAGGLE_API_TOKEN": str(tmp_path / "token")}).token == "a-token"


def test_login_about_to_end_is_renewed(tmp_path):
    soon = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    login = {"access_token": "old", "access_token_expiration": soon, "refresh_token": "refresh"}
    (tmp_path / "credentials.json").write_text(json.dumps(login))
    found = find({"KAGGLE_CONFIG_DIR": str(tmp_path)})
    assert (found.token, found.refresh_token) == (None, "refresh")


@pytest.mark.parametrize(
    "text", ["{not json", "[]", "null", "{}", '{"username": "u"}', '{"username": "u", "key": 7}', ""]
)
def test_malformed_key_file(tmp_path, text):
    (tmp_path / "kaggle.json").write_text(text)
    with pytest.raises(CredentialsError, match=r"kaggle\.json is malformed .* download it again"):
        find({"KAGGLE_CONFIG_DIR": str(tmp_path)})


def test_binary_key_file(tmp_path):
    (tmp_path / "kaggle.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CredentialsError, match="not a text file"):
        find({"KAGGLE_CONFIG_DIR": str(tmp_path)})


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"KAGGLE_USERNAME": "u"}, "KAGGLE_KEY is not set"),
        ({"KAGGLE_KEY": "hidden"}, "KAGGLE_USERNAME is not set"),
        ({"KAGGLE_API_TOKEN": "/no/such/file"}, "names a file that does not exist"),
        ({"KAGGLE_API_TOKEN": "hid\nden"}, "copy them again"),
        ({"KAGGLE_USERNAME": "u", "KAGGLE_KEY": "hidden\u00e9"}, "copy them again"),
    ],
)
def test_unusable_variables(environment, sentence):
    with pytest.raises(CredentialsError, match=sentence) as caught:
        find(environment)
    assert "hid" not in str(caught.value)


def test_empty_token_file(tmp_path):
    (tmp_path / "access_token").write_text("\n")
    with pytest.raises(CredentialsError, match="is empty"):
        find({"KAGGLE_CONFIG_DIR": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read anywhere")
def test_a_folder_that_cannot_be_read_is_told_by_who_reads_it(tmp_path):
    """Not by the set-up of a container, which only looks for names."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from lstv_kaggle import container, credentials\n"
        "needs = container.needs({'KAGGLE_CONFIG_DIR': sys.argv[2]}); print(needs.files[0])\n"
        "try: credentials.find({'KAGGLE_CONFIG_DIR': sys.argv[2]})\n"
        "except credentials.CredentialsError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(Path(credentials.__file__).parents[1]), str(closed)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True)
    closed.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(closed)
    assert "cannot be read (Permission denied)" in done.stdout.splitlines()[1]


def test_secrets_are_not_in_the_representation():
    found = find({"KAGGLE_USERNAME": "someone", "KAGGLE_KEY": "hidden"})
    assert "hidden" not in repr(found) and "someone" not in repr(found)
    assert found.redact("key hidden here") == "key *** here"
    sent = base64.b64encode(b"me:hidden").decode()
    assert Credentials("x", username="me", key="hidden").redact(f"header Basic {sent}!") == "header Basic ***!"


@pytest.mark.fault("a kaggle.json with settings only", "the login beside it is used")
def test_settings_without_credentials_do_not_hide_the_login(tmp_path):
    folder = tmp_path / ".kaggle"
    folder.mkdir()
    (folder / "kaggle.json").write_text('{"competition": "titanic"}')
    (folder / "credentials.json").write_text('{"refresh_token": "r", "username": "u"}')
    found = credentials.find({"HOME": str(tmp_path)})
    assert found is not None and found.refresh_token == "r"
