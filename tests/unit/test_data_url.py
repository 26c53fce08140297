"""``data:`` addresses as tools write them."""

from __future__ import annotations

import base64
import textwrap
from urllib.parse import quote

import pytest

from stillmotion.requests.data_url import MalformedData, decode_data_url
from tests.support.pictures import picture

PNG = picture("PNG")
TEXT = base64.b64encode(PNG).decode()

WRITTEN = {
    "plain": f"data:image/png;base64,{TEXT}",
    "wrapped": "data:image/png;base64," + "\n".join(textwrap.wrap(TEXT, 76)),
    "wrapped with CRLF and indented": "data:image/png;base64,\r\n" + "\r\n\t ".join(textwrap.wrap(TEXT, 64)),
    "trailing newline": f"data:image/png;base64,{TEXT}\n",
    "no padding": f"data:image/png;base64,{TEXT.rstrip('=')}",
    "too much padding": f"data:image/png;base64,{TEXT}==",
    "URL-safe": f"data:image/png;base64,{base64.urlsafe_b64encode(PNG).decode()}",
    "percent-encoded": f"data:image/png;base64,{quote(TEXT, safe='')}",
    "capitals": f"DATA:IMAGE/PNG;BASE64,{TEXT}",
    "parameter": f"data:image/png;name=cat.png;base64,{TEXT}",
    "quoted parameter": f'data:image/png;name="a cat, \\"asleep\\"; no, awake.png";base64,{TEXT}',
    "encoded parameter": f"data:image/png;name=a%20cat%2C%20asleep.png;charset=utf-8;base64,{TEXT}",
    "spaces between": f"data: image/png ; base64 ,{TEXT}",
    "no base64": f"data:image/png,{quote(PNG)}",
}


@pytest.mark.parametrize("url", WRITTEN.values(), ids=WRITTEN.keys())
def test_an_address_is_read_however_it_is_written(url: str) -> None:
    assert decode_data_url(url) == ("image/png", PNG)


def test_a_type_may_be_missing() -> None:
    assert decode_data_url(f"data:;base64,{TEXT}") == ("", PNG)
    assert decode_data_url("data:,hello") == ("", b"hello")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data:image/png;base64", "is not a data:"),
        ('data:image/png;name="never closed;base64,AAAA', "is not a data:"),
        ("data:image/png;base64,????", "is not valid base64"),
        ("data:image/png;base64,AAAAA", "is not valid base64"),
        ("data:image/png;base64,AA=AA", "is not valid base64"),
        ("data:image/png;base64,ÄÄÄÄ", "is not valid base64"),
    ],
)
def test_what_cannot_be_decoded_says_so(url: str, why: str) -> None:
    with pytest.raises(MalformedData, match=why):
        decode_data_url(url)
