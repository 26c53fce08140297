"""Secrets as others write them into texts: in links of every encoding, in headers, as parameters, as tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

SHAPES: Mapping[str, Callable[[str], str]] = {
    "link": lambda secret: f"cannot fetch https://b.example/a.png?X-Amz-Signature={secret}, sorry",
    "link in quotes": lambda secret: f'cannot fetch "https://b.example/a.png?sig={secret}"',
    "percent-encoded link": lambda secret: "at " + quote(f"https://b.example/a.png?X-Amz-Signature={secret}", safe=""),
    "doubly encoded link": lambda secret: quote(quote(f"https://b.example/a.png?a=1&sig={secret}", safe=""), safe=""),
    "json escapes": lambda secret: rf"https://b.example/a.png?X-Amz-Signature\u003d{secret}\u0026b",
    "bare parameter": lambda secret: f"SignatureDoesNotMatch: X-Amz-Signature={secret}",
    "bare encoded parameter": lambda secret: f"X-Amz-Signature%3D{secret}",
    "html": lambda secret: f"<a href='https://b.example/a?x=1&amp;X-Amz-Signature={secret}'>",
    "fragment": lambda secret: f"https://b.example/a.png#sig={secret}",
    "semicolon": lambda secret: f"https://b.example/a.png;sig={secret}",
    "broken by a space": lambda secret: f"https://b.example/a.png? X-Amz-Signature={secret}",
    "broken by a line": lambda secret: f"https://b.example/a.png?a=1&\nX-Amz-Signature={secret}",
    "broken inside": lambda secret: f"https://b.example/a.png?X-Amz-Signature={secret[:20]}\n{secret[20:]}",
    "space before the value": lambda secret: f"X-Amz-Signature = {secret}",
    "authorization header": lambda secret: f"sent Authorization: Bearer {secret} to it",
    "authorization in json": lambda secret: json.dumps({"headers": {"Authorization": f"Bearer {secret}"}}),
    "bearer alone": lambda secret: f"the token Bearer {secret} has expired",
    "basic": lambda secret: f"Basic {secret}==",
    "user and password": lambda secret: f"https://user:{secret}@host.example/a.png",
    "encoded user and password": lambda secret: quote(f"https://user:{secret}@host.example/a.png", safe=""),
    "google": lambda secret: f"X-Goog-Signature={secret}",
    "azure": lambda secret: f"https://acc.blob.example/c/a.png?sv=2024&sig={secret}",
    "cloudfront": lambda secret: f"https://d.example/a.png?Policy=e30_&Signature={secret}&Key-Pair-Id=K2",
    "token": lambda secret: f"access_token={secret}&x=1",
    "api key": lambda secret: f"api_key={secret}",
    "jwt": lambda secret: f"eyJhbGciOiJIUzI1NiJ9.{secret}.{secret[:10]}",
    "password": lambda secret: f"password={secret}",
    "client secret": lambda secret: f"client-secret={secret}",
}
