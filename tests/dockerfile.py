"""The Dockerfile, read: its instructions, and what the image that it makes is told."""

import json
import re
import shlex

from tests.builders import ROOT


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of this name, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if line.split(maxsplit=1)[:1] == [name]]


def copied() -> dict[str, str]:
    """What comes from the repository: where it is there, and where it goes."""
    pairs = (each.split(maxsplit=1) for each in instructions("COPY") if not each.startswith("--"))
    return {pair[0]: pair[1] for pair in pairs}


def environment() -> dict[str, str]:
    """The variables of the image."""
    return dict(pair.split("=", 1) for each in instructions("ENV") for pair in shlex.split(each))


def command() -> list[str]:
    """What the container runs."""
    (found,) = instructions("CMD")[-1:]
    words: list[str] = json.loads(found)
    return words


def option(name: str) -> int:
    """A number that the server is given."""
    words = command()
    return int(words[words.index(name) + 1])
