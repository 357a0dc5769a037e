import io

import pytest
from rich.console import Console

from scenarios import catalogue, profile
from sim.listing import PROFILES, ROOMS, TitleError, listing, tables


def test_lists_every_name_with_a_description():
    shown = listing()
    for title, room in ROOMS.items():
        assert [name for name, _ in shown[title]] == list(catalogue.names(room))
    assert all(name and description for rows in shown.values() for name, description, *_ in rows)
    assert "quickstart" in dict(shown["scenarios"])
    assert all(line.endswith(".") for _, line in (*shown["scenarios"], *shown["studies"]))  # a whole sentence
    assert dict(shown["packaged models"])["fashion-mnist-edge"].startswith(
        "77,754 parameters, clean accuracy "
    )


def test_lists_profiles_with_their_figures():
    shown = listing()
    for kind, (settings, fields) in PROFILES.items():
        assert [row[0] for row in shown[kind]] == list(profile.names(kind))
        assert set(fields) <= set(settings.model_fields)
        assert all(len(row) == 2 + len(fields) for row in shown[kind])
    pi_4 = next(row for row in shown["devices"] if row[0] == "raspberry-pi-4")
    assert pi_4[2:] == ("16.8", "4295", "2.25", "5.25")
    phone = next(row for row in shown["devices"] if row[0] == "phone")
    assert phone[4:] == ("0.3", "4")


def test_a_table_for_each_title():
    assert [table.title for table in tables()] == list(listing())
    (table,) = tables("links")
    text = io.StringIO()
    Console(width=80, file=text).print(table)
    assert {"downlink", "nb-iot", "0.02615"} <= set(text.getvalue().split())


def test_an_unknown_title():
    with pytest.raises(TitleError, match=r"devces: did you mean 'devices'\? must be one of: scenarios, "):
        list(tables("devces"))
