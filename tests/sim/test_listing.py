from scenarios import catalogue
from sim.listing import ROOMS, listing


def test_lists_every_name_with_a_description():
    shown = listing()
    for title, room in ROOMS.items():
        assert [name for name, _ in shown[title]] == list(catalogue.names(room))
    assert all(name and description for rows in shown.values() for name, description in rows)
    assert "quickstart" in dict(shown["scenarios"])
    assert dict(shown["packaged models"])["fashion-mnist-edge"].startswith(
        "77,754 parameters, clean accuracy "
    )
