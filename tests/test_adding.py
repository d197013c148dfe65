"""Hundreds of files become sessions: each once, a bad one stops nothing, and what is done is not done again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core import jobs, thumbnails
from core.adding import Added, add_footage, add_video, adding_jobs, count_videos, put_aside
from core.content import content_id
from core.errors import Cancelled, UserError
from core.intervals import Interval
from core.job_report import write_job
from core.labels import LabelSet, write_labels
from core.records import Session
from core.upload_waiting import Uploaded, put
from core.uploaded import remove_copies
from core.video import Video
from core.workspace import Workspace
from pages.widgets import sessions
from tests.test_chapters import H264, record
from tests.test_video import BY_NAME, Film, run_ffmpeg, write_film

TRICK = Interval(3, 9, "ollie")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short videos, the last of them in a folder below, and two chapters of a fourth."""
    folder = tmp_path_factory.mktemp("card")
    (folder / "day 2").mkdir()
    for number, name in enumerate(("clip 2.mp4", "clip 10.mp4", "day 2/clip 1.mp4")):
        write_film(Film("", [512 * i for i in range(20 + number)], BY_NAME["60.mp4"].time_base), folder / name)
    record(H264, folder, ["GX010042", "GX020042"], ".MP4")
    return folder


@pytest.fixture
def card(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "card"))


def names(workspace: Workspace) -> set[str]:
    return {session.name for session in workspace.sessions()}


def test_a_card_becomes_sessions_with_facts_and_posters(workspace: Workspace, card: Path) -> None:
    told: list[float] = []
    seen: list[Session] = []
    added = add_footage(workspace, [card], told.append, each=seen.append)
    assert names(workspace) == {"clip 1", "clip 2", "clip 10", "GX010042"}
    assert [session.id for session in seen] == added.sessions
    assert added == Added(sessions=added.sessions)
    for session in workspace.sessions():
        assert session.facts["frames"] == Video.open(session.path).n_frames
        assert thumbnails.poster_path(workspace, session.id).stat().st_size > 300
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_chapters_are_one_session_and_the_card_stays_as_it_was(workspace: Workspace, card: Path) -> None:
    before = sorted(card.rglob("*"))
    add_footage(workspace, [card])
    (joined,) = [session for session in workspace.sessions() if session.name == "GX010042"]
    assert joined.path.parent == workspace.home.resolve() / "joined"
    assert joined.facts["frames"] == 45 + 31  # what the two chapters were drawn with
    assert sorted(card.rglob("*")) == before


def test_asked_again_nothing_is_opened(workspace: Workspace, card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By content: under other names and in another folder it is the same footage."""
    first = add_footage(workspace, [card])
    moved = Path(shutil.move(card, card.with_name("archive")))
    (moved / "clip 2.mp4").rename(moved / "kickflip.mp4")
    monkeypatch.setattr(Video, "open", lambda *_: pytest.fail("a video that is known was opened"))
    again = add_footage(workspace, [moved])
    assert (again.sessions, sorted(again.known), again.failed) == ([], sorted(first.sessions), [])
    assert names(workspace) == {"clip 1", "clip 2", "clip 10", "GX010042"}
    assert "kickflip.mp4" in {session.path.name for session in workspace.sessions()}


def test_a_bad_file_stops_nothing(workspace: Workspace, card: Path) -> None:
    (card / "broken.mp4").write_bytes(b"no video")
    (card / "empty.mov").touch()
    chapter = card / "GX020042.MP4"
    chapter.write_bytes(chapter.read_bytes()[:2000])
    added = add_footage(workspace, [card / "gone.mp4", card])
    # What a recording's other chapters hold is not lost with one of them.
    assert names(workspace) == {"clip 1", "clip 2", "clip 10", "GX010042"}
    assert workspace.session_for(card / "GX010042.MP4").facts["frames"] == 45
    (note,) = added.notes
    assert "GX020042.MP4" in note
    assert "one by one" in note
    assert len(added.failed) == 4
    for name in ("gone.mp4", "broken.mp4", "empty.mov", "GX020042.MP4"):
        assert any(name in sentence for sentence in added.failed), name
    shutil.copy(card / "clip 10.mp4", card / "broken.mp4")
    assert len(add_footage(workspace, [card]).failed) == 2  # what was mended is tried again


def test_where_there_is_no_video_at_all_that_is_said(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no video"):
        add_footage(workspace, [tmp_path / "empty"])


def test_copies_and_missing_chapters_are_told(workspace: Workspace, card: Path) -> None:
    shutil.copy(card / "clip 2.mp4", card / "copy.mp4")
    (card / "GX020042.MP4").rename(card / "GX030042.MP4")
    added = add_footage(workspace, [card])
    assert len(added.sessions) == 5  # the chapters stay apart
    assert any("copy.mp4" in note for note in added.notes)
    assert any("Chapter 2" in note for note in added.notes)


@pytest.mark.parametrize("name", ["clip 2.xml", "clip 2.mp4.xml", "clip 2.csv", "clip 2-proj.llc", "GX010042.csv"])
def test_labels_beside_become_those_of_the_session(workspace: Workspace, card: Path, name: str) -> None:
    """Of chapters those beside the first of them: its frames have the same numbers in the whole."""
    video = card / ("GX010042.MP4" if name.startswith("GX") else "clip 2.mp4")
    write_labels(card / name, LabelSet((TRICK,)), Video.open(video).pts_s)
    added = add_footage(workspace, [card])
    (labelled,) = [one for one in workspace.sessions() if workspace.labels(one.id) is not None]
    assert labelled.name == video.stem
    revision = workspace.labels(labelled.id)
    assert revision is not None
    assert revision.intervals == (TRICK,)
    assert (added.labelled, revision.source) == (1, str(card / name))


def test_labels_that_people_made_stay(workspace: Workspace, card: Path) -> None:
    """Also where somebody has taken all of them away."""
    video = card / "clip 2.mp4"
    session = add_video(workspace, video).session
    workspace.save_labels(session.id, [], source="editor")
    write_labels(card / "clip 2.csv", LabelSet((TRICK,)), Video.open(video).pts_s)
    assert add_footage(workspace, [card]).labelled == 0
    revision = workspace.labels(session.id)
    assert revision is not None
    assert (revision.intervals, revision.source) == ((), "editor")


def test_labels_that_came_later_are_found_when_asked_again(workspace: Workspace, card: Path) -> None:
    video = card / "clip 2.mp4"
    session = add_video(workspace, video).session
    write_labels(card / "clip 2.csv", LabelSet((TRICK,)), Video.open(video).pts_s)
    again = add_video(workspace, video)
    assert (again.known, again.labels) == (True, 1)
    assert add_video(workspace, video).labels == 0
    assert len(workspace.label_history(session.id)) == 1


def test_labels_that_do_not_fit_are_told_and_the_video_is_there(workspace: Workspace, card: Path) -> None:
    (card / "clip 2.csv").write_text("start_frame,end_frame,label\n5,5000,ollie\n")
    added = add_footage(workspace, [card])
    assert "clip 2" in names(workspace)
    assert added.labelled == 0
    (note,) = added.notes
    assert "clip 2.mp4" in note


def test_a_stop_keeps_what_was_added(workspace: Workspace, card: Path) -> None:
    seen: list[Session] = []
    with pytest.raises(Cancelled):
        add_footage(workspace, [card], cancelled=lambda: len(seen) == 2, each=seen.append)
    assert {session.id for session in workspace.sessions()} == {session.id for session in seen}
    rest = add_footage(workspace, [card])
    assert (len(rest.sessions), len(rest.known)) == (2, 2)


def test_what_was_sent_by_the_browser_is_called_as_there(workspace: Workspace, card: Path) -> None:
    video = card / "clip 2.mp4"
    add_footage(workspace, [video], names={str(video): "My *best* line"})
    assert names(workspace) == {"My *best* line"}


def test_the_count_is_what_would_be_added(workspace: Workspace, card: Path) -> None:
    (card / ".trash").mkdir()
    shutil.copy(card / "clip 2.mp4", card / ".trash")
    shutil.copy(card / "clip 2.mp4", card / "._clip 3.mp4")
    outside = Path(shutil.copy(card / "clip 2.mp4", card.parent / "outside.mp4"))
    os.symlink(outside, card / "linked.mp4")
    os.symlink(card / "clip 10.mp4", card / "inside.mp4")
    (card / "notes.txt").write_text("no video")
    assert count_videos(card) == 6  # five files and a link within; two of these are chapters, the link is a copy
    assert len(add_footage(workspace, [card]).sessions) == 4


def test_too_much_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.adding._MOST_ENTRIES", 9)
    for number in range(10):
        (tmp_path / f"{number}.mp4").touch()
    assert count_videos(tmp_path) is None


def test_an_outcome_is_shown_until_it_is_put_aside(workspace: Workspace) -> None:
    first, second = (
        jobs.submit(workspace, "add", {"sources": [name], "find": False}, start=False) for name in ("a", "b")
    )
    jobs.submit(workspace, "process", {"session": "f00d"}, start=False)
    write_job(workspace, first.id, state="done", result=Added(failed=["a is bad."]).to_json())
    done, waiting = adding_jobs(workspace)
    assert (done.id, waiting.id) == (first.id, second.id)
    put_aside(workspace, done)
    assert [job.id for job in adding_jobs(workspace)] == [second.id]
    kept = jobs.job(workspace, first.id).result
    assert kept is not None
    assert kept["failed"] == ["a is bad."]  # the list of jobs still tells


## Sent by a browser


def send(workspace: Workspace, *videos: Path) -> dict[str, str]:
    """What they are called, by where an upload puts them."""
    folder = workspace.home / "footage"
    folder.mkdir(exist_ok=True)
    return {
        str(shutil.copy(video, folder / f"{content_id(video)}{video.suffix.lower()}")): video.stem for video in videos
    }


def add_sent(workspace: Workspace, *videos: Path) -> Added:
    """Send them at once and add them."""
    called = send(workspace, *videos)
    return add_footage(workspace, list(map(Path, called)), names=called)


def left(workspace: Workspace) -> list[str]:
    """What lies in the folders for uploads and joined chapters, by their size in bytes and not their name."""
    return sorted(f"{path.parent.name}/{path.stat().st_size}" for path in workspace.home.glob("[fj]o*/*"))


@pytest.fixture
def gopro(card: Path) -> list[Path]:
    return [card / "GX010042.MP4", card / "GX020042.MP4"]


@pytest.mark.parametrize("order", [1, -1])
def test_sent_chapters_are_one_session_without_copies(workspace: Workspace, gopro: list[Path], order: int) -> None:
    """In whatever order they came."""
    added = add_sent(workspace, *gopro[::order])
    (session,) = workspace.sessions()
    assert added == Added(sessions=[session.id])
    assert (session.name, session.facts["frames"]) == ("GX010042", 45 + 31)
    assert left(workspace) == [f"joined/{session.path.stat().st_size}"]
    again = add_sent(workspace, *gopro[::order])
    assert again == Added(known=[session.id])
    assert len(left(workspace)) == 1
    assert add_sent(workspace, gopro[1]) == again  # one of them alone
    assert len(left(workspace)) == 1
    assert workspace.sessions() == [session]


def test_a_kill_before_the_last_copy_is_gone_leaves_none(
    workspace: Workspace, gopro: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = send(workspace, *gopro)
    with monkeypatch.context() as killed:
        killed.setattr("core.uploaded.remove_copies", lambda *_: None)
        add_footage(workspace, list(map(Path, called)), names=called)
    Path(next(iter(called))).unlink()
    again = add_footage(workspace, list(map(Path, called)), names=called)
    assert again == Added(known=[workspace.sessions()[0].id])
    assert len(left(workspace)) == 1


def test_a_chapter_that_is_sent_later_stays_apart_and_that_is_said(
    workspace: Workspace, gopro: list[Path], card: Path
) -> None:
    first = add_sent(workspace, gopro[0]).sessions
    added = add_sent(workspace, gopro[1])
    assert names(workspace) == {"GX010042", "GX020042"}
    (note,) = added.notes
    assert note.startswith("GX020042.mp4 belongs to the same recording as GX010042.mp4, which came before")
    assert add_sent(workspace, gopro[1]) == Added(known=added.sessions)  # is not said again
    # Whoever then sends all of them gets the whole, and what he did in the parts is still there.
    whole = add_sent(workspace, *gopro)
    assert (len(whole.sessions), whole.notes) == (1, [])
    assert {session.id for session in workspace.sessions()} == {*first, *added.sessions, *whole.sessions}
    assert all(session.path.exists() for session in workspace.sessions())
    # After the joined ones, too.
    third = record(H264, card.parent, ["a", "b", "GX030042"], ".MP4")[2]
    (note,) = add_sent(workspace, third).notes
    assert "GX030042.mp4 belongs to the same recording as GX020042.mp4" in note


def test_the_first_chapter_may_be_the_later_one(workspace: Workspace, gopro: list[Path]) -> None:
    (note,) = add_sent(workspace, gopro[1]).notes
    assert note.startswith("Chapter 1 of the recording that goes on in GX020042.mp4 is not there")
    (note,) = add_sent(workspace, gopro[0]).notes
    assert note.startswith("GX010042.mp4 belongs to the same recording as GX020042.mp4")


def test_sent_chapters_that_do_not_join_are_sessions_with_the_reason(workspace: Workspace, card: Path) -> None:
    """In the names that the user knows."""
    other = record(replace(H264, turns=2), card.parent, ["a", "GX020042"], ".MP4")[1]
    added = add_sent(workspace, card / "GX010042.MP4", other)
    assert names(workspace) == {"GX010042", "GX020042"}
    (note,) = added.notes
    assert note.startswith("GX020042.mp4 has another rotation than GX010042.mp4")
    assert note.endswith("added one by one.")
    assert all(session.path.parent.name == "footage" for session in workspace.sessions())


def test_files_of_one_number_after_the_other_are_no_chapters_by_that(workspace: Workspace, card: Path) -> None:
    paths = [
        (card / name).rename(card / f"IMG_000{number}.mp4") for number, name in enumerate(("clip 2.mp4", "clip 10.mp4"))
    ]
    for path in paths:
        assert add_sent(workspace, path).notes == []
    assert names(workspace) == {"IMG_0000", "IMG_0001"}
    assert add_sent(workspace, *paths).sessions == []


def test_the_later_chapter_of_another_camera_is_known_by_its_time(workspace: Workspace, tmp_path: Path) -> None:
    for number, began in ((7, "10:00:00"), (8, "10:00:02"), (9, "10:30:00")):
        path = tmp_path / f"DJI_000{number}.MP4"
        told = f"creation_time=2024-05-01T{began}Z"
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48:duration=2", "-metadata", told, path)
        notes = add_sent(workspace, path).notes
        assert len(notes) == (number == 8), number


def test_what_was_sent_is_not_lost_when_its_joining_is_stopped(
    workspace: Workspace, gopro: list[Path], card: Path
) -> None:
    """In the workspace nobody would find it."""
    called = send(workspace, *gopro, card / "clip 2.mp4")
    with pytest.raises(Cancelled):
        add_footage(workspace, list(map(Path, called)), cancelled=lambda: True, names=called)
    assert names(workspace) == {"GX010042", "GX020042", "clip 2"}
    assert all(path.startswith("footage") for path in left(workspace))


@pytest.mark.parametrize("by", ["a page", "a job"])
def test_a_copy_that_is_to_become_a_session_again_stays(
    workspace: Workspace, gopro: list[Path], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Sent anew with more chapters of the recording, while an older session is added to, or removed."""
    monkeypatch.setattr("pages.widgets.sessions.open_workspace", lambda: workspace)
    add_sent(workspace, *gopro)
    add_sent(workspace, gopro[0])  # known, and no copy is left
    called = send(workspace, *gopro)
    if by == "a page":
        for path, name in called.items():
            put(workspace.home, Uploaded(Path(path), name))
    else:
        jobs.submit(workspace, "add", {"sources": [*called, "third"], "names": called | {"third": ""}}, start=False)
    assert add_footage(workspace, [Path(next(iter(called)))], names={next(iter(called)): "GX010042"}).known
    sessions.remove(workspace.sessions()[0])
    assert all(Path(path).exists() for path in called)
    assert add_footage(workspace, list(map(Path, called)), names=called).sessions


def test_a_single_upload_that_waits_for_its_second_chapter_outlives_its_session(
    workspace: Workspace, gopro: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the note on chapters that came apart asks for: send all, and remove the first."""
    monkeypatch.setattr("pages.widgets.sessions.open_workspace", lambda: workspace)
    add_sent(workspace, gopro[0])
    ((path, name),) = send(workspace, gopro[0]).items()
    put(workspace.home, Uploaded(Path(path), name))
    sessions.remove(workspace.sessions()[0])
    assert Path(path).exists()
    assert workspace.sessions() == []


def test_a_session_that_is_removed_meanwhile_takes_no_copies_with_it(
    workspace: Workspace, gopro: list[Path], card: Path
) -> None:
    """Hours may lie between the beginning of the work and its turn."""
    add_sent(workspace, *gopro)
    old = workspace.sessions()[0]
    called = send(workspace, card / "clip 2.mp4", *gopro)

    def removed(session: Session) -> None:
        if session.name == "clip 2":
            workspace.remove_session(old.id)
            old.path.unlink()

    add_footage(workspace, list(map(Path, called)), names=called, each=removed)
    assert names(workspace) == {"clip 2", "GX010042"}
    assert all(session.path.exists() for session in workspace.sessions())


def test_what_others_wrote_into_the_records_deletes_nothing_else(workspace: Workspace, card: Path) -> None:
    add_sent(workspace, card / "clip 2.mp4")
    (session,) = workspace.sessions()
    ((path, _),) = send(workspace, card / "clip 10.mp4").items()
    bad = [["*", "a.mp4"], ["../footage/*", "b.mp4"], [session.id], 7, None, [7, 7]]
    remove_copies(workspace, workspace.session_for(session.path, {"uploaded": bad}))
    assert Path(path).exists()
    assert add_sent(workspace, card / "GX010042.MP4").sessions


def test_chapters_of_two_cameras_that_count_alike_are_not_mixed(workspace: Workspace, card: Path) -> None:
    """Nobody could take them apart again: the copies of what is joined are deleted."""
    second = record(replace(H264, turns=1), card.parent, ["GX010042", "GX020042"], ".MP4")
    added = add_sent(workspace, card / "GX010042.MP4", second[0], second[1], card / "GX020042.MP4")
    assert len(added.sessions) == 4
    assert [note for note in added.notes if note.startswith("Two files are called GX010042.mp4")]
