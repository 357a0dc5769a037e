import pytest

from scenarios.traces import tables


@pytest.fixture
def table(tmp_path):
    """Write a file and return its path."""

    def write(content: bytes):
        (tmp_path / "table.csv").write_bytes(content)
        return tmp_path / "table.csv"

    return write


def test_rows_with_their_places(table):
    path = table(b"a,b\n1,2.5\n\n .5 , 1e3\n")
    assert list(tables.rows(path, "a,b")) == [(f"{path}:2", (1.0, 2.5)), (f"{path}:4", (0.5, 1000.0))]


def test_what_spreadsheets_write(table):
    assert [numbers for _, numbers in tables.rows(table("\ufeffa, b\r\n1,2\r\n".encode()), "a,b")] == [
        (1.0, 2.0)
    ]


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e999", "1_000", "''", "'1'", "0x1", "1 s", "\u0661"])
def test_what_is_no_number(table, text):
    path = table(f"a\n1\n{text}\n".encode())
    with pytest.raises(ValueError, match=r"table.csv:3: a .* must be a finite number of at least 0"):
        list(tables.rows(path, "a"))


@pytest.mark.parametrize(
    ("name", "most"), [("time_s", "1000000000"), ("mbps", "1000000000"), ("latency_ms", "1000000000000")]
)
def test_what_is_too_large(table, name, most):
    assert list(tables.rows(table(f"{name}\n{most}\n".encode()), name)) != []
    with pytest.raises(ValueError, match=rf"table.csv:2: {name} '1e300' must be at most {most}$"):
        list(tables.rows(table(f"{name}\n1e300\n".encode()), name))


@pytest.mark.parametrize("line", ["1", "1,2,3", "1;2"])
def test_rows_of_another_length(table, line):
    with pytest.raises(ValueError, match=rf"table.csv:2: '{line}' must be 2 value\(s\): a,b"):
        list(tables.rows(table(f"a,b\n{line}\n".encode()), "a,b"))


@pytest.mark.parametrize("content", [b"", b"b,a\n1,2\n", b"1,2\n", b"a\n1\n"])
def test_the_header_is_needed(table, content):
    with pytest.raises(ValueError, match=r"table.csv:1: '.*' must be the header a,b"):
        list(tables.rows(table(content), "a,b"))


def test_a_header_alone(table):
    with pytest.raises(ValueError, match="holds a header alone"):
        list(tables.rows(table(b"a,b\n\n"), "a,b"))


def test_what_is_no_text(table, tmp_path):
    with pytest.raises(ValueError, match="not UTF-8 text"):
        tables.lines(table(b"\xff\xfe1"))
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        tables.lines(tmp_path / "lost")
