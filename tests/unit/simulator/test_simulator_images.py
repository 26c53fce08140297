"""Pictures of a request: fetched and decoded in the job, whose failure says what was wrong."""

import base64
import io

import pytest
from PIL import Image

from local.simulator import Simulator
from tests.unit.simulator.support import Client, frame


def failure(client: Client, url: str) -> str:
    job = client.poll(client.accepted(frame_images=[frame(url)]))
    assert job["status"] == "failed", job
    return str(job["error"])


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [
        ({"status": 404}, "answered 404"),
        ({"status": 403}, "answered 403"),
        ({"html": True}, "does not lead to an image but to text/html"),
        ({"redirect": "/_simulator/images/other.png"}, "answered 302"),
        ({"wrong_type": True}, "application/json"),
        ({"garbage": True}, "Could not decode"),
        ({"truncate": 200}, "Could not download"),
        ({"reset": True}, "Could not download"),
        ({"hang": 5}, "Timed out"),
    ],
)
def test_unusable_picture_fails_the_job(sim: Simulator, client: Client, effect: dict, sentence: str) -> None:
    sim.settings(image_timeout_seconds=0.3)
    sim.fault("image", **effect)
    assert sentence in failure(client, sim.image_url("first.png", 64, 36))


def test_pictures_that_cannot_be_reached_or_read_fail_the_job(sim: Simulator, client: Client) -> None:
    assert "valid base64" in failure(client, "data:image/png;base64,!!!")
    assert "Could not decode" in failure(client, "data:image/png;base64,AAAA")
    assert "Could not download" in failure(client, "http://127.0.0.1:9/a.png")
    assert "only https" in failure(client, "http://192.0.2.1/a.png")
    sim.settings(http_images="never")
    assert "only https" in failure(client, sim.image_url())
    sim.settings(http_images="loopback", image_max_bytes=100)
    assert "larger than 100 bytes" in failure(client, sim.image_url("first.png", 64, 36))


def test_a_picture_cut_short_fails_the_job(client: Client) -> None:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 40).save(file, "JPEG")
    half = base64.b64encode(file.getvalue()[: file.tell() // 2]).decode()
    assert "Could not decode" in failure(client, f"data:image/jpeg;base64,{half}")


def test_references_are_fetched_too(sim: Simulator, client: Client) -> None:
    good, bad = sim.image_url("style.webp", 64, 36), sim.url + "/_simulator/images/none.txt"
    assert client.completed(input_references=[{"type": "image_url", "image_url": {"url": good}}])
    job = client.poll(client.accepted(input_references=[{"type": "image_url", "image_url": {"url": bad}}]))
    assert (job["status"], "answered 404" in job["error"]) == ("failed", True)


def test_names_below_localhost_lead_to_this_machine(sim: Simulator, client: Client) -> None:
    url = sim.image_url("first.png", 64, 36).replace("127.0.0.1", "bucket.s3.localhost")
    assert client.completed(frame_images=[frame(url)])
    assert sim.requests("image")[-1]["host"].startswith("bucket.s3.localhost:")


def test_the_key_never_travels_with_a_picture(sim: Simulator, client: Client) -> None:
    client.completed(frame_images=[frame(sim.image_url("first.png", 64, 36))])
    assert [seen["authorization"] for seen in sim.requests("image")] == [False]


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("b.jpg", "JPEG"), ("c.webp", "WEBP"), ("d.gif", "GIF")])
def test_test_pictures_have_the_format_and_size_asked_for(client: Client, name: str, kind: str) -> None:
    answer = client.call("GET", f"/_simulator/images/{name}?width=80&height=45")
    image = Image.open(io.BytesIO(answer.data))
    assert (image.format, image.size) == (kind, (80, 45))
    assert answer.headers["Content-Type"] == f"image/{kind.lower()}"
    assert client.call("GET", f"/_simulator/images/{name}", Range="bytes=0-0").status == 206


def test_test_pictures_refuse_what_they_are_not(client: Client) -> None:
    assert client.call("GET", "/_simulator/images/a.bmp").status == 404
    assert client.call("GET", "/_simulator/images/a.png?width=0").status == 400
    assert client.call("GET", "/_simulator/images/a.png?height=x").status == 400
