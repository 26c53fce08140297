"""`stillmotion generate`, from what was typed to the stored clip."""

import io
from pathlib import Path

import pytest
from PIL import Image

from stillmotion_cli.terminal import Terminal
from tests.support.pictures import CUT_OFF, NO_PICTURES, picture
from tests.unit.cli.fake_api import CLIP, JOB_ID, FakeApi, Reply, Seen, choice, job, model, problem
from tests.unit.cli.support import JPEG, Run


def test_a_local_picture_becomes_a_stored_clip(api: FakeApi, run: Run, folder: Path) -> None:
    api.states = [job("in_progress"), job("delivering"), job("completed")]
    result = run("generate", "still.jpg", "--prompt", "rain", "-o", "clip.mp4")
    assert result.code == 0, result.err
    assert (folder / "clip.mp4").read_bytes() == CLIP
    assert result.out == "clip.mp4  (104.0 kB, 104,000 bytes, $0.12)\n"
    assert [path.name for path in folder.iterdir()].count("clip.mp4") == 1
    assert not list(folder.glob(".stillmotion-*"))


@pytest.mark.parametrize("amount", ["nan", "inf", "NaN"])
@pytest.mark.parametrize("option", ["--max-cost", "--timeout"])
def test_a_limit_that_limits_nothing_is_refused(api: FakeApi, run: Run, option: str, amount: str) -> None:
    result = run("generate", "still.jpg", option, amount, "--yes")
    assert result.code == 2
    assert f"Invalid value for '{option}'" in result.err
    assert not api.calls("POST")


def test_a_path_that_leads_nowhere_is_reported_before_anything_is_sent(api: FakeApi, run: Run, folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o000)
    (folder / "file").write_text("no folder")
    for path in ("x" * 300, "file/still.jpg", "private/still.jpg"):
        result = run("generate", path)
        assert (result.code, "Traceback" in result.err) == (2, False), result.err
    for place in ("file/clip.mp4", "x" * 300):
        assert run("generate", "still.jpg", "-o", place).code == 2
    private.chmod(0o700)
    assert not api.calls("POST")


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_reader_that_left_does_not_make_a_stored_clip_unstored(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Terminal, "line", gone)
    monkeypatch.setattr(Terminal, "document", gone)
    result = run("generate", "still.jpg", "-o", "clip.mp4", *arguments)
    assert (result.code, "is not stored here" in result.err) == (1, False)
    assert (folder / "clip.mp4").is_file()


def test_the_request_holds_what_was_asked_and_nothing_else(api: FakeApi, run: Run) -> None:
    options = ["--model", "dear/one", "--duration", "6", "--resolution", "720p", "--aspect-ratio", "16:9", "--no-audio"]
    more = ["--seed", "7", "--metadata", "shot=7", "--metadata", "note=a=b", "--last-image", "https://x.example/b.png"]
    assert run("generate", "still.jpg", "--prompt", "rain", *options, *more, "--no-wait").code == 0
    [sent] = api.calls("POST /v1/videos")
    frames = [("first_frame", "s3://in/uploads/1.jpg"), ("last_frame", "https://x.example/b.png")]
    assert sent.body == {
        "model": "dear/one",
        "prompt": "rain",
        "duration": 6,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "generate_audio": False,
        "seed": 7,
        "metadata": {"shot": "7", "note": "a=b"},
        "frame_images": [
            {"type": "image_url", "image_url": {"url": url}, "frame_type": frame} for frame, url in frames
        ],
    }
    assert sent.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert sent.headers["Idempotency-Key"].startswith("cli-")


def test_without_a_model_the_stacks_choice_is_taken_and_explained(api: FakeApi, run: Run) -> None:
    api.choice = choice("a", 5, 0.2, "sound is on by default with this model: 0.20 USD; without sound 0.12 USD")
    result = run("generate", "still.jpg", "--resolution", "720p", "--audio", "--no-wait", "--json")
    assert result.code == 0
    assert f"Model: a ({api.choice['reason']})." in result.err
    assert "Clip: 5 s, $0.20 (sound is on by default with this model: 0.20 USD; without sound 0.12 USD)." in result.err
    sent = result.json["request"]
    assert (sent["model"], sent["duration"], sent["generate_audio"]) == ("a", 5, True)
    [asked] = api.calls("GET /v1/models")
    shape = {"width": ["160"], "height": ["90"]}
    assert asked.query == {"frame": ["first_frame"], "resolution": ["720p"], "audio": ["true"], **shape}


def test_a_clip_is_silent_unless_sound_is_asked_for(api: FakeApi, run: Run) -> None:
    assert run("generate", "still.jpg", "--no-wait", "--json").json["request"]["generate_audio"] is False
    assert api.calls("GET /v1/models")[0].query["audio"] == ["false"]


def test_a_model_that_honours_the_seed_is_asked_for(api: FakeApi, run: Run) -> None:
    assert run("generate", "still.jpg", "--seed", "1", "--no-wait", "--json").json["request"]["seed"] == 1
    assert api.calls("GET /v1/models")[0].query["seed"] == ["true"]


@pytest.mark.parametrize(
    ("models", "said"),
    [([], "No model can do this: first frame, duration 60"), ([model("a")], "so none is chosen for you")],
)
def test_where_no_model_can_be_chosen_nothing_is_uploaded(api: FakeApi, run: Run, models: list, said: str) -> None:
    api.models, api.choice = models, None
    result = run("generate", "still.jpg", "--duration", "60")
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert not api.calls("POST")


def test_a_named_model_is_asked_about_and_its_length_taken(api: FakeApi, run: Run) -> None:
    api.choice = choice("some/model", 6, 0.3)
    result = run("generate", "still.jpg", "--model", "some/model", "--no-wait", "--json")
    assert api.calls("GET /v1/models")[0].query["model"] == ["some/model"]
    assert (result.json["request"]["model"], result.json["request"]["duration"]) == ("some/model", 6)
    assert "Model: some/model. Clip: 6 s, $0.30." in result.err


def test_a_named_model_is_taken_also_while_the_list_cannot_be_had(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/models", problem(503, "ProviderUnavailable"), times=5)
    result = run("generate", "still.jpg", "--model", "some/model", "--no-wait", "--json")
    assert result.code == 0
    assert "duration" not in result.json["request"]
    assert "price not known" in result.err


def test_a_dry_run_tells_price_and_warnings_and_submits_nothing(api: FakeApi, run: Run) -> None:
    result = run("generate", "still.jpg", "--dry-run")
    assert result.out == "cheap/one takes this request: $0.12. Nothing was submitted.\n"
    assert "Warning: Mind the gap." in result.err
    assert "Aspect ratio: 9:16, the nearest to the picture." in result.err
    assert len(api.calls("DRY POST /v1/videos")) == 1
    assert api.calls("POST /v1/videos") == []
    assert run("generate", "still.jpg", "--dry-run", "--json").json["estimated_cost_usd"] == 0.12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no/such.jpg"], "There is no picture at no/such.jpg"),
        (["notes.txt"], "notes.txt is text, not a picture"),
        (["empty.jpg"], "empty.jpg is empty"),
        (["."], ". is not a file"),
        (["still.jpg", "--last-image", "no.png"], "There is no picture at no.png"),
        (["still.jpg", "--metadata", "shot"], "--metadata shot is not KEY=VALUE"),
        (["still.jpg", "--metadata", "a=1", "--metadata", "a=2"], "--metadata a is given twice: 1 and 2"),
        (["still.jpg", "--idempotency-key", "ü"], "1 to 256 printable ASCII"),
        (["still.jpg", "--no-wait", "-o", "x.mp4"], "-o x.mp4 has no use with --no-wait"),
        (["still.jpg", "-o", "notes.txt"], "notes.txt exists and is kept"),
        (["still.jpg", "-o", "notes.txt/x.mp4"], "cannot be stored: notes.txt is no folder"),
        (["still.jpg", "-o", ""], "-o '' names no file"),
        (["-"], "- is a picture on standard input, and there was nothing on it"),
        (["-", "--last-image", "-"], "- is given twice, but standard input holds one picture"),
        (["still.jpg", "--duration", "long"], "Invalid value for '--duration'"),
        (["still.jpg", "--colour"], "No such option"),
    ],
)
def test_bad_input_is_reported_before_anything_is_sent(
    api: FakeApi, run: Run, folder: Path, arguments: list[str], told: str
) -> None:
    (folder / "notes.txt").write_text("not a picture")
    (folder / "empty.jpg").touch()
    result = run("generate", *arguments)
    assert (result.code, result.out) == (2, "")
    assert told in " ".join(result.err.replace("│", "").split())
    assert api.seen == []


def test_a_refusal_shows_title_detail_faults_and_the_providers_words(api: FakeApi, run: Run) -> None:
    faults = [
        {"pointer": "#/duration", "detail": "is too long", "given": 60, "allowed": [4, 6]},
        {"pointer": "#/frame_images/1/image_url/url", "detail": "answers 404"},
    ]
    api.on("POST /v1/videos", problem(422, "ImageNotUsable", "Mend it.", errors=faults, provider_message="Nope."))
    result = run("generate", "still.jpg")
    assert result.code == 3
    assert result.err.splitlines()[-5:] == [
        "Error: Title of ImageNotUsable (ImageNotUsable, HTTP 422)",
        "  Mend it.",
        "  --duration: is too long (given: 60; allowed: 4, 6)",
        "  --last-image: answers 404",
        "  ModelGates said: Nope.",
    ]
    api.on("POST /v1/videos", problem(422, "ImageNotUsable", "Mend it.", errors=faults))
    error = run("generate", "still.jpg", "--json").json["error"]
    assert (error["code"], error["status"], error["errors"]) == ("ImageNotUsable", 422, faults)


def test_a_warning_names_the_option_of_its_picture(api: FakeApi, run: Run) -> None:
    api.warnings = [f"/frame_images/{at}/image_url/url is square. Name an aspect_ratio." for at in (0, 1)]
    result = run("generate", "still.jpg", "--last-image", "still.jpg")
    assert "Warning: IMAGE is square. Name an --aspect-ratio." in result.err
    assert "Warning: --last-image is square. Name an --aspect-ratio." in result.err
    assert "frame_images" not in result.err


def test_warnings_of_an_accepted_request_are_shown(api: FakeApi, run: Run) -> None:
    api.on("POST /v1/videos", Reply(202, job("queued", warnings=["The picture is square."])))
    api.warnings = ["The picture is square."]
    result = run("generate", "still.jpg", "--no-wait")
    assert result.err.count("Warning: The picture is square.") == 1
    assert [seen.route for seen in api.seen[-2:]] == ["DRY POST /v1/videos", "POST /v1/videos"]
    assert "warning      The picture is square." in result.out


def test_what_stands_against_a_preview_is_said_by_the_submit(api: FakeApi, run: Run) -> None:
    api.on("DRY POST /v1/videos", problem(422, "SpendLimitReached"))
    assert run("generate", "still.jpg", "--no-wait", "--idempotency-key", "k1").code == 0
    assert len(api.calls("POST /v1/videos")) == 1


def test_a_picture_with_transparency_is_told_and_flattened_on_demand(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "logo.png").write_bytes(picture("PNG", (40, 30), "RGBA"))
    result = run("generate", "logo.png", "--no-wait")
    assert "logo.png has transparency, which most models make black. --flatten white lays it over white." in result.err
    flat = run("generate", "logo.png", "--flatten", "#ff0000", "--no-wait")
    assert flat.code == 0
    assert "transparency" not in flat.err
    first, second = (seen.body for seen in api.calls("POST /s3"))
    assert picture("PNG", (40, 30), "RGBA") in first
    start = second.index(b"\x89PNG")
    with Image.open(io.BytesIO(second[start:])) as sent:
        assert (sent.mode, sent.size, sent.getpixel((0, 0))) == ("RGB", (40, 30), (255, 0, 0))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["logo.png", "--flatten", "octarine"], "--flatten octarine is no colour"),
        (["https://x.example/a.png", "--flatten", "white"], "--flatten works on files of this machine"),
    ],
)
def test_what_cannot_be_flattened_says_why(run: Run, folder: Path, arguments: list[str], said: str) -> None:
    (folder / "logo.png").write_bytes(picture("PNG", mode="RGBA"))
    result = run("generate", *arguments)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize(("body", "name"), NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_a_file_that_is_no_picture_is_named(api: FakeApi, run: Run, folder: Path, body: bytes, name: str) -> None:
    (folder / "a.jpg").write_bytes(body)
    result = run("generate", "a.jpg")
    assert (result.code, api.seen) == (2, [])
    assert f"a.jpg is {name}" in " ".join(result.err.split())


@pytest.mark.parametrize("body", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_a_file_that_is_cut_off_is_not_sent(api: FakeApi, run: Run, folder: Path, body: bytes) -> None:
    (folder / "a.jpg").write_bytes(body)
    result = run("generate", "a.jpg")
    assert (result.code, api.seen) == (2, [])
    assert "a.jpg is cut off" in result.err


def test_a_key_that_has_its_job_shows_that_job(api: FakeApi, run: Run) -> None:
    api.on("POST /v1/videos", Reply(200, job("completed"), {"Idempotent-Replayed": "true"}))
    result = run("generate", "still.jpg", "--idempotency-key", "k1", "--no-wait")
    assert result.code == 0
    assert f"This idempotency key has its job already: {JOB_ID}" in result.err


def test_the_same_key_sends_the_same_request_again(api: FakeApi, run: Run, folder: Path) -> None:
    for _ in range(2):
        assert run("generate", "still.jpg", "--idempotency-key", "k1", "--no-wait").code == 0
    (folder / "still.jpg").write_bytes(JPEG + b"changed")
    assert run("generate", "still.jpg", "--idempotency-key", "k1", "--no-wait").code == 0
    first, second, third = (sent.body["frame_images"][0]["image_url"]["url"] for sent in api.calls("POST /v1/videos"))
    assert first == second != third


def test_a_lost_answer_is_repeated_under_the_same_key(api: FakeApi, run: Run) -> None:
    api.on("POST /v1/videos", Reply(0), times=2)
    assert run("generate", "still.jpg", "--no-wait").code == 0
    sent = api.calls("POST /v1/videos")
    assert len(sent) == 3
    assert len({(seen.headers["Idempotency-Key"], str(seen.body)) for seen in sent}) == 1


def test_a_submit_without_any_answer_tells_the_key_to_repeat_it_with(api: FakeApi, run: Run) -> None:
    api.on("POST /v1/videos", Reply(0), times=9)
    result = run("generate", "still.jpg")
    assert result.code == 6
    key = api.calls("POST /v1/videos")[0].headers["Idempotency-Key"]
    assert f"The same command with --idempotency-key {key} shows that, without paying twice." in result.err


def test_an_unknown_outcome_is_final(api: FakeApi, run: Run) -> None:
    api.on("POST /v1/videos", problem(502, "SubmitOutcomeUnknown", instance=f"/videos/{JOB_ID}"), times=9)
    result = run("generate", "still.jpg")
    assert result.code == 4
    assert f"The job: {JOB_ID}" in result.err
    assert len(api.calls("POST /v1/videos")) == 1


def test_addresses_are_passed_through(api: FakeApi, run: Run) -> None:
    for address in ("https://x.example/a.jpg", "s3://pictures/a.jpg", "data:image/png;base64,AAAA", "http://x/a.jpg"):
        assert run("generate", address, "--no-wait").code == 0
        assert api.calls("POST /v1/videos")[-1].body["frame_images"][0]["image_url"]["url"] == address
    assert not api.calls("POST /v1/uploads")


def test_the_content_type_is_that_of_the_bytes(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "wrong.jpg").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    assert run("generate", "wrong.jpg", "--no-wait").code == 0
    assert api.calls("POST /v1/uploads")[0].body == {"content_type": "image/webp"}
    form: Seen = api.calls("POST /s3/in")[0]
    assert b"RIFF" in form.body
    assert b"Content-Type: image/webp" in form.body
    assert form.body.index(b'name="policy"') < form.body.index(b'name="file"')
    assert "Authorization" not in form.headers


def test_a_picture_that_is_too_large_is_not_sent(api: FakeApi, run: Run) -> None:
    api.max_bytes = 100
    result = run("generate", "still.jpg")
    assert result.code == 2
    assert f"({len(JPEG):,} bytes), a picture may have 100 B" in result.err
    assert not api.calls("POST /s3")


def test_an_upload_is_repeated_where_that_helps_and_s3s_words_are_shown(api: FakeApi, run: Run) -> None:
    api.on("POST /s3/in", Reply(503), Reply(0))
    assert run("generate", "still.jpg", "--no-wait").code == 0
    api.on("POST /s3/in", Reply(403, b"<Error><Message>Policy expired</Message></Error>"))
    result = run("generate", "still.jpg", "--no-wait")
    assert result.code == 3
    assert "S3 answered 403: Policy expired" in result.err
    assert len(api.calls("POST /s3/in")) == 4
