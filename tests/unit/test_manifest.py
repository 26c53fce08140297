"""Reading manifests: three forms of the same rows, in pieces of any size, in memory that does not grow."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.batches.manifest import MAX_ROW_BYTES, METADATA, Row, read_rows
from stillmotion.errors import InvalidRequest

# What a CSV can say too: text without space around it, and the request's own types.
text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).map(str.strip).filter(bool)
rows = st.lists(
    st.fixed_dictionaries(
        {"model": text, "prompt": text},
        optional={
            "item_id": text,
            "duration": st.integers(0, 600),
            "seed": st.integers(-5, 2**60),
            "generate_audio": st.booleans(),
            "first_frame": text,
            f"{METADATA}order": text,
        },
    ),
    min_size=1,
    max_size=8,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes | str, name: str, size: int = 7) -> list[Row]:
    return list(read_rows(pieces(data if isinstance(data, bytes) else data.encode(), size), name))


def as_csv(data: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in data for name in row)))
    writer.writeheader()
    writer.writerows(
        {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()} for row in data
    )
    return out.getvalue()


def as_lines(data: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in data)


@given(rows, st.integers(1, 64), st.booleans())
def test_the_three_forms_give_the_same_rows(data: list[dict[str, Any]], size: int, mark: bool) -> None:
    start = b"\xef\xbb\xbf" if mark else b""
    expected = [Row(number, row) for number, row in enumerate(data, start=1)]
    assert read(start + as_lines(data).encode(), "rows.jsonl", size) == expected
    assert read(start + json.dumps(data, indent=1).encode(), "rows.json", size) == expected
    assert read(start + as_csv(data).encode(), "rows.csv", size) == expected


@given(rows)
def test_the_content_tells_what_the_extension_does_not(data: list[dict[str, Any]]) -> None:
    expected = [row.data for row in read(as_lines(data), "rows.jsonl")]
    for name in ("rows", "rows.txt", "rows.json"):
        assert [row.data for row in read(as_lines(data), name)] == expected
        assert [row.data for row in read(json.dumps(data), name)] == expected
    assert [row.data for row in read(as_csv(data), "rows.txt")] == expected


@given(st.lists(json_values, max_size=6), st.integers(1, 40))
def test_any_array_is_cut_into_its_elements(data: list[Any], size: int) -> None:
    read_back = read(json.dumps(data, ensure_ascii=False), "rows.json", size)
    assert [row.data for row in read_back] == [value if isinstance(value, dict) else None for value in data]


@given(st.binary(max_size=200), st.sampled_from(["x.csv", "x.json", "x.jsonl", "x"]), st.integers(1, 50))
def test_any_bytes_are_rows_or_refused(data: bytes, name: str, size: int) -> None:
    try:
        found = read(data, name, size)
    except InvalidRequest:
        return
    assert [row.number for row in found] == list(range(1, len(found) + 1))
    assert all((row.data is None) == bool(row.problem) for row in found)


def test_a_rows_faults_are_reported_with_that_row() -> None:
    good = '{"model": "m"}'
    found = read(f'{good}\n{{"model": \n5\n"x"\n{"[" * 20_000}\n{good}', "rows.jsonl", 1000)
    assert [row.data is None for row in found] == [False, True, True, True, True, False]
    assert "is not JSON" in found[1].problem
    assert "is not a JSON object" in found[2].problem


@pytest.mark.parametrize("form", ["rows.jsonl", "rows.json"])
@pytest.mark.parametrize("excess", [1, 3 * MAX_ROW_BYTES])
def test_an_oversized_row_is_reported_and_never_held(form: str, excess: int) -> None:
    large, small = {"prompt": "x" * (MAX_ROW_BYTES + excess)}, {"prompt": "y"}
    data = as_lines([small, large, small]) if form.endswith("l") else json.dumps([small, large, small])
    found = read(data, form, 1000)
    assert [row.data for row in found] == [small, None, small]
    assert f"{MAX_ROW_BYTES:,} bytes" in found[1].problem


def test_a_row_of_exactly_the_limit_is_taken() -> None:
    row = {"prompt": "x" * (MAX_ROW_BYTES - len('{"prompt": ""}'))}
    assert read(json.dumps(row), "rows.jsonl", 4096)[0].data == row


def test_blank_lines_and_blank_rows_are_no_rows() -> None:
    assert len(read('\n\n{"a": 1}\n \n{"b": 2}\n\n', "rows.jsonl")) == 2
    assert len(read("\nmodel,prompt\n,\nm,p\n\n , \n", "rows.csv")) == 1
    for name in ("x.json", "x.jsonl", "x"):
        assert read(" \n", name) == []
    assert read("[ ]", "x.json") == []


@pytest.mark.parametrize(
    "data",
    ['[{"a": 1}', '[{"a": 1}}', '[{"a": 1}] {"b": 2}', '[{"a": "b]', "[1] x", '[{"a": 1}][]'],
)
def test_an_array_that_is_not_whole_is_refused(data: str) -> None:
    with pytest.raises(InvalidRequest, match="array"):
        read(data, "rows.json")


def test_a_broken_element_is_that_rows_own() -> None:
    assert [row.data for row in read('[{"a" 1}, , {"b": 2}]', "rows.json")] == [None, None, {"b": 2}]


def test_csv_cells_become_the_requests_own_types() -> None:
    [row] = read('prompt,duration,seed,generate_audio,model\n"one, ""two""\nthree",8,7,YES,m\n', "rows.csv")
    assert row.data == {"prompt": 'one, "two"\nthree', "duration": 8, "seed": 7, "generate_audio": True, "model": "m"}
    [odd] = read("duration,generate_audio,model\nlong,maybe,m\n", "rows.csv")
    assert odd.data == {"duration": "long", "generate_audio": "maybe", "model": "m"}


def test_a_csv_row_may_be_shorter_than_the_header_and_not_longer() -> None:
    short, long = read("model,prompt,seed\nm,p\nm,p,1,2\n", "rows.csv")
    assert short.data == {"model": "m", "prompt": "p"}
    assert long.problem == "has 4 cells for 3 columns"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"model,colour\nm,red\n", "no column 'colour'"),
        (b"model,model\nm,m\n", "each column once"),
        (b'model\n"m\n', "cannot be read"),
        ("model\nKäse\n".encode("latin-1"), "not UTF-8"),
        (b"model\n" + b"x" * (MAX_ROW_BYTES + 1) + b"\n", "has more than"),
    ],
)
def test_a_csv_that_cannot_be_read_to_its_end_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read(data, "rows.csv", 4096)


def _many(form: str, count: int) -> Iterator[bytes]:
    """A manifest of any length, made as it is read."""
    row = json.dumps({"model": "google/veo-3.1-lite", "prompt": "a slow push in " * 8, "duration": 4})
    if form == "rows.csv":
        yield b"model,prompt,duration\n"
        row = f"google/veo-3.1-lite,{'a slow push in ' * 8},4"
    separator = {"rows.json": ",", "rows.jsonl": "\n", "rows.csv": "\n"}[form]
    yield b"[" if form == "rows.json" else b""
    for at in range(0, count, 500):
        group = separator.join([row] * 500).encode()
        yield group if at + 500 >= count else group + separator.encode()
    yield b"]" if form == "rows.json" else b""


@pytest.mark.parametrize("form", ["rows.jsonl", "rows.json", "rows.csv"])
def test_memory_does_not_grow_with_the_number_of_rows(form: str) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_rows(_many(form, count), form)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(1000), peak(100_000)
    assert many < few + 256 * 1024
    assert many < 4 * 2**20
