"""Decisions on found tricks survive a new run, become labels, and can be taken back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from core.errors import UserError
from core.intervals import Event, Interval
from core.kept_labels import insert_labels
from core.records import LabelRevision
from core.reviews import Decision, decide, rejected, reviews, undo
from core.tricks import Review, Trick, chosen, matched, tricks
from core.workspace import Workspace

FOUND = [Event(100, 130, confidence=0.9), Event(300, 340, confidence=0.8), Event(600, 620, confidence=0.7)]


@pytest.fixture
def workspace(database: str, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def session(workspace: Workspace, tmp_path: Path) -> str:
    video = tmp_path / "footage.mp4"
    video.write_bytes(b"not looked into here")
    return workspace.session_for(video).id


def labels(workspace: Workspace, session: str) -> list[tuple[int, int]]:
    newest = workspace.labels(session)
    return [(i.start_frame, i.end_frame) for i in newest.intervals] if newest else []


def verdicts(made: tuple[Review, ...]) -> list[tuple[int, str, int]]:
    return [(review.start_frame, review.verdict, review.stars) for review in made]


def test_a_verdict_is_kept_and_becomes_a_label(workspace: Workspace, session: str) -> None:
    decided = decide(
        workspace,
        session,
        [Decision(FOUND[0], verdict="keep", stars=4), Decision(FOUND[1], verdict="reject")],
        author="ana",
    )
    assert verdicts(decided.reviews) == [(100, "keep", 4), (300, "reject", 0)]
    assert decided.reviews == reviews(workspace, session)
    newest = workspace.labels(session)
    assert newest
    assert (newest.source, newest.author, newest.revision) == ("review", "ana", 1)
    assert newest.intervals == (Interval(100, 130),)
    assert rejected(workspace, session) == (Interval(300, 340),)


def test_stars_alone_touch_no_label(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], stars=3)])
    assert workspace.labels(session) is None


def test_a_decision_is_not_lost_when_the_next_run_finds_the_trick_elsewhere(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="keep"), Decision(FOUND[1], verdict="reject")])
    again = [Event(104, 138), Event(290, 335), Event(600, 620)]
    found = matched(again, reviews(workspace, session))
    assert [review.verdict if review else None for review in found] == ["keep", "reject", None]
    # Deciding on it again is no second decision, and no second label.
    decided = decide(workspace, session, [Decision(again[0], verdict="reject"), Decision(again[1], verdict="keep")])
    assert verdicts(decided.reviews) == [(104, "reject", 0), (290, "keep", 0)]
    assert labels(workspace, session) == [(290, 335)]


def test_a_trick_that_moved_too_far_is_another_one(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="reject")])
    assert matched([Event(120, 150)], reviews(workspace, session)) == [None]
    assert matched([Event(100, 130, "grind")], reviews(workspace, session)) == [None]


def test_two_found_tricks_do_not_share_a_decision(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(Event(100, 199), verdict="keep")])
    found = matched([Event(100, 149), Event(150, 199)], reviews(workspace, session))
    assert sum(review is not None for review in found) == 1


def test_adjusted_bounds_are_cut_labelled_and_taken_back(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    made = decide(workspace, session, [Decision(FOUND[0], kept=(90, 128))]).reviews
    assert made[0].adjusted
    assert made[0].kept == Interval(90, 128)
    assert labels(workspace, session) == [(90, 128)]  # in the place of the first, not beside it
    assert chosen(tricks(FOUND, made))[0] == Interval(90, 128)
    # The next run, taught by the adjusted label, finds the trick there: it is still the same one.
    assert matched([Event(76, 122)], made) == [made[0]]
    made = decide(workspace, session, [Decision(FOUND[0], kept=(100, 130))]).reviews
    assert not made[0].adjusted
    assert labels(workspace, session) == [(100, 130)]


def test_taking_a_verdict_back_takes_the_label_back(workspace: Workspace, session: str) -> None:
    workspace.save_labels(session, [Interval(900, 950)], "editor")
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    assert labels(workspace, session) == [(100, 130), (900, 950)]
    decided = decide(workspace, session, [Decision(FOUND[0], verdict="")])
    assert decided.reviews == ()
    assert labels(workspace, session) == [(900, 950)]


def test_rejecting_what_was_kept_removes_its_label(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    decided = decide(workspace, session, [Decision(FOUND[0], verdict="reject")])
    assert labels(workspace, session) == []
    assert decided.notes == ()


def test_a_label_drawn_by_a_person_is_neither_removed_nor_doubled(workspace: Workspace, session: str) -> None:
    workspace.save_labels(session, [Interval(102, 128, "kickflip")], "editor")
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    assert labels(workspace, session) == [(102, 128)]
    decided = decide(workspace, session, [Decision(FOUND[0], verdict="reject")])
    assert labels(workspace, session) == [(102, 128)]
    assert "102 to 128" in decided.notes[0]
    assert "by hand" in decided.notes[0]
    assert chosen(tricks(FOUND[:1], decided.reviews, [Interval(102, 128, "kickflip")])) == []


def test_a_label_that_was_edited_since_is_a_persons(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    workspace.save_labels(session, [Interval(98, 130)], "editor")
    decided = decide(workspace, session, [Decision(FOUND[0], verdict="reject")])
    assert labels(workspace, session) == [(98, 130)]
    assert len(decided.notes) == 1


def test_a_label_that_merely_touches_does_not_keep_a_trick_from_being_learnt(
    workspace: Workspace, session: str
) -> None:
    workspace.save_labels(session, [Interval(60, 102)], "editor")
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    assert labels(workspace, session) == [(60, 102), (100, 130)]


def test_a_wider_find_of_a_later_run_replaces_the_label_of_the_first(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    wide = Event(90, 180)
    decide(workspace, session, [Decision(wide, verdict="keep")])
    assert labels(workspace, session) == [(90, 180)]
    decide(workspace, session, [Decision(wide, verdict="")])
    assert labels(workspace, session) == [(100, 130)]


def test_undo_goes_back_one_decision_at_a_time(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    decide(workspace, session, [Decision(FOUND[1], verdict="keep", stars=2)])
    decide(workspace, session, [Decision(FOUND[0], verdict="reject", stars=1)])
    assert verdicts(undo(workspace, session).reviews) == [(100, "keep", 0), (300, "keep", 2)]
    assert labels(workspace, session) == [(100, 130), (300, 340)]
    assert verdicts(undo(workspace, session).reviews) == [(100, "keep", 0)]
    assert verdicts(undo(workspace, session).reviews) == []
    assert undo(workspace, session).reviews == ()
    assert labels(workspace, session) == []


def test_undo_takes_the_decisions_of_one_batch_back_from_the_last(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(event, verdict="keep") for event in FOUND])
    assert [start for start, _, _ in verdicts(undo(workspace, session).reviews)] == [100, 300]


def test_going_back_by_hand_is_an_undo_and_no_further_step(workspace: Workspace, session: str) -> None:
    for verdict in ("keep", "reject", "keep"):
        decide(workspace, session, [Decision(FOUND[0], verdict=verdict)])
    assert undo(workspace, session).reviews == ()


def test_going_back_leaves_another_decision_in_its_place(workspace: Workspace, session: str) -> None:
    """Nothing could be decided in any tab any more if the two were to share their frames."""
    decide(workspace, session, [Decision(Event(0, 100), verdict="keep", kept=(80, 120))])
    decide(workspace, session, [Decision(Event(85, 120), verdict="reject")])
    decide(workspace, session, [Decision(Event(0, 100), verdict="reject")])
    decided = decide(workspace, session, [Decision(Event(85, 120), verdict="keep")])
    assert verdicts(decided.reviews) == [(0, "reject", 0), (85, "keep", 0)]
    assert decided.reviews[1].kept == Interval(80, 120)
    assert labels(workspace, session) == [(80, 120)]
    assert verdicts(undo(workspace, session).reviews) == [(85, "keep", 0)]
    assert undo(workspace, session).reviews == ()
    assert labels(workspace, session) == []


def test_an_undo_whose_old_place_is_taken_stays_where_it_is(workspace: Workspace, session: str) -> None:
    """A decision whose old frames another one has by now is taken back where it is."""
    decide(workspace, session, [Decision(Event(100, 200), verdict="keep")])
    decide(workspace, session, [Decision(Event(155, 255), verdict="keep")])
    decide(workspace, session, [Decision(Event(70, 170), verdict="reject")])  # the first, found earlier
    decide(workspace, session, [Decision(Event(125, 225), verdict="reject")])  # the second, found earlier, and again:
    decided = decide(workspace, session, [Decision(Event(100, 200), verdict="keep")])
    assert verdicts(decided.reviews) == [(70, "reject", 0), (100, "keep", 0)]
    assert verdicts(undo(workspace, session).reviews) == [(70, "keep", 0), (100, "keep", 0)]


def test_a_decision_whose_label_cannot_be_saved_is_not_kept(workspace: Workspace, session: str) -> None:
    """Else it would say for ever that the trick is learnt from, and no label would come."""
    kept = decide(workspace, session, [Decision(FOUND[0], verdict="keep")]).reviews
    with workspace.database.transaction() as db:
        refuse = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        if db.dialect.name == "postgresql":
            raised = "BEGIN RAISE integrity_constraint_violation USING MESSAGE = 'refused'; END"
            db.exec_driver_sql(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {raised} $$")
            refuse = "FOR EACH ROW EXECUTE FUNCTION refuse()"
        db.exec_driver_sql(f"CREATE TRIGGER refusal BEFORE INSERT ON label_revisions {refuse}")
    with pytest.raises(IntegrityError, match="refused"):
        decide(workspace, session, [Decision(FOUND[0], verdict="reject"), Decision(FOUND[1], verdict="keep")])
    with pytest.raises(IntegrityError, match="refused"):
        undo(workspace, session)
    assert reviews(workspace, session) == kept
    assert labels(workspace, session) == [(100, 130)]
    with workspace.database.transaction() as db:
        table = " ON label_revisions" if db.dialect.name == "postgresql" else ""
        db.exec_driver_sql(f"DROP TRIGGER refusal{table}")
    decide(workspace, session, [Decision(FOUND[1], verdict="keep")])
    assert labels(workspace, session) == [(100, 130), (300, 340)]


def test_a_session_that_changes_all_the_time_is_given_up(
    workspace: Workspace, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tabs would wait for the one that tries for ever."""
    read = workspace.labels

    def outrun(session_id: str, layer: str = "") -> LabelRevision | None:
        newest = read(session_id, layer)
        with workspace.database.transaction() as db:
            insert_labels(db, session_id, newest.revision + 1 if newest else 1, [], "editor")
        return newest

    monkeypatch.setattr(workspace, "labels", outrun)
    with pytest.raises(UserError, match="elsewhere"):
        decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    assert reviews(workspace, session) == ()


def test_saying_the_same_again_writes_nothing(workspace: Workspace, session: str) -> None:
    first = decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    assert decide(workspace, session, [Decision(FOUND[0], verdict="keep")]) == first
    assert len(workspace.label_history(session)) == 1


def test_ten_decisions_at_once_are_one_revision_of_the_labels(workspace: Workspace, session: str) -> None:
    decide(workspace, session, [Decision(Event(100 * n, 100 * n + 20), verdict="keep") for n in range(10)])
    assert len(labels(workspace, session)) == 10
    assert len(workspace.label_history(session)) == 1


def test_one_trick_decided_on_twice_in_a_batch_keeps_the_last_word(workspace: Workspace, session: str) -> None:
    decided = decide(
        workspace, session, [Decision(FOUND[0], verdict="keep"), Decision(Event(101, 131), verdict="reject")]
    )
    assert verdicts(decided.reviews) == [(101, "reject", 0)]
    assert labels(workspace, session) == []


def test_labels_saved_elsewhere_at_the_same_moment_are_not_lost(
    workspace: Workspace, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, came_between = workspace.labels, iter([True])

    def slow(session_id: str, layer: str = "") -> LabelRevision | None:
        newest = read(session_id, layer)
        if next(came_between, False):
            workspace.save_labels(session_id, [Interval(800, 820)], "editor")
        return newest

    monkeypatch.setattr(workspace, "labels", slow)
    decide(workspace, session, [Decision(FOUND[0], verdict="keep")])
    assert labels(workspace, session) == [(100, 130), (800, 820)]
    assert undo(workspace, session).reviews == ()
    assert labels(workspace, session) == [(800, 820)]


def test_decisions_of_two_processes_at_once_all_arrive(workspace: Workspace, session: str, tmp_path: Path) -> None:
    def work(first: int) -> None:
        # A connection of its own, and no lock shared with the other.
        with Workspace.open(tmp_path / "home") as own:
            for n in range(first, 20, 2):
                decide(own, session, [Decision(Event(100 * n, 100 * n + 20), verdict="keep")])

    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("core.reviews._deciding", _NoLock())
        threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(reviews(workspace, session)) == 20
    assert len(labels(workspace, session)) == 20


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_an_export_holds_everything_until_something_is_rejected(workspace: Workspace, session: str) -> None:
    assert len(chosen(tricks(FOUND, ()))) == 3
    made = decide(
        workspace,
        session,
        [Decision(FOUND[0], verdict="keep", stars=5), Decision(FOUND[1], verdict="reject", stars=5)],
    ).reviews
    assert chosen(tricks(FOUND, made)) == [Interval(100, 130), Interval(600, 620)]
    assert chosen(tricks(FOUND, made), min_stars=3) == [Interval(100, 130)]


def test_what_was_kept_stays_when_it_is_not_found_any_more(workspace: Workspace, session: str) -> None:
    made = decide(
        workspace, session, [Decision(FOUND[0], verdict="keep"), Decision(FOUND[1], verdict="reject")]
    ).reviews
    assert chosen(tricks([], made)) == [Interval(100, 130)]
    assert tricks([], made)[0].confidence is None


def test_a_trick_that_only_a_person_saw_is_cut_too() -> None:
    listed = tricks(FOUND, (), [Interval(102, 125, "kickflip"), Interval(450, 470)])
    assert [(trick.found.start_frame, trick.by_hand) for trick in listed] == [
        (100, False),
        (300, False),
        (450, True),
        (600, False),
    ]
    assert Interval(450, 470) in chosen(tricks(FOUND, (), [Interval(450, 470)]))


def test_a_right_label_within_a_rejected_find_is_cut(workspace: Workspace, session: str) -> None:
    wide = Event(100, 300)
    made = decide(workspace, session, [Decision(wide, verdict="reject")]).reviews
    assert chosen(tricks([wide], made, [Interval(150, 190)])) == [Interval(150, 190)]


@pytest.mark.parametrize(
    "decision",
    [
        Decision(FOUND[0], verdict="perhaps"),  # type: ignore[arg-type]
        Decision(FOUND[0], stars=6),
        Decision(FOUND[0], kept=(20, 10)),
    ],
)
def test_nonsense_is_refused_and_nothing_kept(workspace: Workspace, session: str, decision: Decision) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decide(workspace, session, [Decision(FOUND[1], verdict="keep"), decision])
    assert reviews(workspace, session) == ()


def test_a_session_that_is_gone_is_said(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no session"):
        decide(workspace, "0" * 32, [Decision(FOUND[0], verdict="keep")])


def test_nothing_reviewed() -> None:
    assert tricks([], ()) == []
    assert Trick(Interval(1, 2)).verdict == ""
