"""What a session teaches: a rule for each kind of correction, and nothing that nobody said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import corrections, pipeline, sighting
from core.corrections import Taught, known_frames, labelled, lesson_of, lessons, taught
from core.errors import UserError
from core.intervals import Interval
from core.records import Session
from core.reviews import Decision, decide, own_labels, undo
from core.settings import EventSettings, SessionSettings
from core.sighting import Look
from core.workspace import Workspace
from tests.postgres import copy_records

SECOND = 30
"""Frames."""


@pytest.fixture
def studio_workspace(studio_workspace: Workspace, database: str) -> Iterator[Workspace]:
    """On both databases."""
    if database == "sqlite":
        yield studio_workspace
        return
    with Workspace.open(studio_workspace.home) as on_server:
        copy_records(studio_workspace.database, on_server.database)
        yield on_server


@pytest.fixture
def record(studio_workspace: Workspace) -> Session:
    return studio_workspace.sessions()[0]


@pytest.fixture
def look(studio_workspace: Workspace, record: Session) -> Look:
    seen = sighting.kept(record, studio_workspace)
    assert seen
    return seen


@pytest.fixture
def found(studio_workspace: Workspace, record: Session, look: Look) -> list[Interval]:
    """The two tricks that the starter finds."""
    events, _ = pipeline.found(look, studio_workspace, studio_workspace.settings(record.id))
    assert len(events) == 2
    return [Interval(event.start_frame, event.end_frame) for event in events]


def known(workspace: Workspace, record: Session, look: Look) -> list[tuple[int, int]] | None:
    video = labelled(workspace, record, look)
    assert video
    places = video.example.known
    return None if places is None else [(place.start_frame, place.end_frame) for place in places]


def truth(workspace: Workspace, record: Session, look: Look) -> list[Interval]:
    video = labelled(workspace, record, look)
    assert video
    return list(video.example.truth)


def spread(interval: Interval) -> tuple[int, int]:
    """With a second to either side."""
    return interval.start_frame - SECOND, interval.end_frame + SECOND


def test_where_nobody_said_anything_there_is_nothing_to_learn(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    assert labelled(studio_workspace, record, look) is None
    decide(studio_workspace, record.id, [Decision(found[0], stars=3)])
    assert labelled(studio_workspace, record, look) is None  # stars do not say whether it is a trick
    assert not taught(studio_workspace, record.id)


def test_a_person_who_labels_has_seen_it_all(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    studio_workspace.save_labels(record.id, [Interval(5, 20)], "cvat")
    assert truth(studio_workspace, record, look) == [Interval(5, 20)]
    assert known(studio_workspace, record, look) is None
    decide(studio_workspace, record.id, [Decision(found[0], "keep")])
    assert truth(studio_workspace, record, look) == [Interval(5, 20), found[0]]
    assert known(studio_workspace, record, look) is None
    assert taught(studio_workspace, record.id) == Taught(kept=1, rejected=0, labelled=1)


def test_an_edit_of_a_reviewed_label_is_a_persons(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    decide(studio_workspace, record.id, [Decision(found[0], "keep")])
    assert own_labels(studio_workspace, record.id) == {found[0]}
    wider = replace(found[0], start_frame=found[0].start_frame - 5)
    studio_workspace.save_labels(record.id, [wider], "editor")
    assert truth(studio_workspace, record, look) == [wider]
    assert known(studio_workspace, record, look) is None


def test_a_kept_moment_is_known_with_a_second_around_it(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    decide(studio_workspace, record.id, [Decision(found[0], "keep")])
    assert truth(studio_workspace, record, look) == [found[0]]
    assert known(studio_workspace, record, look) == [spread(found[0])]
    assert taught(studio_workspace, record.id) == Taught(kept=1)


def test_a_rejected_moment_is_known_to_be_none(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    decide(studio_workspace, record.id, [Decision(found[1], "reject")])
    assert truth(studio_workspace, record, look) == []
    assert known(studio_workspace, record, look) == [spread(found[1])]
    assert taught(studio_workspace, record.id) == Taught(rejected=1)


def test_a_label_by_hand_stands_over_a_rejection(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    """The review page says so when it is rejected, and the label stays."""
    studio_workspace.save_labels(record.id, [found[0]], "editor")
    decide(studio_workspace, record.id, [Decision(found[0], "reject"), Decision(found[1], "reject")])
    assert truth(studio_workspace, record, look) == [found[0]]


def test_a_trick_kept_within_a_rejected_find_stays_one(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    wide = Interval(found[0].start_frame - 40, found[0].end_frame + 40)
    decide(studio_workspace, record.id, [Decision(wide, "reject"), Decision(found[0], "keep")])
    assert truth(studio_workspace, record, look) == [found[0]]
    assert known(studio_workspace, record, look) == [spread(wide)]


@pytest.mark.parametrize("verdict", ["keep", None])
def test_what_a_moved_trick_leaves_is_known_to_be_none(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval], verdict: str | None
) -> None:
    late = Interval(found[0].end_frame - 2, found[0].end_frame + 8)
    moved = Decision(found[0], verdict, kept=(late.start_frame, late.end_frame))  # type: ignore[arg-type]
    decide(studio_workspace, record.id, [moved])
    assert truth(studio_workspace, record, look) == [late]
    assert known(studio_workspace, record, look) == [(found[0].start_frame - SECOND, late.end_frame + SECOND)]
    assert taught(studio_workspace, record.id) == Taught(kept=1)


def test_a_trick_moved_onto_a_label_by_hand_adds_none(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    studio_workspace.save_labels(record.id, [found[0]], "editor")
    near = (found[0].start_frame + 1, found[0].end_frame + 1)
    decide(studio_workspace, record.id, [Decision(found[0], kept=near)])
    assert truth(studio_workspace, record, look) == [found[0]]


def test_the_second_around_it_ends_at_what_is_undecided(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    """A trick that nobody has looked at yet must not be learnt as none."""
    beside = Interval(found[1].start_frame - 20, found[1].start_frame - 4)
    decide(studio_workspace, record.id, [Decision(beside, "reject")])
    first, last = spread(beside)
    expected = set(range(first, last + 1)) - set(range(found[1].start_frame, found[1].end_frame + 1))
    places = known(studio_workspace, record, look)
    assert places
    assert {frame for start, end in places for frame in range(start, end + 1)} == expected


def test_once_all_that_is_found_was_decided_the_whole_video_is_known(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    decide(studio_workspace, record.id, [Decision(found[0], "keep"), Decision(found[1], "reject")])
    assert known(studio_workspace, record, look) is None
    assert truth(studio_workspace, record, look) == [found[0]]
    undo(studio_workspace, record.id)
    assert known(studio_workspace, record, look) == [spread(found[0])]


def test_a_threshold_that_finds_nothing_does_not_make_the_rest_known(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    """Nobody has been through what is not shown."""
    decide(studio_workspace, record.id, [Decision(found[0], "keep")])
    strict = EventSettings(default_threshold=1.0, min_event_s=60)
    studio_workspace.save_settings(record.id, SessionSettings(events=strict))
    assert known(studio_workspace, record, look) == [spread(found[0])]


def test_a_label_that_was_deleted_by_hand_is_no_trick(
    studio_workspace: Workspace, record: Session, look: Look, found: list[Interval]
) -> None:
    decide(studio_workspace, record.id, [Decision(found[0], "keep")])
    studio_workspace.save_labels(record.id, [], "editor")
    assert truth(studio_workspace, record, look) == []
    assert known(studio_workspace, record, look) == [spread(found[0])]


def test_frames_of_a_decision_beyond_the_video_do_no_harm(
    studio_workspace: Workspace, record: Session, look: Look
) -> None:
    """They come from the browser."""
    last = look.video.n_frames - 1
    decide(studio_workspace, record.id, [Decision(Interval(last - 2, last + 500), "reject")])
    assert known(studio_workspace, record, look) == [(last - 2 - SECOND, last)]


def test_footage_of_a_changing_frame_rate_is_known_by_seconds() -> None:
    pts_s = np.concatenate([np.arange(0, 5, 0.1), np.arange(5, 10, 0.02)])
    mask = known_frames([Interval(50, 51)], [], [], pts_s)
    assert pts_s[mask].min() == pytest.approx(4.0)
    assert pts_s[mask].max() == pytest.approx(6.02)


# all sessions


def test_what_cannot_be_learnt_from_is_said(studio_workspace: Workspace, record: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{record.name} has no labels to learn from: label its tricks or review"):
        lesson_of(studio_workspace, record)
    copy = tmp_path / "copy.mp4"
    shutil.copy(record.path, copy)
    copy.write_bytes(copy.read_bytes() + b"\0")  # other content, and never looked at
    new = studio_workspace.session_for(copy)
    studio_workspace.save_labels(new.id, [Interval(1, 9)], "cvat")
    with pytest.raises(UserError, match="copy was not processed yet: find its tricks first"):
        lesson_of(studio_workspace, new)


def test_all_sessions_teach_but_those_that_cannot(
    studio_workspace: Workspace, record: Session, found: list[Interval], tmp_path: Path
) -> None:
    lost = tmp_path / "lost.mp4"
    shutil.copy(record.path, lost)
    lost.write_bytes(lost.read_bytes() + b"\0")
    gone = studio_workspace.session_for(lost, {"looked": record.facts["looked"]})
    seen, copied = (sighting.tables(studio_workspace, one, **record.facts["looked"]) for one in (record.id, gone.id))
    for source, target in zip(seen, copied, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    studio_workspace.save_labels(gone.id, [Interval(10, 20)], "cvat")
    decide(studio_workspace, record.id, [Decision(found[0], "keep")])
    learnt, skipped = lessons(studio_workspace)
    assert [lesson.session.id for lesson in learnt] == [record.id, gone.id]
    assert not skipped
    lost.unlink()
    done: list[float] = []
    learnt, skipped = lessons(studio_workspace, done.append)
    assert [lesson.session.id for lesson in learnt] == [record.id]
    assert done == [0.5, 1.0]
    (sentence,) = skipped
    assert sentence.startswith("lost was left out. ")
    assert "lost.mp4" in sentence


def test_the_counts_add_up() -> None:
    assert sum([Taught(1, 2, 3), Taught(4, 5, 6)], Taught()) == Taught(5, 7, 9)
    assert not Taught()
    assert corrections.AROUND_S == 1.0
