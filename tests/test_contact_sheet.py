"""A contact sheet has a cell for every trick with the right picture, and no name breaks out of its place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core import ffmpeg
from core.contact_sheet import write_contact_sheet
from core.errors import Cancelled, UserError
from core.intervals import Event, Interval
from core.lettering import Face
from core.video import Video
from tests.numbered import HEIGHT, WIDTH, Footage, number_on, write_footage

N = 250
Box = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Every frame carries its number."""
    footage = Footage("park.mp4", [512 * i for i in range(N)], Fraction(1, 15360), options={"g": "10"}, sound_s=None)
    return Video.open(write_footage(footage, tmp_path_factory.mktemp("park") / footage.name))


def read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, np.uint8)


def cells_of(page: NDArray[np.uint8]) -> list[Box]:
    """What stands apart on the ground and is larger than any letter: x, y, width, height, in the order of reading."""
    ground = page[0, 0].astype(np.int16)
    apart = (np.abs(page.astype(np.int16) - ground).max(axis=2) > 5).astype(np.uint8)
    closed = cv2.morphologyEx(apart, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))  # edges that are as dark as the ground
    _, _, facts, _ = cv2.connectedComponentsWithStats(closed)
    boxes = [(int(x), int(y), int(width), int(height)) for x, y, width, height, _ in facts[1:] if height > 90]
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def number_in(page: NDArray[np.uint8], box: Box, shape: tuple[int, int] = (WIDTH, HEIGHT)) -> int:
    """The number of the frame that fills the width of a cell."""
    x, y, width, _ = box
    picture = page[y : y + round(width * shape[1] / shape[0]), x : x + width].mean(axis=2)
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return number_on(small.astype(np.uint8))


def caption(page: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """What is below the picture."""
    x, y, width, height = box
    return page[y + round(width * HEIGHT / WIDTH) + 2 : y + height, x : x + width]


def test_every_trick_has_its_cell_and_its_frame(video: Video, tmp_path: Path) -> None:
    """In order of time, whatever order they were found in."""
    events = [Interval(20 * i + 3, 20 * i + 9, "ollie") for i in range(11)]
    [path] = write_contact_sheet(video, events[::-1], tmp_path / "sheet.png", columns=3)
    page = read(path)
    cells = cells_of(page)
    assert [number_in(page, cell) for cell in cells] == [20 * i + 6 for i in range(11)]
    assert page.shape[1] == 1600
    columns, rows = sorted({x for x, *_ in cells}), sorted({y for _, y, *_ in cells})
    assert (len(columns), len(rows)) == (3, 4)
    assert len({(width, height) for *_, width, height in cells}) == 1
    assert columns[0] == pytest.approx(1600 - columns[-1] - cells[0][2], abs=3)  # the same margin on either side


def test_the_frame_that_shows_it_best_can_be_named(video: Video, tmp_path: Path) -> None:
    events = [Interval(100, 120), Interval(30, 50)]
    [path] = write_contact_sheet(video, events, tmp_path / "sheet.jpg", frames=[117, 31])
    page = read(path)
    assert [number_in(page, cell) for cell in cells_of(page)] == [31, 117]


def test_turned_footage_is_upright(tmp_path: Path) -> None:
    footage = Footage("turned.mov", [512 * i for i in range(30)], Fraction(1, 15360), turns=1, sound_s=None)
    turned = Video.open(write_footage(footage, tmp_path / "turned.mov"))
    [path] = write_contact_sheet(turned, [Interval(4, 6), Interval(20, 22)], tmp_path / "sheet.png")
    page = read(path)
    assert [number_in(page, cell) for cell in cells_of(page)] == [5, 21]


def test_tall_footage_keeps_its_shape(video: Video, tmp_path: Path) -> None:
    """A phone held upright: a picture as wide as the cell would be higher than the screen."""
    source = tmp_path / "tall.mp4"
    footage = Footage("tall.mp4", [512 * i for i in range(30)], Fraction(1, 15360), sound_s=None)
    ffmpeg.run(["-i", str(write_footage(footage, tmp_path / "wide.mp4")), "-vf", "scale=96:160", str(source)], 30)
    tall = Video.open(source)
    [path] = write_contact_sheet(tall, [Interval(3 * i, 3 * i + 2) for i in range(8)], tmp_path / "sheet.png")
    page = read(path)
    cells = cells_of(page)
    assert len({y for _, y, *_ in cells}) == 2  # six beside each other
    assert [number_in(page, cell, (96, 160)) for cell in cells] == [3 * i + 1 for i in range(8)]


@pytest.mark.parametrize("width", [640, 1600])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("W" * 5000, id="long"),
        pytest.param("a\nb\r\nc\n\nd\t" * 40, id="lines"),
        pytest.param("スケートボード" * 40, id="wide letters"),
        pytest.param("\u202ekickflip\u0000\x1b[31m" * 9, id="control characters"),
        pytest.param("", id="none"),
    ],
)
def test_no_name_leaves_its_place(video: Video, tmp_path: Path, name: str, width: int) -> None:
    """Names come from outside: one that is long or odd must not run over its neighbour or the edge."""
    events = [Event(10 * i, 10 * i + 5, name, 0.5) for i in range(3)]
    short, long = (
        read(write_contact_sheet(video, labelled, tmp_path / "sheet.png", 3, width, title=title, stars=[5] * 3)[0])
        for labelled, title in (([Event(10 * i, 10 * i + 5, "x", 0.5) for i in range(3)], "x"), (events, name))
    )
    assert cells_of(long) == cells_of(short)
    assert short.shape == long.shape
    for cell in cells_of(long):
        drawn = caption(long, cell)
        edge = drawn[:, -4:]
        assert (edge == edge[0, 0]).all()
    margin = cells_of(short)[0][0]
    for blank in (long[:, : margin - 1], long[:, width - margin + 1 :]):
        assert (blank == blank[0, 0]).all()


def test_a_long_label_ends_in_an_ellipsis_and_keeps_its_beginning(video: Video, tmp_path: Path) -> None:
    """Cut in the middle of a letter, it would look broken."""
    pages = [
        read(write_contact_sheet(video, [Interval(9, 12, label)] * 4, tmp_path / "sheet.png")[0])
        for label in ("kickflip " * 20, "kickflip " * 30, "heelflip " * 20)
    ]
    first, longer, other = (caption(page, cells_of(page)[0]) for page in pages)
    assert (first == longer).all()
    assert (first != other).any()
    letters = np.flatnonzero((first != first[0, 0]).any(axis=(0, 2)))
    assert letters[-1] > 0.9 * first.shape[1]  # the line is used to its end


def test_letters_of_other_languages_are_told_apart(video: Video, tmp_path: Path) -> None:
    """Pillow's own face draws each of them as the same box."""
    if Face("éя")._path is None:
        pytest.skip("no other font on this machine")
    pages = [read(write_contact_sheet(video, [Interval(9, 12, label)], tmp_path / "a.png")[0]) for label in "éèяж"]
    captions = [caption(page, cells_of(page)[0]).tobytes() for page in pages]
    assert len(set(captions)) == 4


def test_confidence_and_stars_are_shown_where_there_are_any(video: Video, tmp_path: Path) -> None:
    def drawn(event: Interval, stars: list[int] | None) -> NDArray[np.uint8]:
        page = read(write_contact_sheet(video, [event], tmp_path / "sheet.png", stars=stars)[0])
        return caption(page, cells_of(page)[0])

    def amber(image: NDArray[np.uint8]) -> int:
        blue, _, red = np.moveaxis(image.astype(int), 2, 0)
        return int((red - blue > 90).sum())

    plain, sure, surer = (drawn(event, None) for event in (Interval(9, 12), Event(9, 12, confidence=0.5), Event(9, 12)))
    assert (plain != sure).any()
    assert (sure != surer).any()
    counts = [amber(drawn(Interval(9, 12), [stars])) for stars in (0, 1, 5)]
    assert counts[0] == 0
    assert counts[2] == pytest.approx(5 * counts[1], rel=0.05)


def test_three_hundred_tricks_go_on_several_pages(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and viewers are asked for one page at a time."""
    told: list[float] = []
    events = [Interval(i % N, i % N, "ollie") for i in range(300)]
    paths = write_contact_sheet(video, events, tmp_path / "sheet.jpg", 5, 1000, progress=told.append)
    assert [path.name for path in paths] == ["sheet.jpg", *(f"sheet-{n}.jpg" for n in range(2, len(paths) + 1))]
    pages = [read(path) for path in paths]
    assert sum(len(cells_of(page)) for page in pages) == 300
    assert max(page.shape[0] for page in pages) <= 2000
    assert told == sorted(told)
    assert (len(told), told[-1]) == (300, 1.0)


def test_a_frame_that_cannot_be_decoded_leaves_its_cell_dark(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One damaged place must not cost the sheet."""
    whole = Video.pictures

    def damaged(self: Video, stride: int = 1, start: int = 0, stop: int | None = None) -> Any:
        return (picture for picture in whole(self, stride, start, stop) if not 50 <= picture.index < 80)

    monkeypatch.setattr(Video, "pictures", damaged)
    events = [Interval(10, 20), Interval(55, 65), Interval(75, 90)]
    [path] = write_contact_sheet(video, events, tmp_path / "sheet.png", frames=[15, 60, 77])
    page = read(path)
    first, second, third = cells_of(page)
    assert [number_in(page, cell) for cell in (first, third)] == [15, 80]
    x, y, width, _ = second
    assert page[y : y + width // 2, x : x + width].max() < 60


@pytest.mark.parametrize(
    ("events", "options", "sentence"),
    [
        ([], {}, r"nothing to show of park\.mp4: find or label tricks in it first\."),
        ([Interval(240, 250, "ollie")], {}, r"ends at frame 249, but a ollie is to end at frame 250: check"),
        ([Interval(1, 2)], {"columns": 40}, "40 columns do not fit on 1600 pixels: choose fewer columns"),
        ([Interval(1, 2)], {"columns": 0}, "0 columns do not fit"),
        ([Interval(1, 2)], {"width": 20}, "do not fit on 20 pixels"),
    ],
)
def test_mistakes_are_one_sentence(
    video: Video, tmp_path: Path, events: list[Interval], options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        write_contact_sheet(video, events, tmp_path / "sheet.jpg", **options)
    assert list(tmp_path.iterdir()) == []


def test_only_names_of_pictures(video: Video, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sheet\.pdf .*: let it end in \.jpg or \.png\."):
        write_contact_sheet(video, [Interval(1, 2)], tmp_path / "sheet.pdf")


def test_as_many_stars_and_frames_as_tricks(video: Video, tmp_path: Path) -> None:
    """One too few, and every trick after it would have another's."""
    mistakes: list[dict[str, Any]] = [{"stars": [1]}, {"frames": [1, 2, 3]}, {"stars": []}]
    for options in mistakes:
        with pytest.raises(ValueError, match="zip"):
            write_contact_sheet(video, [Interval(1, 2), Interval(5, 6)], tmp_path / "sheet.jpg", **options)


def test_cancelled_leaves_what_was_there(video: Video, tmp_path: Path) -> None:
    (tmp_path / "sheet.jpg").write_bytes(b"earlier")
    left = iter([False] * 150 + [True])
    with pytest.raises(Cancelled):
        write_contact_sheet(
            video, [Interval(5, 6)] * 200, tmp_path / "sheet.jpg", 5, 1000, cancelled=lambda: next(left)
        )
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"earlier"]


def test_footage_that_went_away(video: Video, tmp_path: Path) -> None:
    gone = Video(tmp_path / "gone.mp4", video.info, None, video.pts_s)
    with pytest.raises(UserError, match=r"gone\.mp4 cannot be decoded"):
        write_contact_sheet(gone, [Interval(1, 2)], tmp_path / "sheet.jpg")
    assert list(tmp_path.iterdir()) == []
