"""Presentation states through HTTP: WADO-URI, rendered resources, thumbnails (PS3.18 §8.3.5, §9.5.1.2.7, §9.5.2.3)."""

import io
import random
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from tests.builders import MULTIPART, a_body, a_data_set, a_file
from tests.pixels.states import RAMP, a_reference, a_state, an_image, an_item
from tests.pixels.test_hostile_presentation_states import a_rich_state

WADO = "/wado"
STATE = "/dicom-web/studies/1.2.3/series/1.2.3.9/instances/1.2.3.9.1"
INVERTED = (255 - RAMP).tolist()
BLENDING = "1.2.840.10008.5.1.4.1.1.11.4"


def a_series_reference(*images: Dataset, series: str = "1.2.3.1") -> list[Dataset]:
    return [an_item(SeriesInstanceUID=series, ReferencedImageSequence=list(images))]


def inverse(**attributes: Any) -> Dataset:
    return a_state(**({"PresentationLUTShape": "INVERSE"} | attributes))


def store(client: TestClient, *data_sets: Dataset) -> None:
    body = a_body(a_file(each) for each in data_sets)
    answer = client.post("/dicom-web/studies", content=body, headers={"Content-Type": MULTIPART})
    assert answer.status_code == 200, answer.text


def wado(client: TestClient, **parameters: Any) -> Response:
    said = {
        "requestType": "WADO",
        "studyUID": "1.2.3",
        "seriesUID": "1.2.3.1",
        "objectUID": "1.2.3.1.1",
        "contentType": "image/png",
    }
    answer: Response = client.get(
        WADO, params={name: value for name, value in (said | parameters).items() if value is not None}
    )
    return answer


def picture(content: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(content)))


def pictures(answer: Response) -> list[NDArray[Any]]:
    boundary = answer.headers["Content-Type"].partition("boundary=")[2].partition(";")[0].strip('"').encode()
    parts = answer.content.split(b"--" + boundary)[1:-1]
    return [picture(part.partition(b"\r\n\r\n")[2]) for part in parts]


@pytest.mark.parametrize(
    "parameters",
    [
        {"presentationUID": "1.2.3.9.1"},
        {"presentationUID": "1.2.3.9.1", "presentationSeriesUID": "1.2.3.9"},
        {"presentationUID": "1.2.3.9.1", "studyUID": None, "seriesUID": None},
        {"presentationUID": "1.2.3.9.1", "frameNumber": 1},
        # The state itself: the first image that it references.
        {"objectUID": "1.2.3.9.1", "seriesUID": "1.2.3.9"},
    ],
)
def test_an_object_is_seen_with_a_presentation_state(client: TestClient, parameters: dict[str, Any]) -> None:
    store(client, an_image(), inverse())
    answer = wado(client, **parameters)
    assert answer.status_code == 200
    assert picture(answer.content).tolist() == INVERTED


def test_it_is_scaled_to_rows_and_columns(client: TestClient) -> None:
    store(client, an_image(), inverse(ImageRotation=90, ImageHorizontalFlip="N"))
    assert picture(wado(client, presentationUID="1.2.3.9.1", rows=32).content).shape == (32, 32)


@pytest.mark.parametrize(
    ("parameters", "status", "says"),
    [
        ({"presentationUID": "1.2.3.9.7"}, 404, "no presentation state 1.2.3.9.7"),
        ({"presentationUID": "1.2.3.9.1", "presentationSeriesUID": "1.2.3.8"}, 404, "in series 1.2.3.8"),
        ({"presentationUID": "1.2.3.1.1"}, 400, "is no presentation state"),
        ({"presentationUID": "1.2.3.9.4"}, 400, "Blending Softcopy Presentation State"),
        ({"presentationUID": "5.5.9.1"}, 400, "another study"),
        ({"presentationUID": "1.2.3.9.2"}, 400, "does not reference instance 1.2.3.1.1"),
        ({"presentationUID": "1.2.3.9.3", "objectUID": "1.2.3.1.2", "frameNumber": 1}, 400, "does not reference instance 1.2.3.1.2 frame 1"),
        ({"presentationUID": "1.2.3.9.1", "windowCenter": 1, "windowWidth": 2}, 400, "window"),
        ({"presentationUID": "1.2.3.9.1", "region": "0,0,0.5,0.5"}, 400, "region"),
        ({"presentationSeriesUID": "1.2.3.9"}, 400, "without presentationUID"),
        ({"presentationUID": "not a uid"}, 400, "not a uid"),
        # It concerns no file.
        ({"presentationUID": "1.2.3.9.7", "contentType": "application/dicom"}, 200, ""),
    ],
)  # fmt: skip
def test_presentation_states_that_cannot_be_applied(
    client: TestClient, parameters: dict[str, Any], status: int, says: str
) -> None:
    two_frames = an_image(NumberOfFrames=2, PixelData=RAMP.tobytes() * 2, SOPInstanceUID="1.2.3.1.2")
    of_another = a_series_reference(a_reference("1.2.3.1.2"))
    of_a_frame = a_series_reference(a_reference("1.2.3.1.2", frames=[2]))
    store(
        client, an_image(), two_frames, inverse(), inverse(SOPInstanceUID="1.2.3.9.2", ReferencedSeriesSequence=of_another),
        inverse(SOPInstanceUID="1.2.3.9.3", ReferencedSeriesSequence=of_a_frame),
        a_state(SOPInstanceUID="1.2.3.9.4", SOPClassUID=BLENDING),
        inverse(SOPInstanceUID="5.5.9.1", SeriesInstanceUID="5.5.9", StudyInstanceUID="5.5"),
    )  # fmt: skip
    answer = wado(client, **parameters)
    assert answer.status_code == status
    assert status == 200 or says in answer.text


def test_frames_that_a_state_is_for_are_the_ones_that_are_seen(client: TestClient) -> None:
    frames = np.concatenate([RAMP, RAMP[::-1]])
    image = an_image(NumberOfFrames=2, PixelData=frames.tobytes())
    store(client, image, inverse(ReferencedSeriesSequence=a_series_reference(a_reference(frames=[2]))))
    assert picture(wado(client, presentationUID="1.2.3.9.1").content).tolist() == INVERTED[::-1]
    assert picture(wado(client, presentationUID="1.2.3.9.1", frameNumber=2).content).tolist() == INVERTED[::-1]


def test_the_etag_is_that_of_image_and_state(client: TestClient) -> None:
    store(client, an_image(), inverse(), a_state(SOPInstanceUID="1.2.3.9.2"))
    tags = {wado(client, presentationUID=uid).headers["ETag"] for uid in (None, "1.2.3.9.1", "1.2.3.9.2")}
    assert len(tags) == 3
    again = client.get(STATE + "/rendered", headers={"Accept": "image/png"})
    kept = {"Accept": "image/png", "If-None-Match": again.headers["ETag"]}
    assert client.get(STATE + "/rendered", headers=kept).status_code == 304


def test_overlays_of_the_image_are_activated(client: TestClient) -> None:
    image, state = an_image(), a_state()
    image.add_new((0x6000, 0x0010), "US", 16)
    image.add_new((0x6000, 0x0011), "US", 16)
    image.add_new((0x6000, 0x0050), "SS", [1, 1])
    image.add_new((0x6000, 0x0100), "US", 1)
    image.add_new((0x6000, 0x0102), "US", 0)
    image.add_new((0x6000, 0x3000), "OW", b"\xff" * 32)
    state.add_new((0x6000, 0x1001), "CS", "A")
    store(client, image, state)
    assert (picture(wado(client, presentationUID="1.2.3.9.1").content) == 255).all()


def test_a_rendered_presentation_state_is_its_images(client: TestClient) -> None:
    second = an_image(RAMP[::-1], SOPInstanceUID="1.2.3.1.2")
    store(
        client,
        an_image(),
        second,
        inverse(ReferencedSeriesSequence=a_series_reference(a_reference(), a_reference("1.2.3.1.2"))),
    )
    one = client.get(STATE + "/rendered", headers={"Accept": "image/png"})
    assert (one.status_code, picture(one.content).tolist()) == (200, INVERTED)
    every = client.get(STATE + "/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert every.status_code == 200
    assert [each.tolist() for each in pictures(every)] == [INVERTED, INVERTED[::-1]]
    of_series = client.get(
        STATE.partition("/instances")[0] + "/rendered", headers={"Accept": 'multipart/related; type="image/png"'}
    )
    assert [each.tolist() for each in pictures(of_series)] == [INVERTED, INVERTED[::-1]]


@pytest.mark.parametrize("more", [1, 30])
def test_images_that_are_not_stored_are_left_out(client: TestClient, more: int) -> None:
    absent = [a_reference(f"1.2.3.1.{number + 10}") for number in range(more)]
    store(client, an_image(), inverse(ReferencedSeriesSequence=a_series_reference(*absent, a_reference())))
    every = client.get(STATE + "/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert (every.status_code, len(pictures(every))) == (206, 1)
    assert "1.2.3.1.10 (not stored)" in every.headers["Warning"]
    one = client.get(STATE + "/rendered", headers={"Accept": "image/png"})
    assert (one.status_code, picture(one.content).tolist()) == (200, INVERTED)
    assert "1.2.3.1.10 (not stored)" in one.headers["Warning"]


def test_a_state_without_stored_images_has_no_picture(client: TestClient) -> None:
    store(client, inverse())
    assert client.get(STATE + "/rendered", headers={"Accept": "image/png"}).status_code == 404
    assert wado(client, objectUID="1.2.3.9.1", seriesUID="1.2.3.9").status_code == 404


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"viewport": "32,32"}, 200),
        ({"annotation": "patient"}, 200),
        ({"viewport": "32,32,0,0,8,8"}, 400),
        ({"viewport": "32,32,,,-16,16"}, 400),
        ({"window": "1,2,linear"}, 400),
    ],
)
def test_parameters_of_a_rendered_presentation_state(
    client: TestClient, parameters: dict[str, str], status: int
) -> None:
    store(client, an_image(), inverse())
    answer = client.get(STATE + "/rendered", params=parameters, headers={"Accept": "image/png"})
    assert answer.status_code == status


def test_kinds_that_are_not_applied_are_not_shown(client: TestClient) -> None:
    store(client, an_image(), a_state(SOPClassUID=BLENDING))
    assert client.get(STATE + "/rendered", headers={"Accept": "image/png"}).status_code == 406


def test_the_thumbnail_of_a_state_is_its_first_image(client: TestClient) -> None:
    store(client, inverse())
    icon = client.get(STATE + "/thumbnail", headers={"Accept": "image/png"})
    assert icon.status_code == 200
    store(client, an_image())
    thumbnail = client.get(STATE + "/thumbnail", headers={"Accept": "image/png"})
    levels = picture(thumbnail.content)
    assert levels.shape == (256, 256)
    assert levels[0, 0] > 250 > 5 > levels[-1, -1]


def test_a_state_in_a_study_hides_none_of_its_images(client: TestClient) -> None:
    store(client, an_image(), inverse(), a_data_set(SOPInstanceUID="1.2.3.1.5"))
    answer = client.get("/dicom-web/studies/1.2.3/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert (answer.status_code, len(pictures(answer))) == (200, 2)


def test_stored_states_with_broken_bytes_are_no_error_of_the_server(client: TestClient) -> None:
    store(client, an_image())
    chance = random.Random(1)  # noqa: S311
    whole = a_file(a_rich_state())
    stored = 0
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(400, len(content))] = chance.randrange(256)
        answer = client.post(
            "/dicom-web/studies", content=a_body([bytes(content)]), headers={"Content-Type": MULTIPART}
        )
        if answer.status_code == 200:
            stored += 1
            assert client.get(STATE + "/rendered", headers={"Accept": "image/png"}).status_code < 500
            assert wado(client, presentationUID="1.2.3.9.1").status_code < 500
            client.delete(STATE)
    assert stored > 10
