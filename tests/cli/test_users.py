"""Users of an archive, from the command line."""

import pytest
from typer.testing import CliRunner

from cli.app import app
from dicomweb.archive import Archive
from dicomweb.identity import Identity
from dicomweb.passwords import is_hash, is_password


def run(*arguments: str, typed: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=typed)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_user_is_let_in_changed_listed_and_no_more(archive: Archive) -> None:
    run("user", "alice", "--table", "index", "--role", "read", "--role", "store", "--label", "ward", typed="pw\npw\n")
    user = archive.users.find("alice")
    assert user
    assert user.identity == Identity("alice", frozenset({"read", "store"}), frozenset({"ward"}))
    assert is_password("pw", user.password)
    assert not is_password("no", user.password)
    run("user", "alice", "--table", "index", "--password", "other")
    changed = archive.users.find("alice")
    assert changed
    assert changed.identity == Identity("alice", frozenset({"read"}))
    assert run("users", "--table", "index") == "alice: read\n"
    run("user", "alice", "--table", "index", "--remove")
    assert archive.users.find("alice") is None


@pytest.mark.parametrize("arguments", [["a:b"], ["alice", "--role", "king"], ["al\x07ice"]])
def test_what_is_no_user_is_refused(archive: Archive, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["user", *arguments, "--table", "index", "--password", "x"])
    assert result.exit_code != 0
    assert archive.users.all() == []


def test_a_hash_for_the_settings() -> None:
    printed = run("hash-password", typed="pw\npw\n").splitlines()[-1]
    assert is_hash(printed)
    assert is_password("pw", printed)
