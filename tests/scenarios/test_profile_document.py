from pathlib import Path

from scenarios.profile_document import document

WRITTEN = Path(__file__).parent.parent.parent / "docs" / "profiles.md"


def test_the_document_says_what_the_profiles_say():
    assert WRITTEN.read_text(encoding="utf-8") == document()


def test_tables_have_three_columns():
    rows = [line for line in document().splitlines() if line.startswith("|")]
    assert rows
    assert {row.replace("\\|", "").count("|") for row in rows} == {4}
