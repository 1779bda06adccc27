"""Programs of any Debian release: fetched by apt, unpacked into a folder, and run there. Neither root nor a container."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_FETCH_S = 600
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unavailable(Exception):
    """The packages cannot be had on this machine; the message says why."""


def unpack(folder: Path, release: str, packages: Iterable[str]) -> None:
    """Packages of a release, with everything that they need, the C library included; nothing of them is set up.

    Raises:
        Unavailable: no apt here, no source of Debian's, or the release has not got them.
    """
    if missing := [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]:
        raise Unavailable(f"{' and '.join(missing)} not on this machine")
    work = folder.with_name(f"{folder.name}.apt")
    for path in (folder, work):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()  # no package is installed: apt takes all that are needed
    (work / "sources.list").write_text(_source(release))
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State": work,
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "update"])
    _run([*apt, "--download-only", "install", *packages])
    for package in sorted((work / "cache/archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(folder)])
    shutil.rmtree(work)


def _source(release: str) -> str:
    """The line of a sources.list, by the mirror that this Debian has its own packages from."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        raise Unavailable("this machine is no Debian, whose packages are needed")
    own = f"{system.get('VERSION_CODENAME')} main "
    for line in _run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"]).splitlines():
        if line.startswith(own):
            return f"deb [signed-by={_KEYS}] {line.removeprefix(own)} {release} main\n"
    raise Unavailable("apt of this machine has no source of Debian's own packages")


def command(folder: Path, program: str, *, also: Iterable[Path] = ()) -> list[str]:
    """How a program below the folder is started: by its own loader, with its own libraries.

    Args:
        program: its path below the folder.
        also: libraries that come first.
    """
    (loader,) = (path for path in folder.glob("**/ld-linux-*.so.*") if not path.is_symlink())
    libraries = {path.parent for path in folder.glob("**/lib*.so.*")}
    preload = [part for path in also for part in ("--preload", str(path))]
    return [str(loader), "--library-path", ":".join(map(str, sorted(libraries))), *preload, str(folder / program)]


def _run(command: list[str]) -> str:
    """What a command prints."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FETCH_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{' '.join(command[:1])} took more than {_FETCH_S} s") from error
    if done.returncode:
        raise Unavailable(f"{command[0]} {command[-1]}: {done.stdout[-1000:]}")
    return done.stdout
