import re

import pytest

from models.datasets import _listing
from models.errors import InputError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_classes_and_files_in_order_of_their_names(tmp_path):
    touch(tmp_path, "b/2.JPEG", "b/10.jpg", "B/x.Png", "a/y.webp", "a/x.BMP")
    found = _listing.find(tmp_path)
    assert found.folders == ("B", "a", "b")
    assert found.names == ("B/x.Png", "a/x.BMP", "a/y.webp", "b/10.jpg", "b/2.JPEG")
    assert found.labels.tolist() == [0, 1, 1, 2, 2]


def test_what_is_no_class_or_image_is_left_out(tmp_path):
    touch(
        tmp_path,
        "README.md",
        "top.png",
        ".cache/x.png",
        "a/1.png",
        "a/.2.png",
        "a/notes.txt",
        "a/below/3.png",
    )
    assert _listing.find(tmp_path).names == ("a/1.png",)


def test_a_link_that_leads_nowhere_is_still_listed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").symlink_to("lost.png")
    assert _listing.find(tmp_path).names == ("a/1.png",)


def test_chosen_folders_alone(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png", "empty/notes.txt")
    assert _listing.find(tmp_path, ("b",)).names == ("b/1.png",)


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ((), "", "has no sub-folder; one sub-folder for each class is needed"),
        (("1.png", "2.png"), "", "has 2 images that lie in no sub-folder; one sub-folder for each"),
        (
            ("a/1.png", "b/1.tif"),
            "/b",
            "holds no images; files of a class end with one of: .bmp, .jpeg, .jpg, ",
        ),
        (
            ("val/a/1.png", "val/b/1.png"),
            "/val",
            "holds no images but the folders a, b; every sub-folder of ",
        ),
    ],
)
def test_folders_of_another_kind(tmp_path, files, place, message):
    touch(tmp_path, *files)
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}{place}: {message}")):
        _listing.find(tmp_path)


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(InputError, match=r"gone: cannot be read: No such file"):
        _listing.find(tmp_path / "gone")


def test_names_are_shortened():
    assert _listing.shortened(()) == ""
    assert _listing.shortened(("a", "b", "c")) == "a, b, c"
    assert _listing.shortened(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"
