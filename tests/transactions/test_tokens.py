"""Bearer tokens: who issues them, for whom, when, and how they may be forged."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dicomweb.client import issuer as issuing
from dicomweb.errors import NotAuthenticated, RemoteFailed
from dicomweb.identity import Identity
from dicomweb.settings import Settings
from dicomweb.transactions import tokens
from dicomweb.transactions.tokens import identity_of_token
from tests.conformance.conftest import serving_app

AUDIENCE = "dicomweb"


class Provider:
    """An issuer of tokens on a socket; its keys can be replaced."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, Any] = {"1": RSAKey.generate_key(2048, {"kid": "1"})}
        self.asked = 0
        self.calls_itself = ""

    def app(self) -> Starlette:
        def configuration(_: Request) -> JSONResponse:
            return JSONResponse({"issuer": self.calls_itself or self.url, "jwks_uri": f"{self.url}/keys"})

        def keys(_: Request) -> JSONResponse:
            self.asked += 1
            return JSONResponse(KeySet(list(self.keys.values())).as_dict(private=False))

        return Starlette(
            routes=[Route("/issuer/.well-known/openid-configuration", configuration), Route("/issuer/keys", keys)]
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "exp": now + 300, "roles": ["read", "king"]}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, key: str = "1", algorithm: str = "RS256", **changes: Any) -> str:
        return jwt.encode({"alg": algorithm, "kid": key}, self.claims(**changes), self.keys[key])


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    with serving_app(made.app()) as url:
        made.url = url.replace("/dicom-web", "/issuer")
        yield made


@pytest.fixture
def ours(provider: Provider) -> Settings:
    tokens._issuer.cache_clear()
    return Settings(OidcIssuer=provider.url, OidcAudience=AUDIENCE, AllowedNetworks=["127.0.0.0/8"])


def test_a_token_says_who_asks_and_what_they_may(provider: Provider, ours: Settings) -> None:
    identity = identity_of_token(ours, provider.token())
    assert identity == Identity("alice", frozenset({"read"}))


@pytest.mark.parametrize(
    ("claim", "claims", "roles"),
    [
        ("roles", {"roles": "read store"}, {"read", "store"}),
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}, {"admin"}),
        ("scope", {"scope": "openid read"}, {"read"}),
        ("roles", {"roles": None}, set()),
        ("roles", {"roles": {"read": 1}}, set()),
        ("roles.x", {"roles": ["read"]}, set()),
    ],
)
def test_roles_are_where_the_settings_say(
    provider: Provider, ours: Settings, claim: str, claims: dict[str, Any], roles: set[str]
) -> None:
    settings = ours.model_copy(update={"OidcRolesClaim": claim})
    assert identity_of_token(settings, provider.token(**claims)).roles == roles


def test_labels_are_where_the_settings_say(provider: Provider, ours: Settings) -> None:
    settings = ours.model_copy(update={"OidcLabelsClaim": "groups"})
    assert identity_of_token(settings, provider.token(groups=["ward"])).labels == frozenset({"ward"})
    assert identity_of_token(settings, provider.token()).labels == frozenset()  # none said: none seen


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": int(time.time()) + 3600},
    ],
)
def test_a_token_of_somebody_else_for_somebody_else_or_another_time(
    provider: Provider, ours: Settings, changes: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticated):
        identity_of_token(ours, provider.token(**changes))


def test_a_token_without_a_signature(provider: Provider, ours: Settings) -> None:
    _, claims, _ = provider.token().split(".")
    for algorithm in ("none", "None", "NONE"):
        header = jwt_part({"alg": algorithm, "kid": "1"})
        for signature in ("", "x"):
            with pytest.raises(NotAuthenticated):
                identity_of_token(ours, f"{header}.{claims}.{signature}")


def test_a_public_key_is_nobodys_secret(provider: Provider, ours: Settings) -> None:
    for public in (
        provider.keys["1"].as_pem(private=False),
        json.dumps(provider.keys["1"].as_dict(private=False)).encode(),
    ):
        signed = f"{jwt_part({'alg': 'HS256', 'kid': '1'})}.{jwt_part(provider.claims())}"
        forged = f"{signed}.{in_base64(hmac.digest(public, signed.encode(), 'sha256'))}"
        with pytest.raises(NotAuthenticated):
            identity_of_token(ours, forged)


def test_a_key_of_ones_own(provider: Provider, ours: Settings) -> None:
    own = RSAKey.generate_key(2048, {"kid": "1"})
    header = {"alg": "RS256", "kid": "1", "jwk": own.as_dict(private=False), "jku": "https://evil.example/keys"}
    with pytest.raises(NotAuthenticated):
        identity_of_token(ours, jwt.encode(header, provider.claims(), own))


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "..", "é.é.é", "a" * 10_000, "a.b.c.d.e", "\0.\0.\0"])
def test_what_is_no_token(provider: Provider, ours: Settings, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        identity_of_token(ours, token)


def test_a_changed_token(provider: Provider, ours: Settings) -> None:
    header, _, signature = provider.token().split(".")
    with pytest.raises(NotAuthenticated):
        identity_of_token(ours, f"{header}.{jwt_part(provider.claims(roles=['admin']))}.{signature}")


def test_keys_are_kept_and_asked_for_again_when_they_are_rotated(
    provider: Provider, ours: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        identity_of_token(ours, provider.token())
    assert provider.asked == 1
    provider.keys = {"2": ECKey.generate_key("P-256", {"kid": "2"})}
    with pytest.raises(NotAuthenticated):  # not more often than every half minute, whoever makes up names of keys
        identity_of_token(ours, provider.token("2", "ES256"))
    assert provider.asked == 1
    monkeypatch.setattr(issuing, "_LEAST_S", 0)
    assert identity_of_token(ours, provider.token("2", "ES256")).name == "alice"
    assert provider.asked == 2


def test_an_issuer_that_calls_itself_otherwise(provider: Provider, ours: Settings) -> None:
    provider.calls_itself = "https://elsewhere.example"
    with pytest.raises(RemoteFailed):
        identity_of_token(ours, provider.token())


def jwt_part(document: dict[str, Any]) -> str:
    return in_base64(json.dumps(document).encode())


def in_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
