"""What the history says: who did what when, in words that are true and cannot be misused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from core.intervals import Interval
from core.label_changes import (
    LabelSave,
    change_words,
    label_saves,
    moment,
    news,
    origin,
    saved_by,
    saves_of_others,
    told,
)
from core.labels.merging import rebase
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session

OLLIE, FLIP = Interval(30, 44, "ollie"), Interval(300, 311, "kickflip")
NOON = datetime(2026, 3, 4, 12, 0, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def video(session: Session) -> Video:
    """Twenty seconds at 30 frames a second."""
    return Video.open(session.video)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def park(workspace: Workspace, tmp_path: Path) -> str:
    return _session(workspace, tmp_path)


def _session(workspace: Workspace, folder: Path) -> str:
    video = folder / "park.mp4"
    video.write_bytes(b"frames")
    return workspace.session_for(video).id


def _lines(saves: list[LabelSave], video: Video | None) -> list[str]:
    return [line.text for line in told(saves[0], video)]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([], [OLLIE], "added ollie 0:01.00 – 0:01.50"),
        ([OLLIE], [], "removed ollie 0:01.00 – 0:01.50"),
        ([OLLIE], [Interval(30, 50, "ollie")], "moved ollie, end 0:01.50 → 0:01.70"),
        ([OLLIE], [Interval(33, 44, "ollie")], "moved ollie, start 0:01.00 → 0:01.10"),
        ([OLLIE], [Interval(33, 47, "ollie")], "moved ollie, 0:01.00 – 0:01.50 → 0:01.10 – 0:01.60"),
        ([OLLIE], [Interval(30, 44, "nollie")], "renamed ollie to nollie at 0:01.00 – 0:01.50"),
        ([OLLIE], [OLLIE], "nothing changed"),
        ([], [Interval(599, 700, "ollie")], "added ollie frames 599–700"),  # the video ends before that
    ],
)
def test_a_change_in_words(
    workspace: Workspace, park: str, video: Video, before: list[Interval], after: list[Interval], words: str
) -> None:
    workspace.save_labels(park, before, "editor", "Ann")
    workspace.save_labels(park, after, "editor", "Bo")
    assert _lines(label_saves(workspace, park), video) == [words]


def test_without_its_video_frames_are_told(workspace: Workspace, park: str) -> None:
    """It may lie on another machine; the history is there all the same."""
    workspace.save_labels(park, [OLLIE], "editor")
    workspace.save_labels(park, [Interval(30, 50, "ollie")], "editor")
    assert [change_words(one, None) for save in label_saves(workspace, park) for one in save.changes] == [
        "moved ollie, end frame 44 → frame 50",
        "added ollie frames 30–44",
    ]


def test_a_move_too_small_for_the_clock_is_told_in_frames(workspace: Workspace, park: str, video: Video) -> None:
    """Otherwise it would read as if nothing had moved."""
    quick = Video(video.path, video.info, None, np.arange(600) / 1000)
    workspace.save_labels(park, [Interval(31, 45, "ollie")], "editor")
    workspace.save_labels(park, [Interval(31, 46, "ollie")], "editor")
    assert _lines(label_saves(workspace, park), quick) == ["moved ollie, end 0:00.04 → 0:00.04 (frames 31–45 → 31–46)"]


def test_a_rename_is_one_only_where_the_frames_are_the_same(workspace: Workspace, park: str) -> None:
    """Two labels on the same frames, of which one got another name; and one that became another elsewhere."""
    workspace.save_labels(park, [OLLIE, Interval(30, 44, "grind"), FLIP], "editor")
    workspace.save_labels(park, [Interval(30, 44, "slide"), OLLIE, Interval(301, 311, "heelflip")], "editor")
    (save, _) = label_saves(workspace, park)
    assert [(one.kind, one.before, one.after) for one in save.changes] == [
        ("renamed", Interval(30, 44, "grind"), Interval(30, 44, "slide")),
        ("removed", FLIP, None),
        ("added", None, Interval(301, 311, "heelflip")),
    ]


def test_every_label_of_a_save_is_accounted_for(workspace: Workspace, park: str) -> None:
    """Whatever was done, the changes lead from the one state to the next."""
    rng = np.random.default_rng(3)
    now: set[Interval] = set()
    for _ in range(40):
        starts, lengths = rng.integers(0, 60, 6), rng.integers(0, 12, 6)
        kinds = rng.choice(["ollie", "grind", "flip"], 6)
        more = {Interval(int(a), int(a + n), str(k)) for a, n, k in zip(starts, lengths, kinds, strict=True)}
        now = {one for one in now if rng.random() < 0.6} | more
        workspace.save_labels(park, now, "editor")
    saves = label_saves(workspace, park)
    for save, older in zip(saves, [*saves[1:], None], strict=True):
        was = set(older.revision.intervals) if older else set()
        gone = [one.before for one in save.changes if one.before]
        come = [one.after for one in save.changes if one.after]
        assert len(gone) == len(set(gone)), "told twice"
        assert was - set(gone) | set(come) == set(save.revision.intervals)
        assert not set(gone) & set(come)


def test_hundreds_of_changes_are_counted(workspace: Workspace, park: str, video: Video) -> None:
    many = [Interval(2 * n, 2 * n, "found") for n in range(212)]
    workspace.save_labels(park, [FLIP], "editor")
    workspace.save_labels(park, many, "import of park.xml")
    lines = told(label_saves(workspace, park)[0], video)
    assert [line.text for line in lines] == [
        "added 212 tricks, the first 3:",
        "added found 0:00.00 – 0:00.03",
        "added found 0:00.06 – 0:00.10",
        "added found 0:00.13 – 0:00.16",
        "removed kickflip 0:10.00 – 0:10.40",
    ]
    assert [line.at for line in lines] == [None, *many[:3], FLIP]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("editor", "in the app"),
        ("review", "on the Review page"),
        ("found by the detector", "taken over from the detector"),
        ("import of park.xml", "imported from park.xml (CVAT for video 1.1)"),
        ("import of park.json", "imported from park.json (JSON)"),
        ("import of labels", "imported from labels"),
        ("/home/ann/park.ls.json", "read from park.ls.json (Label Studio JSON)"),
        ("C:\\clips\\Park.CSV", "read from Park.CSV (CSV)"),
        ("revision 3", "restored from revision 3"),
        ("named by light", "named by light"),
        ("evil\x1b[31m\nsource\u202e", "evil[31m source"),
    ],
)
def test_where_a_save_comes_from(workspace: Workspace, park: str, source: str, words: str) -> None:
    workspace.save_labels(park, [OLLIE], source)
    assert origin(label_saves(workspace, park)[0]) == words


def test_undo_is_called_so(workspace: Workspace, park: str) -> None:
    """Two steps back, one forth; what only looks like it, because a file was read again, is no undo."""
    for labels in ([OLLIE], [OLLIE, FLIP], [FLIP], [OLLIE, FLIP], [OLLIE]):
        workspace.save_labels(park, labels, "editor", "Ann")
    workspace.save_labels(park, [OLLIE, FLIP], "import of park.csv", "Ann")
    assert [origin(save) for save in label_saves(workspace, park)] == [
        "imported from park.csv (CSV)",
        "undone in the app, as in revision 1",
        "undone in the app, as in revision 2",
        "in the app",
        "in the app",
        "in the app",
    ]


def test_a_page_of_the_history_says_the_same_as_all_of_it(workspace: Workspace, park: str) -> None:
    """Also where it begins, and where an undo goes back beyond it."""
    for number in range(30):
        workspace.save_labels(park, [OLLIE] if number % 2 else [OLLIE, FLIP], "editor", "Ann")
    saves = label_saves(workspace, park)
    assert [save.revision.revision for save in saves] == list(range(30, 0, -1))
    assert label_saves(workspace, park, first=11, last=20) == saves[10:20]
    assert label_saves(workspace, park, first=-8, last=1) == saves[-1:]
    assert label_saves(workspace, park, "Bo") == []


def test_names_are_short_and_on_one_line(workspace: Workspace, park: str) -> None:
    """They go to terminals and into sentences: no colours, no line breaks, no reversed text, no novel."""
    workspace.save_labels(park, [Interval(1, 2, "a\u202eb" + 300 * "c")], "editor", "Ann\x1b]0;x\x07\nBo " + 300 * "x")
    (save,) = label_saves(workspace, park)
    (line,) = told(save, None)
    assert saved_by(save).startswith("Ann]0;x Bo xxx")
    assert line.text == "added ab" + 57 * "c" + "… frames 1–2"
    assert len(saved_by(save)) == 60
    workspace.save_labels(park, [], "editor", "\x00 \n")
    assert saved_by(label_saves(workspace, park)[0]) == "Somebody"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(0), "17:30:05"),
        (timedelta(hours=17), "00:30:05"),
        (timedelta(hours=18), "yesterday 23:30:05"),
        (timedelta(days=2), "2026-03-02 17:30:05"),
    ],
)
def test_times_are_the_readers(ago: timedelta, words: str) -> None:
    """In India a save of Greenwich's noon was at half past five."""
    assert moment(NOON - ago, timezone(timedelta(hours=5, minutes=30)), NOON) == words


def test_news_of_others(workspace: Workspace, park: str, video: Video) -> None:
    """One line, whoever saved how often; what came from here is no news."""
    workspace.save_labels(park, [OLLIE], "editor", "Ann")
    workspace.save_labels(park, [OLLIE, FLIP], "editor", "Bo")

    def line(since: int, *own: int) -> str | None:
        newest = workspace.labels(park)
        assert newest is not None
        saves = saves_of_others(workspace, park, "", since, newest.revision, own)
        return news(saves, "Ann", video, UTC)

    at = f"{label_saves(workspace, park)[0].revision.saved_at:%H:%M:%S}"
    assert line(1) == f"Bo, {at}: added kickflip 0:10.00 – 0:10.40"
    assert line(1, 2) is None
    assert line(2) is None
    workspace.save_labels(park, [Interval(30, 50, "ollie")], "editor", "Bo")
    assert (line(1) or "").endswith(": added 1 trick, removed 1 trick, moved 1 trick")
    workspace.save_labels(park, [], "editor", "Ann")
    workspace.save_labels(park, [FLIP], "park.xml", None)
    parts = (line(2, 4) or "").split("; ")
    assert parts[0].startswith("Read from park.xml (CVAT for video 1.1), ")
    assert parts[1].startswith("Bo, ")
    assert (line(3, 5) or "").startswith("Another tab, ")
    for who in ("Cleo", "Dan", "Eve", "Flo"):
        workspace.save_labels(park, [], "editor", who)
    assert (line(5) or "").endswith("; others too, as the history says")
    assert (line(5) or "").count("; ") == 3


def test_two_people_at_once_are_told_apart(database: str, tmp_path: Path) -> None:
    """Both label the same session in turns, each on labels that the other has changed meanwhile: each finds all that
    he did, and none of what the other did, under his name."""
    with Workspace.open(tmp_path / "home") as workspace:
        park = _session(workspace, tmp_path)
        shown: dict[str, tuple[Interval, ...]] = {"Ann": (), "Bo": ()}
        for number in range(15):
            for first, who in enumerate(shown):
                before, start = shown[who], 1000 * (2 * number + first)
                last = [one for one in before if one.label == who][-1:]
                moved = [Interval(one.start_frame, one.end_frame + 1, who) for one in last]
                after = [*(one for one in before if one not in last), *moved, Interval(start, start + 20, who)]
                how = partial(_rebased, before, after)
                saved = workspace.edit_labels(park, how, "editor", who).saved
                assert saved is not None
                shown[who] = saved.intervals
        saves = label_saves(workspace, park)
        assert len(saves) == 30
        for who in shown:
            made = [change for save in saves if save.revision.author == who for change in save.changes]
            assert {change.at.label for change in made} == {who}
            assert [change.kind for change in made].count("added") == 15
            assert [change.kind for change in made].count("moved") == 14
        assert label_saves(workspace, park, first=11, last=20) == saves[10:20]
        since = saves_of_others(workspace, park, "", 26, 30, own=(27, 29))
        (line,) = (news(since, "Ann", None, UTC) or "").split("; ")
        assert line.startswith("Bo, ")
        assert line.endswith(": added 2 tricks, moved 2 tricks")


def _rebased(before: tuple[Interval, ...], after: list[Interval], now: tuple[Interval, ...]) -> tuple[Interval, ...]:
    return rebase(before, after, now).intervals
