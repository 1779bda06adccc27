"""Remote servers by name: those of the archive, and those of the settings, which the archive may take over."""

import json
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.table import Item
from dicomweb.errors import BadRequest, NotFound
from dicomweb.server_definition import ServerDefinition, server_definition

_LONGEST_NAME = 128  # characters


def remote_servers(archive: Archive) -> dict[str, dict[str, Any]]:
    """What may be told of every server, in the order of their names."""
    kept = archive.servers.all()
    shown = {name: json.loads(item["shown"]) for name, item in kept.items() if "shown" in item}
    seeds = {name: server_definition(each).shown() for name, each in _seeds(archive, kept).items()}
    return dict(sorted((shown | seeds).items()))


def find_server(archive: Archive, name: str) -> ServerDefinition:
    """Raises NotFound."""
    item = archive.servers.find(name)
    seeds = _seeds(archive, {name: item} if item else {})
    if name in seeds:
        return server_definition(seeds[name])
    if item is None or "definition" not in item:
        raise NotFound(f"no server {name[:_LONGEST_NAME]!r}; GET …/servers lists those there are")
    return archive.servers.definition(item)


def put_server(archive: Archive, name: str, document: object) -> None:
    """Define a server, or define it anew.

    Raises:
        BadRequest: no definition, or the name of one that the settings alone may change.
    """
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise BadRequest(f"a server's name has 1 to {_LONGEST_NAME} printable characters")
    _check_changeable(archive, name)
    archive.servers.put(name, server_definition(document))


def remove_server(archive: Archive, name: str) -> None:
    """Forget a server.

    Raises:
        NotFound: there is none.
        BadRequest: the settings alone may remove it.
    """
    find_server(archive, name)
    _check_changeable(archive, name)
    archive.servers.remove(name, leaves_mark=name in archive.settings.DicomWeb.Servers)


def _seeds(archive: Archive, kept: dict[str, Item]) -> dict[str, object]:
    """The servers of the settings that count: all of them, or those that were never changed here."""
    section = archive.settings.DicomWeb
    return {name: each for name, each in section.Servers.items() if not (section.ServersInDatabase and name in kept)}


def _check_changeable(archive: Archive, name: str) -> None:
    section = archive.settings.DicomWeb
    if name in section.Servers and not section.ServersInDatabase:
        raise BadRequest(f"the server {name!r} is one of the settings; with ServersInDatabase it can be changed here")
