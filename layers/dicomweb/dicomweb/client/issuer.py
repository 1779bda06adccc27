"""The keys of an issuer of tokens (OpenID Connect Discovery 1.0 §4, RFC 7517), kept for a time and asked for anew."""

import time
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from dicomweb.client.remote import connect
from dicomweb.errors import InvalidBody, RemoteFailed
from dicomweb.server_definition import server_definition
from dicomweb.settings import Settings

_KEPT_S, _LEAST_S = 3600, 30  # how long keys are kept; how soon they are asked for again where one is missing
_CONFIGURATION = ".well-known/openid-configuration"


class Issuer:
    """One issuer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._keys: dict[str, Any] = {"keys": []}
        self._asked = -_KEPT_S - 1.0

    def keys(self, kid: str) -> dict[str, Any]:
        """Its keys, asked for again when they are old, or when the one that is named is not among them.

        Raises:
            RemoteFailed: it does not give them.
        """
        with self._lock:
            age = time.monotonic() - self._asked
            is_known = any(key.get("kid") == kid for key in self._keys["keys"])
            if age > _KEPT_S or (not is_known and age > _LEAST_S):
                self._keys = self._ask()
                self._asked = time.monotonic()
            return self._keys

    def _ask(self) -> dict[str, Any]:
        configuration = self._get(self._settings.OidcIssuer.rstrip("/") + "/", _CONFIGURATION)
        if configuration.get("issuer") != self._settings.OidcIssuer:
            raise RemoteFailed("the issuer of tokens calls itself otherwise than the setting OidcIssuer")
        parts = urlsplit(str(configuration.get("jwks_uri", "")))
        if parts.query:
            raise RemoteFailed("the issuer of tokens has its keys at a URL with a query, which is not taken")
        keys = self._get(f"{parts.scheme}://{parts.netloc}/", parts.path)
        if not isinstance(keys.get("keys"), list) or not all(isinstance(key, dict) for key in keys["keys"]):
            raise RemoteFailed("the issuer of tokens answers with something else than keys")
        return keys

    def _get(self, url: str, path: str) -> dict[str, Any]:
        try:
            remote = connect(server_definition({"Url": url, "Timeout": 10}), self._settings)
        except InvalidBody as error:
            raise RemoteFailed("the issuer of tokens names a URL that is none") from error
        with remote.exchange("GET", path, headers={"Accept": "application/json"}) as answer:
            answer.expect_success()
            document = answer.json()
        if not isinstance(document, dict):
            raise RemoteFailed("the issuer of tokens answers with something else than an object")
        return document
