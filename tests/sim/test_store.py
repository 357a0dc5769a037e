import csv
import json
import subprocess
import sys

import pytest

from sim.results import MANIFEST, SUMMARY
from sim.store import claimed, clear, is_finished, key_of, manifest_of, write_atomically, write_table

HASH = "0123456789abcdef" * 4


def finish(folder, **changes):
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps({"status": "done", "content_hash": HASH} | changes))
    (folder / SUMMARY).write_text("{}")


def test_a_run_is_called_by_the_first_digits_of_its_hash():
    assert key_of(HASH) == "0123456789abcdef"


def test_a_finished_run(tmp_path):
    finish(tmp_path)
    assert is_finished(tmp_path, HASH)


@pytest.mark.parametrize(
    "changes", [{"status": "interrupted"}, {"status": "running"}, {"content_hash": "another"}]
)
def test_an_unfinished_run(tmp_path, changes):
    finish(tmp_path, **changes)
    assert not is_finished(tmp_path, HASH)


def test_a_run_without_its_summary_is_unfinished(tmp_path):
    finish(tmp_path)
    (tmp_path / SUMMARY).unlink()
    assert not is_finished(tmp_path, HASH)


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_manifest_that_cannot_be_read_is_empty(tmp_path, text):
    if text is not None:
        (tmp_path / MANIFEST).write_text(text)
    assert manifest_of(tmp_path) == {}
    assert not is_finished(tmp_path, HASH)


def test_clearing_leaves_an_empty_folder_and_what_links_point_to(tmp_path):
    kept, folder = tmp_path / "kept", tmp_path / "run"
    finish(kept)
    finish(folder)
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text("")
    (folder / "link").symlink_to(kept)
    clear(folder)
    assert list(folder.iterdir()) == []
    assert is_finished(kept, HASH)


def test_a_claimed_run_keeps_others_out(tmp_path):
    folder = tmp_path / "run"
    program = (
        "import sys, fcntl, os; handle = os.open(sys.argv[1], os.O_RDONLY)\n"
        "try: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')\n"
        "except BlockingIOError: print('taken')"
    )

    def seen():
        done = subprocess.run(
            [sys.executable, "-c", program, folder], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    with claimed(folder):
        assert seen() == "taken"
    assert seen() == "free"


def test_a_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_table_of_runs_is_csv(tmp_path):
    rows = [{"run": "a", "error": 'it said "no", twice'}, {"run": "b", "error": ""}]
    write_table(tmp_path, ["run", "error"], rows)
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == rows
