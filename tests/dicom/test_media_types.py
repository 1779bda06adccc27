import pytest

from dicomweb.dicom.media_types import DICOM, DICOM_JSON, OCTET_STREAM, Offer, choose, parse, parse_accept
from dicomweb.errors import BadRequest, NotAcceptable

JSON_OFFERS = [Offer(DICOM_JSON), Offer("application/json")]
DICOM_OFFERS = [Offer(DICOM, True, "1.2.840.10008.1.2.1"), Offer(DICOM, False, "1.2.840.10008.1.2.1")]
JPEG = "1.2.840.10008.1.2.4.50"
FRAME_OFFERS = [Offer("image/jpeg", True, JPEG), Offer(OCTET_STREAM, True, JPEG, on_request=True)]


def test_parameters_may_be_quoted_and_hold_separators() -> None:
    parsed = parse('Multipart/Related; type="application/dicom"; boundary="a;b=c, d"')
    assert (parsed.name, parsed.part_type, parsed.parameters["boundary"]) == ("multipart/related", DICOM, "a;b=c, d")


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom"; transfer-syntax=*',
        "multipart/related; type=application/dicom; transfer-syntax=*",
        'multipart/related; type="application/dicom; transfer-syntax=*"',
        'MULTIPART/RELATED;TYPE="Application/DICOM";TRANSFER-SYNTAX="*"',
    ],
)
def test_transfer_syntax_is_found_inside_and_outside_the_quotes(accept: str) -> None:
    (parsed,) = parse_accept(accept)
    assert (parsed.part_type, parsed.transfer_syntax) == (DICOM, "*")


def test_ranges_are_taken_by_quality() -> None:
    ranges = parse_accept("application/json;q=0.1, application/dicom+json; q=0.9, text/html;q=0")
    assert [range_.name for range_ in ranges] == ["application/dicom+json", "application/json", "text/html"]


@pytest.mark.parametrize(
    ("accept", "offers", "chosen"),
    [
        ("", JSON_OFFERS, DICOM_JSON),
        ("*/*", JSON_OFFERS, DICOM_JSON),
        ("application/*", JSON_OFFERS, DICOM_JSON),
        ("application/json", JSON_OFFERS, "application/json"),
        ("application/dicom+json;q=0, */*", JSON_OFFERS, "application/json"),
        ("application/dicom+json, multipart/related; type=application/octet-stream", JSON_OFFERS, DICOM_JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON_OFFERS, DICOM_JSON),
        ("multipart/related", DICOM_OFFERS, DICOM),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", FRAME_OFFERS, OCTET_STREAM),  # OHIF
        ('multipart/related; type="*/*"', FRAME_OFFERS, "image/jpeg"),  # dicomweb-client
        ('multipart/related; type="image/jpeg"', FRAME_OFFERS, "image/jpeg"),
        (f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}', FRAME_OFFERS, "image/jpeg"),
        ("multipart/related; type=image/dicom+jpeg", FRAME_OFFERS, "image/jpeg"),  # of 2014
        ("multipart/*", DICOM_OFFERS, DICOM),
        ("application/dicom+json, */*;q=0", JSON_OFFERS, DICOM_JSON),  # the most specific range (RFC 9110 §12.5.1)
        ("application/dicom+json;q=0.1, */*", JSON_OFFERS, "application/json"),
        (", application/dicom+json,, ", JSON_OFFERS, DICOM_JSON),  # empty elements are none (RFC 9110 §5.6.1.2)
        ("text/html, image/gif, *; q=.2, */*; q=.2", JSON_OFFERS, DICOM_JSON),
    ],
)
def test_what_is_chosen(accept: str, offers: list[Offer], chosen: str) -> None:
    assert choose(accept, offers).name == chosen


@pytest.mark.parametrize(
    ("accept", "offers"),
    [
        ("text/html", JSON_OFFERS),
        ("application/dicom+json;q=0, application/json; q=0, */*", JSON_OFFERS),
        ('multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90', DICOM_OFFERS),
        ("multipart/related; type=application/octet-stream", FRAME_OFFERS),  # uncompressed, by default
        ("image/png", DICOM_OFFERS),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(accept: str, offers: list[Offer]) -> None:
    with pytest.raises(NotAcceptable, match="available: .*" + offers[0].name.replace("+", r"\+")):
        choose(accept, offers)


def test_a_message_does_not_repeat_a_long_header() -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose(f"x/{'y' * 900}", JSON_OFFERS)
    assert len(str(caught.value)) < 500


def test_an_accept_header_that_is_none_is_refused() -> None:
    for accept in ("text/html, @bad, */*", "*/*;q=2", "*/*;q=abc", "*/*;q=-1", "*/*;q=nan"):
        with pytest.raises(BadRequest, match="in Accept"):
            parse_accept(accept)
