"""Edits in the browser become revisions: none is lost, whatever the network, other tabs and restarts do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.intervals import Event, Interval
from core.workspace import Workspace
from pages.widgets import editor
from pages.widgets.editor import Notice, Tab

N_FRAMES = 714
PTS_S = np.arange(N_FRAMES) / 30
A, B, C, D = Interval(10, 20), Interval(40, 50), Interval(100, 120), Interval(200, 230)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def session_id(workspace: Workspace, tmp_path: Path) -> str:
    video = tmp_path / "park.mp4"
    video.write_bytes(b"frames")
    return workspace.session_for(video).id


class Browser:
    """The workbench's half of the protocol, and a session of the server that serves it."""

    def __init__(self, workspace: Workspace, session_id: str, name: str, author: str | None = None) -> None:
        self.workspace, self.session_id, self.name, self.author = workspace, session_id, name, author
        self.tab = Tab()
        self.items: set[Interval] = set()
        self.base = -1
        self.seq = 0
        self.sent: dict[str, Any] = {}
        self.overruled: set[Interval] = set()
        self.show()

    def show(self) -> None:
        """The server runs the page, and the browser gets the document."""
        document = editor.document(self.workspace, self.session_id, "", self.tab)
        pending = self.seq > (document.ack[1] if document.ack and document.ack[0] == self.name else 0)
        if not pending:
            self.items, self.base = set(document.items), document.revision

    def edit(self, add: Any = (), remove: Any = ()) -> None:
        """The user does something; the browser sends it, which replaces what it had sent and was not taken yet."""
        self.items = (self.items - set(remove)) | set(add)
        self.seq += 1
        items = [[i.start_frame, i.end_frame, i.label] for i in sorted(self.items)]
        self.sent = {"editor": self.name, "seq": self.seq, "base": self.base, "items": items}

    def deliver(self) -> Notice | None:
        """What was sent last arrives."""
        if not self.sent:
            return None
        notice = editor.take_edit(self.workspace, self.session_id, "", self.tab, self.sent, self.author, PTS_S)
        self.overruled |= set(notice.overruled) if notice else set()
        return notice

    def restart(self) -> None:
        """The server has forgotten everything, the browser nothing."""
        self.tab = Tab()


@pytest.fixture
def ann(workspace: Workspace, session_id: str) -> Browser:
    return Browser(workspace, session_id, "tab1", "Ann")


def kept(browser: Browser) -> set[Interval]:
    newest = browser.workspace.labels(browser.session_id)
    return set(newest.intervals) if newest else set()


def revisions(browser: Browser) -> int:
    return len(browser.workspace.label_history(browser.session_id))


def test_an_edit_is_saved_and_acknowledged(ann: Browser) -> None:
    ann.edit(add=[A])
    assert ann.deliver() is None
    document = editor.document(ann.workspace, ann.session_id, "", ann.tab)
    assert (document.revision, document.ack, document.external, document.items) == (1, ("tab1", 1), 0, (A,))
    (revision,) = ann.workspace.label_history(ann.session_id)
    assert (revision.source, revision.author) == ("editor", "Ann")


def test_the_same_edit_again_is_only_acknowledged(ann: Browser) -> None:
    """Streamlit hands a component's state to every run of the page."""
    ann.edit(add=[A])
    for _ in range(3):
        assert ann.deliver() is None
    ann.edit()
    ann.deliver()
    assert revisions(ann) == 1
    assert editor.document(ann.workspace, ann.session_id, "", ann.tab).ack == ("tab1", 2)


def test_edits_that_overtake_the_page_are_all_kept(ann: Browser) -> None:
    """Ten edits 20 ms apart: some never arrive, and none of the pages comes back in time."""
    for number in range(10):
        ann.edit(add=[Interval(30 * number, 30 * number + 9)])
        if number in (2, 3, 7, 9):
            ann.deliver()
    assert kept(ann) == ann.items
    ann.show()
    assert (len(ann.items), ann.base, revisions(ann)) == (10, 4, 4)
    assert editor.document(ann.workspace, ann.session_id, "", ann.tab).external == 0


def test_an_undone_edit_is_undone_though_it_was_saved_meanwhile(ann: Browser) -> None:
    """Undo before the page has come back: the list rests on the old revision, the labels have moved on."""
    ann.edit(add=[A])
    ann.deliver()
    ann.edit(add=[B])
    ann.deliver()
    ann.edit(remove=[B])
    ann.deliver()
    assert kept(ann) == {A}


def test_an_undo_after_the_page_has_taken_over_the_number_alone(ann: Browser) -> None:
    """A browser may take a new revision's number and keep its own newer list: the list still rests on its last one."""
    ann.edit(add=[A])
    ann.deliver()
    ann.edit(add=[B])
    ann.base = 1
    ann.deliver()
    ann.edit(remove=[B])
    ann.base = 2
    ann.deliver()
    assert kept(ann) == {A}


def test_two_tabs_keep_both_changes_and_say_so(ann: Browser) -> None:
    ben = Browser(ann.workspace, ann.session_id, "tab2", "Ben")
    ann.edit(add=[A])
    ann.deliver()
    ben.edit(add=[B])
    notice = ben.deliver()
    assert kept(ann) == {A, B}
    assert notice is not None
    (first,) = [one for one in ann.workspace.label_history(ann.session_id) if one.author == "Ann"]
    at = f"{first.saved_at.astimezone():%H:%M:%S}"
    assert notice == Notice(f"Ann changed the labels at {at}; both changes are kept.")
    ben.edit(add=[C])
    assert ben.deliver() is None, "once is enough"
    assert editor.document(ann.workspace, ann.session_id, "", ben.tab).external == 3


def test_the_newer_edit_of_the_same_trick_wins_and_says_so(ann: Browser) -> None:
    """Never silently: the sentence names whom it replaced, and the history has his."""
    ann.edit(add=[A])
    ann.deliver()
    ben = Browser(ann.workspace, ann.session_id, "tab2", "Ben")
    ann.edit(remove=[A], add=[Interval(8, 20)])
    ann.deliver()
    ben.edit(remove=[A], add=[Interval(10, 25)])
    notice = ben.deliver()
    assert notice is not None
    assert notice.overruled == (Interval(8, 20),)
    assert notice.text.startswith("Ann changed the labels at ")
    assert "yours at 0:00.26 is newer and replaced that" in notice.text
    assert kept(ben) == {Interval(10, 25)}
    assert {Interval(8, 20)} in [set(one.intervals) for one in ben.workspace.label_history(ben.session_id)]


def test_names_in_notices(ann: Browser) -> None:
    """Without names it is the other tab; what was done by a button or a command is called by its source."""
    other = Browser(ann.workspace, ann.session_id, "tab2", "Ann")
    other.edit(add=[A])
    other.deliver()
    ann.edit(add=[B])
    notice = ann.deliver()
    assert notice is not None
    assert notice.text.startswith("Another tab changed the labels at ")
    ann.show()
    ann.workspace.save_labels(ann.session_id, [A], "park.xml")
    ann.edit(add=[C])
    notice = ann.deliver()
    assert notice is not None
    assert notice.text.endswith(" (park.xml); both changes are kept.")


def test_another_tabs_edit_is_seen(ann: Browser) -> None:
    ben = Browser(ann.workspace, ann.session_id, "tab2", "Ben")
    assert not editor.newer(ann.workspace, ann.session_id, "", ann.tab)
    ben.edit(add=[B])
    ben.deliver()
    assert editor.newer(ann.workspace, ann.session_id, "", ann.tab)
    ann.show()
    assert (ann.items, ann.tab.external) == ({B}, 1)
    assert not editor.newer(ann.workspace, ann.session_id, "", ann.tab)


def test_a_restarted_server_takes_the_last_edit_again(ann: Browser) -> None:
    """It was saved before; others have worked on since, and that must stay."""
    ann.edit(add=[A, B])
    ann.deliver()
    ann.restart()
    ben = Browser(ann.workspace, ann.session_id, "tab2", "Ben")
    ben.edit(remove=[A])
    ben.deliver()
    assert ann.deliver() is None or kept(ann) == {B}
    assert kept(ann) == {B}
    ann.show()
    assert ann.items == {B}


def test_a_restarted_server_takes_an_edit_that_had_not_arrived(ann: Browser) -> None:
    ann.edit(add=[A])
    ann.deliver()
    ann.show()
    ann.edit(add=[B])
    ann.restart()
    ann.deliver()
    assert kept(ann) == {A, B}


def test_a_workbench_that_was_mounted_anew_counts_from_one(ann: Browser) -> None:
    """After a change of page; the old one's numbers must not swallow its first edits."""
    for number in range(3):
        ann.edit(add=[Interval(30 * number, 30 * number + 9)])
        ann.deliver()
    tab = ann.tab
    again = Browser(ann.workspace, ann.session_id, "mount2")
    again.tab = tab
    again.show()
    assert len(again.items) == 3
    again.edit(add=[D])
    again.deliver()
    assert len(kept(again)) == 4
    assert editor.document(ann.workspace, ann.session_id, "", tab).ack == ("mount2", 1)


def test_layers_are_apart(ann: Browser) -> None:
    edit = {"editor": "x", "seq": 1, "base": 0, "items": [[1, 2, "trick"]]}
    editor.take_edit(ann.workspace, ann.session_id, "Ben", Tab(), edit, "Ben", PTS_S)
    assert kept(ann) == set()
    assert editor.document(ann.workspace, ann.session_id, "Ben", Tab()).items == (Interval(1, 2),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"items": [[5, 3, "trick"]]}, "at frame 5 the interval ends (frame 3) before it starts"),
        ({"items": [[5, N_FRAMES, "trick"]]}, "an interval ends at frame 714, and the video's last is 713"),
        ({"items": [[-1, 3, "trick"]]}, "'-1' is no number of a frame"),
        ({"items": [[1, 3, "  "]]}, "the label is empty"),
        ({"items": [[1, 3, "a\u0000b"]]}, "holds a character that is no text"),
        ({"items": [[1, 3, 5]]}, "an interval is not first frame, last frame and label"),
        ({"items": [[1, 3]]}, "an interval is not"),
        ({"items": ["abc"]}, "an interval is not"),
        ({"items": [[1.5, 3, "trick"]]}, "'1.5' is no number of a frame"),
        ({"items": [[True, 3, "trick"]]}, "'True' is no number of a frame"),
        ({"items": [[None, 3, "trick"]]}, "'None' is no number of a frame"),
        ({"items": [[float("nan"), 3, "trick"]]}, "'nan' is no number of a frame"),
        ({"items": [[0, 10**400, "trick"]]}, "is no number of a frame"),
        ({"items": {"a": 1}}, "an edit that is not understood"),
        ({"items": [[1, 2, "trick"]] * 100_001}, "more than the 100000"),
        ({"editor": ""}, "an edit that is not understood"),
        ({"editor": 5}, "an edit that is not understood"),
        ({"seq": "1"}, "'1' is no number of a frame"),
        ({"base": None}, "'None' is no number of a frame"),
        ({"base": -1}, "'-1' is no number of a frame"),
    ],
)
def test_nonsense_from_the_browser(ann: Browser, changes: dict[str, Any], said: str) -> None:
    """One sentence; what was saved stays, and the edit may be sent again once it is mended."""
    ann.edit(add=[A])
    ann.deliver()
    ann.show()
    ann.edit(add=[B])
    good = ann.sent
    ann.sent = good | changes
    with pytest.raises(UserError) as caught:
        ann.deliver()
    assert said in str(caught.value)
    assert kept(ann) == {A}
    ann.sent = good
    ann.deliver()
    assert kept(ann) == {A, B}


def test_a_workspace_that_was_made_anew(ann: Browser) -> None:
    """The browser still has labels that nobody else has any more: they are all added."""
    ben = Browser(ann.workspace, ann.session_id, "tab2", "Ben")
    ben.edit(add=[A])
    ben.deliver()
    ann.items, ann.base = {B}, 7
    ann.edit(add=[C])
    ann.deliver()
    assert kept(ann) == {A, B, C}


def test_whole_numbers_as_javascript_writes_them(ann: Browser) -> None:
    ann.edit()
    ann.sent["items"] = [[247.0, 272.0, " kickflip "]]
    ann.deliver()
    assert kept(ann) == {Interval(247, 272, "kickflip")}


def test_buttons_change_all_labels(ann: Browser) -> None:
    """Taking over the found tricks is a revision like any other, and leaves what was labelled alone."""
    ann.edit(add=[A, Interval(60, 70, "grind")])
    ann.deliver()
    found = [Event(15, 30, "trick", 0.9), Event(65, 80, "trick", 0.5), Event(100, 120, "trick", 0.8)]
    where = (ann.workspace, ann.session_id, "", ann.tab)
    saved = editor.change(*where, lambda labels: editor.taken_over(labels, found), "found", "Ann")
    assert saved is not None
    assert saved.source == "found"
    assert kept(ann) == {A, Interval(60, 70, "grind"), C}
    assert editor.change(*where, lambda labels: editor.taken_over(labels, found), "found", "Ann") is None
    ann.show()
    assert (ann.items, ann.tab.external) == (kept(ann), 2), "the browser takes it over"


def test_adding_leaves_what_is_there() -> None:
    more = [Interval(5, 15), Interval(15, 25, "grind"), Interval(21, 30)]
    assert editor.added([A], more) == [A, Interval(15, 25, "grind"), Interval(21, 30)]
    assert editor.relabelled([A, Interval(1, 2, "x")], "trick", "ollie") == [
        Interval(10, 20, "ollie"),
        Interval(1, 2, "x"),
    ]


def test_a_change_at_the_same_moment_is_changed_as_well(ann: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody saves between reading and writing."""
    save = ann.workspace.save_labels
    others = iter([[A], [A, B]])

    def late(*arguments: Any) -> Any:
        if labels := next(others, None):
            save(ann.session_id, labels, "editor", "Ben")
        return save(*arguments)

    monkeypatch.setattr(ann.workspace, "save_labels", late)
    ann.edit(add=[C])
    notice = ann.deliver()
    monkeypatch.undo()
    assert kept(ann) == {A, B, C}
    assert notice is not None
    assert notice.text.startswith("Ben changed the labels")


MOVES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["add", "remove", "deliver", "deliver", "show", "show", "restart"]),
        st.integers(0, 11),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_whatever_happens_nothing_is_lost(tmp_path: Path, moves: list[tuple[int, str, int]]) -> None:
    """Two tabs, lost messages, late pages, restarts: in the end all see the same, and what was added and never removed
    is there."""
    slots = [Interval(50 * n, 50 * n + 20) for n in range(12)]
    video = tmp_path / "park.mp4"
    video.write_bytes(repr(moves).encode())
    with Workspace.open(tmp_path / "home") as workspace:
        session = workspace.session_for(video)
        tabs = [Browser(workspace, session.id, f"tab{n}", f"author {n}") for n in range(2)]
        added: set[Interval] = set()
        removed: set[Interval] = set()
        for who, move, slot in moves:
            tab = tabs[who]
            if move == "add":
                added.add(slots[slot])
                tab.edit(add=[slots[slot]])
            elif move == "remove" and slots[slot] in tab.items:
                removed.add(slots[slot])
                tab.edit(remove=[slots[slot]])
            elif move == "deliver":
                tab.deliver()
            elif move == "show":
                tab.show()
            elif move == "restart":
                tab.restart()
        for _ in range(2):
            for tab in tabs:
                tab.deliver()
                tab.show()
        assert tabs[0].items == tabs[1].items == kept(tabs[0])
        assert added - removed <= kept(tabs[0]) <= added
        for tab in tabs:
            assert tab.deliver() is None, "all is taken"
            assert tab.base == tab.tab.shown


def test_edits_that_arrive_in_two_threads_at_once_end_with_the_last(workspace: Workspace, session_id: str) -> None:
    """Streamlit calls back in a thread for each: a list that is overtaken must not come back."""
    for turn in range(20):
        tab = Tab()
        editor.document(workspace, session_id, "", tab)
        base = tab.shown
        lists = [Interval(10 * n, 10 * n + 3 + turn) for n in range(1, 6)]
        sent = [
            {
                "editor": f"tab {turn}",
                "seq": seq,
                "base": base,
                "items": [[one.start_frame, one.end_frame, one.label]],
            }
            for seq, one in enumerate(lists, 1)
        ]
        with ThreadPoolExecutor(5) as pool:
            for edit in sent:
                pool.submit(editor.take_edit, workspace, session_id, "", tab, edit, None, PTS_S)
        newest = workspace.labels(session_id)
        assert newest
        assert lists[-1] in newest.intervals
        assert tab.taken[f"tab {turn}"] == 5
        workspace.save_labels(session_id, [], "emptied")
