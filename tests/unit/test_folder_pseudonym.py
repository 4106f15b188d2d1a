"""Ids from UIDs, and the key that makes them."""

from __future__ import annotations

import hashlib
import hmac
import re
import stat

import pytest

from lstv.base.errors import UserError
from lstv.base.ids import STUDY_ID
from lstv.folder import pseudonym
from lstv.folder.pseudonym import Pseudonyms, Uids, load_key


def test_ids_are_stable_and_depend_on_the_key():
    one, again, other = Pseudonyms(b"k" * 32), Pseudonyms(b"k" * 32), Pseudonyms(b"x" * 32)
    assert one.study("1.2.3") == again.study("1.2.3") != other.study("1.2.3")
    assert one.study("1.2.3") != one.study("1.2.4")
    assert one.study("1.2.3")[3:] != one.series("1.2.3")[3:]
    assert re.fullmatch(STUDY_ID, one.study("1.2.3"))
    assert "1.2.3" not in one.study("1.2.3")


def test_the_hash_is_hmac_sha256():
    import base64

    digest = hmac.new(b"k" * 32, b"st:1.2.3", hashlib.sha256).digest()
    assert Pseudonyms(b"k" * 32).study("1.2.3") == "st-" + base64.b32encode(digest).decode().lower()[:12]


def test_collision_is_an_error(monkeypatch):
    monkeypatch.setattr(pseudonym, "DIGITS", 1)
    ids = Pseudonyms(b"k" * 32)
    with pytest.raises(UserError, match="two different UIDs"):
        for number in range(40):
            ids.study(f"1.2.{number}")


def test_uids_stay_as_they_are():
    assert Uids().study("1.2.3") == "1.2.3"
    assert Uids().study("a/../b") == "a_.._b"


def test_key_is_made_once_for_the_owner_only(tmp_path):
    path = tmp_path / "deep" / "key"
    key, warning = load_key(path)
    assert len(key) == 32
    assert warning == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == (key, "")
    assert load_key(tmp_path / "other")[0] != key


def test_open_key_is_warned_about(tmp_path):
    load_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    assert "chmod 600" in load_key(tmp_path / "key")[1]


@pytest.mark.parametrize("content", ["", "secret", "0" * 63, "g" * 64, "\xff"])
def test_damaged_key(tmp_path, content):
    (tmp_path / "key").write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="key"):
        load_key(tmp_path / "key")
    assert (tmp_path / "key").read_text(encoding="latin-1") == content


@pytest.mark.parametrize("uid", ["../../x", "-rf", "=cmd|a!b", "x" * 300, ".", "1.2\n3", "ü"])
def test_a_uid_that_is_any_text_still_names_a_file(uid):
    name = Uids().study(uid)
    assert re.fullmatch(STUDY_ID, name) and not name.startswith("-") and len(name) <= 64
