"""gzip inflated as it arrives (RFC 1952), within a bound. Pure."""

import zlib
from collections.abc import Iterable, Iterator

from dicomweb.errors import InvalidBody

_ALWAYS_INFLATED = 64 * 1024 * 1024  # bytes; beyond them a body may be so many times longer than it is sent:
_MOST_TIMES = 200
_AT_ONCE = 1024 * 1024  # bytes


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in a gzip, of as many members as it has.

    Raises:
        InvalidBody: it is none, is cut off, or grows too much; whatever is whole before that has been given.
    """
    inflater, received, given, is_whole = zlib.decompressobj(wbits=31), 0, 0, True
    try:
        for chunk in chunks:
            received += len(chunk)
            while chunk:
                content = inflater.decompress(chunk, _AT_ONCE)
                given += len(content)
                if given > max(_ALWAYS_INFLATED, received * _MOST_TIMES):
                    raise InvalidBody(f"the body is more than {_MOST_TIMES} times longer when inflated")
                if content:
                    yield content
                chunk = inflater.unconsumed_tail or inflater.unused_data
                is_whole = inflater.eof
                if is_whole:  # another member may follow (RFC 1952 §2.2)
                    inflater = zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise InvalidBody(f"the body is no gzip: {error}") from error
    if not is_whole:
        raise InvalidBody("the gzip is cut off")
