"""Bearer tokens: JSON Web Tokens of the issuer that the settings name (RFC 7519, RFC 8725)."""

from functools import lru_cache
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from dicomweb.client.issuer import Issuer
from dicomweb.errors import NotAuthenticated
from dicomweb.identity import ROLES, Identity
from dicomweb.settings import Settings

# Of keys that only the issuer has: no `none`, and nothing that a public key could be the secret of (RFC 8725 §3.1).
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LEEWAY_S = 30


def identity_of_token(settings: Settings, token: str) -> Identity:
    """Who a token stands for.

    Raises:
        NotAuthenticated: it is none, not of the issuer, not for us, or not valid now.
        RemoteFailed: the issuer does not give its keys.
    """
    try:
        header = jws.extract_compact(token.encode()).headers()
        kid = str(header.get("kid", ""))
        keys = KeySet.import_key_set(_issuer(settings.model_dump_json()).keys(kid))  # type: ignore[arg-type]
        claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
        expected: Any = {"iss": {"essential": True, "value": settings.OidcIssuer}, "exp": {"essential": True}}
        if settings.OidcAudience:
            expected["aud"] = {"essential": True, "value": settings.OidcAudience}
        jwt.JWTClaimsRegistry(leeway=_LEEWAY_S, **expected).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotAuthenticated("the token is not valid here, or not now") from error
    labels = frozenset(_words(claims, settings.OidcLabelsClaim)) if settings.OidcLabelsClaim else None
    roles = frozenset(_words(claims, settings.OidcRolesClaim)) & ROLES
    return Identity(str(claims.get("sub", "")), roles, labels)


@lru_cache(maxsize=4)
def _issuer(settings: str) -> Issuer:
    return Issuer(Settings.model_validate_json(settings))


def _words(claims: Any, path: str) -> list[str]:
    """The texts of a claim: a list, or words of a text."""
    for name in path.split("."):
        claims = claims.get(name) if isinstance(claims, dict) else None
    if isinstance(claims, str):
        return claims.split()
    return [each for each in claims if isinstance(each, str)] if isinstance(claims, list) else []
