"""A remote server whose answers to a store are not what became of the instances, or do not say it."""

import json
from typing import Any

import pytest

from tests.builders import a_series
from tests.peers.misbehaving import (
    Misbehaving,
    after_reading,
    answers,
    answers_json,
    cuts_what_is_sent,
    head,
    html,
    store_response,
)
from tests.peers.ourselves import Peer

STUDY, SERIES = "1.2.3", "1.2.3.1"
FILES = a_series(3)
UIDS = [f"{SERIES}.{number}" for number in (1, 2, 3)]
STOW = {"Resources": [STUDY]}
STORED, FAILED, OTHERS, INSTANCE, REASON = "00081199", "00081198", "0008119A", "00081155", "00081197"
NOT_NAMED = "the server does not name it among those it stored"


def outcomes(peer: Peer) -> dict[str, str]:
    """Why each instance failed, "" for those that did not."""
    return {each["SOPInstanceUID"]: each.get("Reason", "") for each in peer.outcomes()}


@pytest.mark.parametrize(
    ("document", "reasons"),
    [
        (store_response(UIDS), ["", "", ""]),
        (store_response(UIDS[:2]), ["", "", NOT_NAMED]),
        ({}, [NOT_NAMED] * 3),
        (store_response(["1.9.1", "1.9.2", "1.9.3"]), [NOT_NAMED] * 3),
        (store_response([*UIDS, "1.9.1"]), ["", "", ""]),
        (store_response(UIDS[:2], {UIDS[2]: 0x0110}), ["", "", "the server refused it: 0110H (processing failure)"]),
        (
            store_response(UIDS[:2], {UIDS[2]: 0xA901}),
            ["", "", "the server refused it: A901H (data set does not match its SOP class)"],
        ),
        (store_response(UIDS[:2], {UIDS[2]: 0xC123}), ["", "", "the server refused it: C123H (cannot understand)"]),
        (store_response([f"{uid}\0" for uid in UIDS]), ["", "", ""]),
        (store_response(UIDS[:2], {UIDS[2]: 0x1234}), ["", "", "the server refused it: 1234H"]),
        (store_response(UIDS, {UIDS[2]: 0x0122}), ["", "", "the server refused it: 0122H (SOP class not supported)"]),
        (store_response({UIDS[0]: 0xB000, UIDS[1]: 0xB006, UIDS[2]: 0xB007}), ["", "", ""]),
        ([store_response(UIDS)], ["", "", ""]),
        (
            json.loads(json.dumps(store_response(UIDS)).lower().replace('"sq"', '"SQ"').replace('"value"', '"Value"')),
            ["", "", ""],
        ),
        (
            {OTHERS: {"vr": "SQ", "Value": [{REASON: {"vr": "US", "Value": [0xC000]}}]}},
            [f"{NOT_NAMED}; it failed some: C000H (cannot understand)"] * 3,
        ),
    ],
)
def test_each_instance_has_the_outcome_that_the_answer_gives_it_whatever_its_status(
    peer: Peer, remote: Misbehaving, document: Any, reasons: list[str]
) -> None:
    peer.store(*FILES)
    remote.behaves(*(answers_json(document, status) for status in (200, 202, 409)))
    for _ in range(3):
        answer = peer.ask("stow", STOW)
        assert outcomes(peer) == dict(zip(UIDS, reasons, strict=True))
        assert answer.status_code == (502 if any(reasons) else 200)
    assert len(remote.requests) == 3


def test_a_warning_of_the_server_is_in_the_outcome_of_what_it_took(peer: Peer, remote: Misbehaving) -> None:
    peer.store(*FILES)
    warned = store_response({UIDS[0]: 0xB000, UIDS[1]: 0xB006, UIDS[2]: 0})
    remote.behaves(answers_json(warned, 202))
    assert peer.ask("stow", STOW).status_code == 200
    assert {each["SOPInstanceUID"]: (each["Status"], each.get("Warning")) for each in peer.outcomes()} == {
        UIDS[0]: ("Success", "the server took it with a warning: B000H (coercion of data elements)"),
        UIDS[1]: ("Success", "the server took it with a warning: B006H (elements discarded)"),
        UIDS[2]: ("Success", None),
    }


DEEP = b'{"a":' * 900 + b"1" + b"}" * 900


def failed_with(reason: object) -> dict[str, Any]:
    item = {INSTANCE: {"vr": "UI", "Value": [UIDS[0]]}, REASON: {"vr": "US", "Value": [reason]}}
    return {FAILED: {"vr": "SQ", "Value": [item]}}


SHAPES: list[Any] = [
    None,
    5,
    "x",
    True,
    [],
    [[]],
    [{}, {}],
    ["x"],
    {STORED: None},
    {STORED: "x"},
    {STORED: []},
    {STORED: {}},
    {STORED: {"vr": "SQ"}},
    {STORED: {"vr": "SQ", "Value": None}},
    {STORED: {"vr": "SQ", "Value": 5}},
    {STORED: {"vr": "SQ", "Value": "x"}},
    {STORED: {"vr": "SQ", "Value": [None, 5, "x", []]}},
    {STORED: {"vr": "SQ", "Value": [{INSTANCE: None}]}},
    {STORED: {"vr": "SQ", "Value": [{INSTANCE: UIDS[0]}]}},
    {STORED: {"vr": "SQ", "Value": [{INSTANCE: {"Value": None}}]}},
    {STORED: {"vr": "SQ", "Value": [{INSTANCE: {"vr": "UI", "Value": [{"a": [1]}]}}]}},
    {STORED: {"vr": "SQ", "Value": {"0": 1}}},
    failed_with(None),
    failed_with([1]),
    failed_with({"a": 1}),
    failed_with("0110"),
    failed_with("A700H"),
    failed_with(-1),
    failed_with(1e300),
    failed_with(True),
    failed_with(2**80),
    failed_with("9" * 5000),
    failed_with("\ud800"),
]
SAY_NOTHING = [
    answers(200),
    answers(204),
    answers(202, b"OK", "text/plain"),
    html(),
    html(409),
    answers(201, b"[]", "application/json"),
    *map(answers_json, SHAPES),
    answers(
        200,
        b'{"00081198": {"vr": "SQ", "Value": [{"00081155": {"vr":"UI","Value":["1.2.3.1.1"]}, "00081197": {"vr": "US", "Value": [NaN]}}]}}',
        "application/dicom+json",
    ),
    answers(200, DEEP, "application/json"),
    answers(200, b"[" * 100_000, "application/json"),
    answers(200, b"\xff\xfe", "application/json"),
    answers(200, b"9" * 10_000, "application/json"),
    answers(200, b'{"00081199": ' + DEEP + b"}", "application/json"),
    answers(200, b"<NativeDicomModel/>", "application/dicom+xml"),
    answers(200, b"<a", "application/dicom+xml"),
    answers(200, b"<html/>", "text/xml"),
    answers(200, b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>', "application/dicom+xml"),
    answers(200, b"<a>" * 5000, "application/dicom+xml"),
]


def test_an_answer_that_does_not_say_what_became_of_an_instance_is_a_failure(peer: Peer, remote: Misbehaving) -> None:
    peer.store(FILES[0])
    for number, behaviour in enumerate(SAY_NOTHING, 1):
        remote.behaves(behaviour)
        answer = peer.ask("stow", STOW)
        assert (answer.status_code, len(remote.requests)) == (502, number)
        assert outcomes(peer)[UIDS[0]]


def xml(stored: list[str], failed: str = "") -> bytes:
    """A Store Instances Response as a NativeDicomModel."""

    def sequence(tag: str, uids: list[str], more: str = "") -> str:
        items = "".join(
            f'<Item number="{number}"><DicomAttribute tag="{INSTANCE}" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>{more}</Item>'
            for number, uid in enumerate(uids, 1)
        )
        return f'<DicomAttribute tag="{tag}" vr="SQ">{items}</DicomAttribute>'

    reason = f'<DicomAttribute tag="{REASON}" vr="US"><Value number="1">272</Value></DicomAttribute>'
    failures = sequence(FAILED, [failed], reason) if failed else ""
    return f'<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">{failures}{sequence(STORED, stored)}</NativeDicomModel>'.encode()


@pytest.mark.parametrize("content_type", ["application/dicom+xml", "application/xml; charset=utf-8", "text/xml"])
def test_an_answer_in_xml_is_read(peer: Peer, remote: Misbehaving, content_type: str) -> None:
    peer.store(*FILES)
    remote.behaves(answers(200, xml(UIDS[:1], failed=UIDS[1]), content_type))
    assert peer.ask("stow", STOW).status_code == 502
    assert outcomes(peer) == {
        UIDS[0]: "",
        UIDS[1]: "the server refused it: 0110H (processing failure)",
        UIDS[2]: NOT_NAMED,
    }


def test_an_instance_that_fails_does_not_fail_its_batch_or_another(peer: Peer, remote: Misbehaving) -> None:
    object.__setattr__(peer.archive.settings.DicomWeb, "StowMaxInstances", 2)
    peer.store(*FILES)
    remote.behaves(
        answers_json(store_response(UIDS[:1], {UIDS[1]: 0x0110}), 202), answers_json(store_response(UIDS[2:]))
    )
    answer = peer.ask("stow", STOW)
    assert (answer.status_code, "1 of 3 failed; the first: the server refused it: 0110H" in answer.text) == (502, True)
    assert [bool(reason) for reason in outcomes(peer).values()] == [False, True, False]


@pytest.mark.parametrize("reason", [0xA700, "42752"])
def test_who_has_no_room_now_is_sent_the_instance_again_alone(peer: Peer, remote: Misbehaving, reason: Any) -> None:
    peer.store(*FILES)
    remote.behaves(
        answers_json(store_response(UIDS[:2], {UIDS[2]: reason}), 202), answers_json(store_response(UIDS[2:]))
    )
    assert peer.ask("stow", STOW).status_code == 200
    assert [[uid for uid in UIDS if uid.encode() in request.body] for request in remote.requests] == [UIDS, UIDS[2:]]
    assert ([each["Attempts"] for each in peer.outcomes()], peer.job()["Retries"]) == ([1, 1, 2], 1)


def test_who_never_has_room_is_given_up(peer: Peer, remote: Misbehaving) -> None:
    peer.store(*FILES)
    remote.behaves(
        answers_json(store_response(UIDS[:2], {UIDS[2]: 0xA700}), 202),
        answers_json(store_response([], {UIDS[2]: 0xA700}), 409),
    )
    assert peer.ask("stow", STOW).status_code == 502
    assert (len(remote.requests), outcomes(peer)[UIDS[2]]) == (3, "the server refused it: A700H (out of resources)")


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", [0, 1500])
def test_a_store_that_is_cut_is_sent_again(peer: Peer, remote: Misbehaving, chunked: bool, size: int) -> None:
    peer.store(*FILES)
    peer.define("other", remote.url, ChunkedTransfers=chunked)
    remote.behaves(cuts_what_is_sent(size), answers_json(store_response(UIDS)))
    assert peer.ask("stow", STOW).status_code == 200
    assert (len(remote.requests), peer.job()["Retries"]) == (2, 1)
    assert all(file in remote.requests[1].body for file in FILES)


def test_an_answer_that_is_cut_is_not_believed_as_far_as_it_came(peer: Peer, remote: Misbehaving) -> None:
    document = json.dumps(store_response(UIDS)).encode()
    cut = after_reading(head(200, {"Content-Length": "9999", "Content-Type": "application/dicom+json"}), document)
    peer.store(*FILES)
    remote.behaves(cut, answers_json(store_response(UIDS)))
    assert peer.ask("stow", STOW).status_code == 200
    assert len(remote.requests) == 2
