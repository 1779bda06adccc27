"""Request bodies that are JSON: read within a bound, and checked field by field."""

import json
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from dicomweb.errors import BadRequest, InvalidBody, UserAgentGone

ModelT = TypeVar("ModelT", bound=BaseModel)

_MOST_BYTES = 8 * 1024 * 1024


async def json_body(request: Request, expected: str, most_bytes: int = _MOST_BYTES) -> Any:
    """What a body says in JSON, whatever its Content-Type is: curl has none for it.

    Args:
        expected: an example, for the message.
    Raises:
        BadRequest: it is too long, or no JSON.
    """
    try:
        return json.loads(await _content(request, most_bytes))
    except (ValueError, RecursionError):
        raise InvalidBody(f"the body is no JSON; expected {expected}") from None


async def text_body(request: Request, most_bytes: int) -> str:
    """A body that is text.

    Raises:
        BadRequest: it is too long, or no UTF-8.
    """
    try:
        return (await _content(request, most_bytes)).decode()
    except UnicodeDecodeError:
        raise InvalidBody("the body is no text in UTF-8") from None


async def _content(request: Request, most_bytes: int) -> bytes:
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most_bytes:
                raise BadRequest(f"the body is longer than {most_bytes} bytes")
    except ClientDisconnect as error:
        raise UserAgentGone("the body was not complete") from error
    return bytes(content)


def checked(model: type[ModelT], document: object, expected: str) -> ModelT:
    """A document as a model has it.

    Args:
        expected: an example, for the message.
    Raises:
        BadRequest: it is none; the message names each field that is wrong.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:10])
        raise BadRequest(f"{faults.lstrip(': ')}; expected {expected}") from None
