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


def as_csv(data: list[dict[str, Any]], delimiter: str = ",") -> str:
    out = io.StringIO()
    columns = list(dict.fromkeys(name for row in data for name in row))
    writer = csv.DictWriter(out, columns, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(
        {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()} for row in data
    )
    return out.getvalue()


def as_lines(data: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in data)


@pytest.mark.slow
@given(rows, st.integers(1, 64), st.booleans())
def test_the_three_forms_give_the_same_rows(data: list[dict[str, Any]], size: int, mark: bool) -> None:
    start = b"\xef\xbb\xbf" if mark else b""
    forms = {
        "rows.jsonl": as_lines(data),
        "rows.json": json.dumps(data, indent=1),
        "wrapped.json": json.dumps({"items": data}, indent=2),
        "laid-out.json": "".join(json.dumps(row, indent=4) + "\n" for row in data),
        "rows.csv": as_csv(data),
        "rows.tsv": as_csv(data, delimiter="\t"),
        "german.csv": as_csv(data, delimiter=";"),
    }
    for name, form in forms.items():
        found = read(start + form.encode(), name, size)
        assert [(row.number, row.data) for row in found] == list(enumerate(data, start=1)), name


@pytest.mark.slow
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
    [
        *('[{"a": 1}', '[{"a": 1}}', '[{"a": 1}] {"b": 2}', '[{"a": "b]', "[1] x", '[{"a": 1}][]'),
        *('{"items": [{"a": 1}]', '{"items": [{"a": 1}], "b": 2}', '{"items": [{"a": 1}]} {"b": 2}'),
    ],
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
    assert long.problem == "has 4 cells for 3 columns: '2' is in none of them"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"model,colour\nm,red\n", r"no column 'colour' \(line 1, column 2, cell 'colour'\)"),
        (b"\nmodel,seed,model\nm,1,m\n", r"'model' twice \(line 2, column 3, cell 'model'\)"),
        (b'model,prompt\nm,"p\nq\n', r"line 2, column 2 \(prompt\), cell '\"p q' has a quote that is never closed"),
        (b'model,prompt\nm,p\nm,"a "big" cat"\n', r"line 3, column 2 \(prompt\), cell .* has a stray quote"),
        ("model,prompt\nm,p\nm,Käse\n".encode("latin-1"), r"not UTF-8: line 3, column 2 \(prompt\), cell near .*Käse"),
        ("prompt;Größe\n".encode("cp1252"), r"not UTF-8: line 1, column 2, cell near .*Größe.* Save it as UTF-8"),
        ("model\nm\n".encode("utf-16"), "is UTF-16 text.*CSV UTF-8"),
        ("model\nm\n".encode("utf-16-be"), "is UTF-16 text"),
        (b"PK\x03\x04" + bytes(100), "is an Excel or OpenDocument workbook"),
        (b"model\n" + b"x" * (MAX_ROW_BYTES + 1) + b"\n", "has more than"),
    ],
)
def test_a_csv_that_cannot_be_read_to_its_end_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read(data, "rows.csv", 4096)


@pytest.mark.parametrize("data", ['{\n"a": 1\n}\n{', '{\n"a": 1\n}\nx', '{\n"frame_images": [1}\n]'])
def test_objects_that_do_not_follow_each_other_are_refused_with_their_line(data: str) -> None:
    with pytest.raises(InvalidRequest, match=r"JSON object .*\(line [34]\)|object has no end \(line 4\)"):
        read(data, "rows.json")


def test_a_json_line_in_another_encoding_refuses_the_manifest() -> None:
    with pytest.raises(InvalidRequest, match="not UTF-8: line 2, byte 0xe4"):
        read('{"prompt": "p"}\n{"prompt": "Käse"}\n'.encode("latin-1"), "rows.jsonl")


def test_an_object_that_begins_with_a_list_of_its_own_is_a_row() -> None:
    rows = [{"frame_images": [{}], "prompt": "p"}, {"input_references": [], "prompt": "q"}]
    for data in (as_lines(rows), "".join(json.dumps(row, indent=1) for row in rows)):
        assert [row.data for row in read(data, "rows.json")] == rows


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "\ufeffsep=;", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_csv_of_a_german_excel_is_read(first: str, end: str, size: int) -> None:
    lines = [first] if first.strip("\ufeff") else []
    text = end.join([*lines, "prompt;duration;generate_audio;;", '"a; ""b""\nc";4,0;FALSCH;;', ";;;;", "d;;WAHR"])
    assert [row.data for row in read(("\ufeff" if first == "\ufeff" else "") + text, "rows.csv", size)] == [
        {"prompt": 'a; "b"\nc', "duration": 4, "generate_audio": False},
        {"prompt": "d", "generate_audio": True},
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("4", 4), ("4.0", 4), ("4.00", 4), ("4,0", 4), ("-5", -5)),
        *(("4.5", "4.5"), ("1E+05", "1E+05"), ("4,000", "4,000"), ("4s", "4s"), ("٤x", "٤x")),
    ],
)
def test_whole_numbers_are_taken_as_programs_write_them(cell: str, value: Any) -> None:
    assert [row.data for row in read(f'duration,seed\n"{cell}","{cell}"\n', "rows.csv")] == [
        {"duration": value, "seed": value}
    ]


def test_only_the_index_of_pandas_may_stand_in_a_nameless_column() -> None:
    for header in (",prompt,", "Unnamed: 0,prompt,Unnamed: 2"):
        read_back = read(f"{header}\n0,p\n1,q,\nx,r\n3,s,t\n4,u,,,\n5,v,,,w\n", "rows.csv")
        assert [row.data and row.data["prompt"] for row in read_back] == ["p", "q", None, None, "u", None]
        assert [row.problem for row in read_back if row.problem] == [
            "has 'x' in column 1, which has no name",
            "has 't' in column 3, which has no name",
            "has 5 cells for 3 columns: 'w' is in none of them",
        ]


@pytest.mark.parametrize("size", [1, 3, 7, 500])
@pytest.mark.parametrize("before", ["", "\n", " \t\n\n"])
def test_the_index_of_pandas_stays_the_first_column_of_tabs(before: str, size: int) -> None:
    """Without it every cell would be one column further left, and the wrong prompts be paid."""
    found = read(f"{before}\tprompt\tmetadata.note\n0\tA cat\t\n1\tA dog\tx\n", "rows.tsv", size)
    assert [row.problem for row in found] == ["", ""]
    assert [row.data and row.data["prompt"] for row in found] == ["A cat", "A dog"]
    [laid_out] = read('\t{"prompt": "p"}\n', "rows.jsonl", size)
    assert laid_out.data == {"prompt": "p"}


def test_every_row_knows_its_line() -> None:
    assert [row.line for row in read('prompt\n\n"a\nb"\n\nc\n', "rows.csv")] == [3, 6]
    assert [row.line for row in read("sep=,\r\nprompt\r\na\r\n", "rows.csv")] == [3]
    assert [row.line for row in read('\n{"a": 1}\n\n{"a": 2}\n', "rows.jsonl")] == [2, 4]
    assert [row.line for row in read('\n[\n\n {"a":\n1},\n{"a": 2}, {\n}\n]', "rows.json")] == [4, 6, 6]
    assert [row.line for row in read('{\n"items": [\n{"a": 1},\n{"a": 2}]}', "rows.json")] == [3, 4]
    assert [row.line for row in read('{\n"a": 1\n}\n\n{\n"a": 2\n}\n', "rows.json")] == [1, 5]


def test_a_row_that_cannot_be_read_keeps_its_item_id() -> None:
    broken = '{"item_id": "é1", "prompt" }'
    large = '{"item_id": 7, "prompt": "' + "x" * MAX_ROW_BYTES + '"}'
    for data, name in ((f"{broken}\n{large}\n", "x.jsonl"), (f"[{broken}, {large}]", "x.json")):
        assert [(row.data, row.item_id) for row in read(data, name, 1000)] == [(None, "é1"), (None, 7)]
    assert [row.item_id for row in read("prompt,item_id\np,7,x\n", "x.csv")] == ["7"]
    assert [row.problem for row in read('{"prompt": "a", "prompt": "b"}', "x.jsonl")] == ["gives 'prompt' twice"]


def test_space_of_any_length_before_the_rows_is_not_held() -> None:
    assert read_rows(iter([b" \n" * 1000] * 1000 + [b"{}"]), "x.jsonl").__next__() == Row(1, {}, line=1_000_001)


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


@pytest.mark.slow
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
