"""What a cluster makes of a session must be all that its pages show. (:mod:`tests.test_tasks` has the same for this
machine, :mod:`tests.test_cluster` short videos on Ray.)"""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core import getting_ready, thumbnails
from core.engine import Cancel, Done, More, Progress, Work
from core.engine.local import LocalEngine
from core.errors import UserError
from core.getting_ready import get_ready_on
from core.settings import PoseSettings, SessionSettings
from core.sighting import kept
from core.workspace import Workspace
from sample_data.make_session import Session
from tests import engines
from tests.shots import shots
from tests.test_tasks import Watching


class Failing(LocalEngine):
    """Other processes, of which the one with the first span fails."""

    def __init__(self, folder: Path) -> None:
        super().__init__(2)
        self._waits = {"began": str(folder / "began"), "ended": str(folder / "ended")}

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        def failing() -> Iterator[Work]:
            for work in works:
                if ", part " not in work.id:
                    yield work
                elif work.id.endswith(", part 0"):
                    yield replace(work, function=engines.refuse)
                else:
                    yield replace(work, function=engines.wait_for_the_end, arguments=self._waits)

        yield from super().run(failing(), more, progress, cancelled)


class Noting(LocalEngine):
    """Other processes, and what they were given to do."""

    def __init__(self) -> None:
        super().__init__(2)
        self.done: list[str] = []

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        for done in super().run(works, more, progress, cancelled):
            self.done.append(done.work.id)
            yield done


def test_a_long_video_is_looked_at_in_spans(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getting_ready, "_SHORTEST_S", 1.0)
    [video] = shots(session, tmp_path, 1, 9.0)  # 270 frames are two parts
    engine, report = Noting(), Watching()
    with Workspace.open(tmp_path / "ws") as workspace:
        record = workspace.session_for(video)
        workspace.save_settings(record.id, SessionSettings(pose=PoseSettings(backend="movenet", sample_stride=1)))
        assert get_ready_on(engine, workspace, record.id, report) == {"events": 1}
        assert sorted(engine.done) == [video.name] * 2 + [f"{video.name}, part {number}" for number in (0, 1)]
        seen = kept(workspace.session(record.id), workspace)
        assert seen
        assert seen.camera.n == 270
        assert thumbnails.read(thumbnails.thumbnails_path(workspace, record.id))
        assert thumbnails.poster_path(workspace, record.id).exists()
    assert report.steps == ["waiting for the cluster", "drawing thumbnails", "looking", "finding tricks"]


def test_a_span_that_fails_ends_the_others_before_the_cluster_is_left(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks Ray to stop them without a connection starts a cluster of his own."""
    monkeypatch.setattr(getting_ready, "_SHORTEST_S", 1.0)
    [video] = shots(session, tmp_path, 1, 9.0)
    with Workspace.open(tmp_path / "ws") as workspace:
        record = workspace.session_for(video)
        workspace.save_settings(record.id, SessionSettings(pose=PoseSettings(backend="movenet", sample_stride=1)))
        with pytest.raises(UserError, match="This file is no video") as raised:
            get_ready_on(Failing(tmp_path), workspace, record.id, Watching())
        assert multiprocessing.active_children() == []  # while somebody has the traceback in his hands
    assert raised.tb
