"""The workspace keeps what people made and finds what was computed, whatever else happens on the machine."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from core.atomic import atomic_path
from core.content import content_id
from core.database import Database
from core.errors import UserError
from core.intervals import Event, Interval
from core.kept_labels import StaleEdit
from core.kept_sessions import KeptSessions
from core.pose import SubjectChoice
from core.records import Session, label_table, model_file_table, session_table, settings_table
from core.settings import EventSettings, PoseSettings, SessionSettings
from core.workspace import Workspace

MIB = 1 << 20
KICKFLIP = Interval(247, 272, "kickflip")
OLLIE = Interval(40, 61, "ollie")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRICKLINE_HOME", raising=False)
    monkeypatch.delenv("TRICKLINE_DB", raising=False)


@pytest.fixture
def workspace(database: str, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "line at the ledge.mp4"
    path.write_bytes(b"frames" * 1000)
    return path


@pytest.fixture
def session(workspace: Workspace, video: Path) -> Session:
    return workspace.session_for(video)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here (it needs root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


# content_id


def test_a_copy_under_another_name_is_the_same_video(video: Path, tmp_path: Path) -> None:
    copy = tmp_path / "renamed.mov"
    shutil.copyfile(video, copy)
    assert content_id(copy) == content_id(video)
    assert len(content_id(video)) == 32


@pytest.mark.parametrize(
    ("size", "changed"),
    [
        pytest.param(1, 0, id="one byte"),
        pytest.param(3 * MIB, 3 * MIB // 2, id="middle of a small file"),
        pytest.param(6 * MIB, 4 * MIB + 1, id="largest that is read whole"),
        pytest.param(40 * MIB, 0, id="first byte of a large file"),
        pytest.param(40 * MIB, MIB + 5, id="first block of a large file"),
        pytest.param(40 * MIB, 39 * MIB - 1, id="last block of a large file"),
        pytest.param(40 * MIB, 40 * MIB - 1, id="last byte of a large file"),
    ],
)
def test_a_changed_byte_makes_another_video(tmp_path: Path, size: int, changed: int) -> None:
    """Else labels of one video would show on another."""
    path = tmp_path / "video.mp4"
    with path.open("wb") as file:
        file.truncate(size)
    before = content_id(path)
    with path.open("r+b") as file:
        file.seek(changed)
        file.write(b"x")
    assert content_id(path) != before


def test_another_length_makes_another_video(tmp_path: Path) -> None:
    """Only the size tells two large files of zeros apart: the samples are alike."""
    ids = set()
    for size in (40 * MIB, 40 * MIB + 1):
        with (tmp_path / "video.mp4").open("wb") as file:
            file.truncate(size)
        ids.add(content_id(tmp_path / "video.mp4"))
    assert len(ids) == 2


@pytest.mark.parametrize("name", ["absent.mp4", "folder", "file/below.mp4"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=name):
        content_id(tmp_path / name)


# artifacts


def test_settings_decide_where_a_result_lies(workspace: Workspace) -> None:
    """A result under other settings must never be taken for this one, and the same settings must find it again."""
    path = workspace.artifact("ab12", "pose", PoseSettings(sample_stride=2), "parquet")
    assert path.parent == workspace.home / "videos" / "ab12"
    assert path.name.startswith("pose-")
    assert path.suffix == ".parquet"
    assert path == workspace.artifact("ab12", "pose", PoseSettings(), ".parquet")
    others = [
        workspace.artifact("ab12", "pose", PoseSettings(sample_stride=3), "parquet"),
        workspace.artifact("ab12", "pose", PoseSettings(), "parquet", version=2),
        workspace.artifact("ab13", "pose", PoseSettings(), "parquet"),
        workspace.artifact("ab12", "metrics", PoseSettings(), "parquet"),
    ]
    assert len({path, *others}) == 5


def test_the_order_of_settings_does_not_matter(workspace: Workspace) -> None:
    one: dict[str, Any] = {"pose": PoseSettings(), "events": EventSettings(), "rate": Fraction(30000, 1001)}
    other = dict(reversed(one.items()))
    assert workspace.artifact("ab12", "run", one, "json") == workspace.artifact("ab12", "run", other, "json")


@pytest.mark.parametrize(("one", "other"), [(None, float("inf")), (1, 1.5), ("1", 1), (None, float("nan"))])
def test_settings_that_look_alike_are_told_apart(workspace: Workspace, one: object, other: object) -> None:
    paths = [workspace.artifact("ab12", "cut", {"limit": value}, "mp4") for value in (one, other)]
    assert paths[0] != paths[1]


def test_an_id_from_outside_cannot_leave_the_folder(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="content id"):
        workspace.artifact("../../etc", "pose", {}, "parquet")


# atomic_path


def test_a_file_appears_whole(tmp_path: Path) -> None:
    final = tmp_path / "new" / "folder" / "clip.mp4"
    with atomic_path(final) as temporary:
        assert temporary.parent == final.parent
        assert temporary.suffix == ".mp4"
        temporary.write_bytes(b"clip")
        assert not final.exists()
    assert final.read_bytes() == b"clip"
    assert list(final.parent.iterdir()) == [final]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_half_written_stays(tmp_path: Path, error: type[BaseException]) -> None:
    """A cancelled export must leave neither a broken clip nor harm the one of the last time."""
    final = tmp_path / "clip.mp4"
    final.write_bytes(b"old")

    def export() -> None:
        with atomic_path(final) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        export()
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    final = tmp_path / ("ü" * 120 + ".mp4")
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"clip")
    assert final.exists()


def test_a_block_that_writes_nothing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "clip.mp4"):
        pass


def test_an_error_of_another_file_is_not_blamed_on_the_folder(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic_path(tmp_path / "clip.mp4"):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "source.mp4"))


@pytest.mark.parametrize("final", ["file/clip.mp4", "file/deep/clip.mp4", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, final: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="Cannot write into the folder"), atomic_path(tmp_path / final) as temporary:
        temporary.write_bytes(b"clip")


@pytest.mark.parametrize("write", [shutil.copyfile, lambda source, to: to.write_bytes(source.read_bytes())])
def test_a_full_disk_is_said_in_words(small_disk: Path, tmp_path: Path, write: Callable[[Path, Path], object]) -> None:
    source = tmp_path / "large"
    source.write_bytes(bytes(2 * MIB))
    with pytest.raises(UserError, match="disk is full") as caught, atomic_path(small_disk / "clip.mp4") as temporary:
        write(source, temporary)
    assert str(small_disk) in str(caught.value)
    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk_is_said_in_words(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match="read-only"), atomic_path(small_disk / "clip.mp4") as temporary:
        temporary.write_bytes(b"clip")


# opening


def test_the_environment_chooses_folder_and_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Workspace.open() as workspace:
        assert workspace.home == tmp_path / "workspace"
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "team?disk #1"))
    with Workspace.open() as workspace:
        assert workspace.home == tmp_path / "team?disk #1"
    assert (tmp_path / "team?disk #1" / "trickline.db").is_file()
    monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{tmp_path}/shared.db")
    with Workspace.open(tmp_path / "third") as workspace:
        assert workspace.sessions() == []
    assert (tmp_path / "shared.db").is_file()
    assert not (tmp_path / "third" / "trickline.db").exists()


def test_a_workspace_lies_on_a_memory_card_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: Path) -> None:
    """exFAT, FAT and many network folders have no hard links."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with Workspace.open(tmp_path / "card") as workspace:
        workspace.session_for(video)
        name = workspace.home_id
    with Workspace.open(tmp_path / "card") as workspace:
        assert workspace.home_id == name


@pytest.mark.parametrize("left", [b"", b"\n", b"\0" * 17, b"0123456789abcde", b"\xff\xfe0123456789abcdef"])
def test_a_folder_whose_name_a_power_cut_took_gets_another(tmp_path: Path, left: bytes) -> None:
    """Two folders of the same name would do each other's jobs, and take each other's files for their own."""
    names = set()
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        (folder / "home.id").write_bytes(left)
        with Workspace.open(folder) as workspace, Workspace.open(folder) as again:
            assert workspace.home_id == again.home_id
            assert re.fullmatch("[0-9a-f]{16}", workspace.home_id)
            assert list(folder.glob("home.id*")) == [folder / "home.id"]
            names.add(workspace.home_id)
    assert len(names) == 2


def test_many_who_name_a_folder_at_once_agree(tmp_path: Path) -> None:
    """The studio, its worker and a command begin in a new folder."""
    many = [KeptSessions(tmp_path, Database("sqlite://")) for _ in range(8)]
    for _ in range(20):
        (tmp_path / "home.id").unlink(missing_ok=True)
        together = threading.Barrier(len(many))

        def name(one: KeptSessions, together: threading.Barrier = together) -> str:
            one.__dict__.pop("home_id", None)  # it is asked for once
            together.wait(60)
            return one.home_id

        with ThreadPoolExecutor(len(many)) as pool:
            assert len(set(pool.map(name, many))) == 1


@pytest.mark.usefixtures("database")
def test_what_was_kept_is_there_the_next_day(tmp_path: Path, video: Path) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        session = workspace.session_for(video, {"width": 640})
        saved = workspace.save_labels(session.id, [KICKFLIP], "editor")
    with Workspace.open(tmp_path / "home") as workspace:
        assert workspace.sessions() == [session]
        assert workspace.labels(session.id) == saved


@pytest.mark.parametrize("home", ["file", "file/below", "file/deep/below"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=f"{home}: a file stands where a folder is needed"):
        Workspace.open(tmp_path / home)


@pytest.mark.parametrize("before", ["nothing", "a workspace"])
def test_a_read_only_workspace_is_said_in_words(small_disk: Path, before: str, tmp_path: Path) -> None:
    if before == "a workspace":
        with Workspace.open(tmp_path / "made"):
            pass
        shutil.copyfile(tmp_path / "made" / "trickline.db", small_disk / "trickline.db")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match=r"Cannot use the database .*trickline\.db.*TRICKLINE_HOME"):
        Workspace.open(small_disk)


@pytest.mark.parametrize("damage", ["garbage", "cut short", "a folder", "another program's"])
def test_a_broken_database_is_named(tmp_path: Path, damage: str, video: Path) -> None:
    """It is left as it is, for someone to rescue what is in it."""
    with Workspace.open(tmp_path) as workspace:
        workspace.session_for(video)
    database = tmp_path / "trickline.db"
    if damage == "garbage":
        database.write_bytes(b"no database at all " * 1000)
    elif damage == "cut short":
        os.truncate(database, 6000)
    else:
        database.unlink()
        if damage == "a folder":
            database.mkdir()
        else:
            with closing(sqlite3.connect(database)) as other:
                other.execute("create table sessions (x)")
    before = None if database.is_dir() else database.read_bytes()
    with (
        pytest.raises(UserError, match=r"Cannot use the database .*trickline\.db") as caught,
        Workspace.open(tmp_path) as w,
    ):
        w.sessions()
    assert "\n" not in str(caught.value)
    assert before is None or damage == "another program's" or database.read_bytes() == before


@pytest.mark.parametrize("url", ["not a url", "nosuchdatabase://host/name", "postgresql+nosuchdriver://host/name"])
def test_a_wrong_database_url_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TRICKLINE_DB", url)
    with pytest.raises(UserError, match="TRICKLINE_DB names no database that can be opened"):
        Workspace.open(tmp_path)


def test_a_database_that_hangs_is_said_in_words(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.database.LOCK_WAIT_S", 0)
    with Workspace.open(tmp_path) as workspace, closing(sqlite3.connect(tmp_path / "trickline.db")) as other:
        other.execute("begin immediate")
        with pytest.raises(UserError, match="close the other program"):
            workspace.session_for(video)
        other.rollback()
        assert workspace.session_for(video).path == video


def test_a_full_disk_loses_no_labels(small_disk: Path, video: Path) -> None:
    with Workspace.open(small_disk) as workspace:
        session = workspace.session_for(video)
        saved = workspace.save_labels(session.id, [KICKFLIP], "editor")
        fill(small_disk)
        too_much = [Interval(frame, frame + 25, "kickflip") for frame in range(20_000)]
        with pytest.raises(UserError, match="free some space"):
            workspace.save_labels(session.id, too_much, "editor")
        (small_disk / "ballast").unlink()
        assert workspace.label_history(session.id) == [saved]
        assert workspace.save_labels(session.id, [OLLIE], "editor").revision == 2


# sessions


def test_a_moved_video_is_the_same_session(workspace: Workspace, video: Path, tmp_path: Path) -> None:
    first = workspace.session_for(video, {"width": 640, "rate": Fraction(30000, 1001), "n": np.int64(3)})
    assert first.name == "line at the ledge"
    assert first.path == video
    assert first.facts == {"width": 640, "rate": "30000/1001", "n": 3}
    moved = video.rename(tmp_path / "moved.mp4")
    second = workspace.session_for(moved)
    assert (second.id, second.name, second.facts, second.added_at) == (
        first.id,
        first.name,
        first.facts,
        first.added_at,
    )
    assert second.path == moved
    assert workspace.sessions() == [second]
    renamed = workspace.session_for(moved, {"width": 1280}, name="Ledge, best of")
    assert (renamed.name, renamed.facts) == ("Ledge, best of", {**first.facts, "width": 1280})
    assert workspace.session(first.id) == renamed


def test_sessions_come_newest_first(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
        workspace.session_for(tmp_path / name)
    workspace.session_for(tmp_path / "a")
    assert [session.name for session in workspace.sessions()] == ["c", "b", "a"]


def test_moments_come_back_in_utc(workspace: Workspace) -> None:
    """Else a team in two countries would see labels saved in the future."""
    with workspace.database.transaction() as db:
        noon = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=9)))
        db.execute(insert(session_table).values(id="ab", name="x", path="x", facts={}, added_at=noon))
    added_at = workspace.session("ab").added_at
    assert (added_at, added_at.tzinfo, added_at.hour) == (noon, UTC, 3)


def test_an_unknown_session_is_said_in_words(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no session ab12"):
        workspace.session("ab12")
    with pytest.raises(UserError, match="no session ab12"):
        workspace.save_labels("ab12", [KICKFLIP], "editor")


# labels


def test_labels_keep_their_history(workspace: Workspace, session: Session) -> None:
    assert workspace.labels(session.id) is None
    assert workspace.label_history(session.id) == []
    first = workspace.save_labels(session.id, [KICKFLIP, OLLIE], "cvat")
    second = workspace.save_labels(session.id, [], "editor", author="Ann")
    assert (first.revision, first.intervals, first.author) == (1, (OLLIE, KICKFLIP), None)
    assert (second.revision, second.intervals, second.author) == (2, (), "Ann")
    assert workspace.labels(session.id) == second
    assert workspace.label_history(session.id) == [second, first]


def test_labels_can_come_from_a_detector(workspace: Workspace, session: Session) -> None:
    found = Event(int(np.int64(3)), 9, "trick", confidence=0.8)
    assert workspace.save_labels(session.id, [found, KICKFLIP], "detector").intervals == (Interval(3, 9), KICKFLIP)


def test_restoring_adds_a_revision(workspace: Workspace, session: Session) -> None:
    """Undo must be undoable too."""
    first = workspace.save_labels(session.id, [KICKFLIP], "cvat")
    workspace.save_labels(session.id, [], "editor")
    restored = workspace.restore_labels(session.id, 1, author="Ann")
    assert restored.intervals == first.intervals
    assert (restored.revision, restored.source, restored.author) == (3, "revision 1", "Ann")
    assert len(workspace.label_history(session.id)) == 3
    with pytest.raises(UserError, match="no label revision 9"):
        workspace.restore_labels(session.id, 9)


@pytest.mark.parametrize("base", [0, 1])
def test_a_stale_edit_is_refused_loudly(workspace: Workspace, session: Session, base: int) -> None:
    """Two open tabs: the later save must not silently undo the earlier one."""
    for _ in range(base + 1):
        newest = workspace.save_labels(session.id, [KICKFLIP], "editor", author="Ann")
    with pytest.raises(StaleEdit, match="changed by Ann") as caught:
        workspace.save_labels(session.id, [OLLIE], "editor", base_revision=base)
    assert caught.value.newest == newest
    assert workspace.labels(session.id) == newest
    saved = workspace.save_labels(session.id, [OLLIE], "editor", base_revision=newest.revision)
    assert saved.revision == newest.revision + 1


def test_a_first_edit_may_say_that_there_was_none(workspace: Workspace, session: Session) -> None:
    assert workspace.save_labels(session.id, [KICKFLIP], "editor", base_revision=0).revision == 1


@pytest.mark.parametrize("base", [-1, 2])
def test_a_base_that_never_was_is_a_fault(workspace: Workspace, session: Session, base: int) -> None:
    workspace.save_labels(session.id, [KICKFLIP], "editor")
    with pytest.raises(ValueError, match="no label revision"):
        workspace.save_labels(session.id, [OLLIE], "editor", base_revision=base)


def test_a_stale_edit_is_seen_even_in_the_last_moment(
    workspace: Workspace, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tab saves between the look at the newest revision and the insert."""
    read = workspace.labels

    def read_then_lose_the_race(session_id: str, layer: str = "") -> object:
        newest = read(session_id)
        monkeypatch.undo()
        workspace.save_labels(session_id, [KICKFLIP], "other tab")
        return newest

    monkeypatch.setattr(workspace, "labels", read_then_lose_the_race)
    with pytest.raises(StaleEdit):
        workspace.save_labels(session.id, [OLLIE], "editor", base_revision=0)
    assert [revision.source for revision in workspace.label_history(session.id)] == ["other tab"]


def append_50(home: Path, video: Path, author: str, barrier: Barrier) -> None:
    barrier.wait(60)
    with Workspace.open(home) as workspace:
        session = workspace.session_for(video)
        for number in range(50):
            workspace.save_labels(session.id, [Interval(number, number)], "editor", author)


@pytest.mark.usefixtures("database")
def test_two_processes_lose_nothing(tmp_path: Path, video: Path) -> None:
    """Both also make the folder, the tables and the session, at the same time."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    writers = [
        spawn.Process(target=append_50, args=(tmp_path / "home", video, name, barrier)) for name in ("Ann", "Bo")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    with Workspace.open(tmp_path / "home") as workspace:
        [session] = workspace.sessions()
        history = workspace.label_history(session.id)
    assert [revision.revision for revision in history] == list(range(100, 0, -1))
    for author in ("Ann", "Bo"):
        mine = [revision.intervals[0].start_frame for revision in reversed(history) if revision.author == author]
        assert mine == list(range(50))


def test_a_revision_is_taken_once(workspace: Workspace, session: Session) -> None:
    """The rule that the two writers rely on stands in the database, and a label needs its session."""
    saved = workspace.save_labels(session.id, [KICKFLIP], "editor")
    with workspace.database.transaction() as db:
        row = dict(db.execute(select(label_table)).mappings().one())
    assert row["revision"] == saved.revision
    for broken in (row, {**row, "session_id": "none"}):
        with pytest.raises(IntegrityError), workspace.database.transaction() as db:
            db.execute(insert(label_table).values(broken))


# models


def test_models_are_kept_by_name_and_id(workspace: Workspace, tmp_path: Path) -> None:
    bundle = tmp_path / "trained.skops"
    bundle.write_bytes(b"first")
    first = workspace.add_model(bundle, "ledges", {"ap": 0.93, "recall": float("nan"), "events": np.int64(3)})
    bundle.unlink()
    second = workspace.add_model(b"second", "ledges", {})
    assert first.path.read_bytes() == b"first"
    assert first.path.suffix == second.path.suffix == ".skops"
    assert first.meta == {"ap": 0.93, "recall": None, "events": 3}
    assert workspace.models() == [second, first]
    assert workspace.model("ledges") == second
    assert workspace.model(first.id) == first


def test_a_missing_model_is_said_in_words(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model bowls .* none yet"):
        workspace.model("bowls")
    kept = workspace.add_model(b"model", "ledges", {})
    with pytest.raises(UserError, match=r"no model bowls .* ledges"):
        workspace.model("bowls")
    kept.path.unlink()
    with workspace.database.transaction() as db:
        db.execute(delete(model_file_table))
    with pytest.raises(UserError, match="is gone"):
        workspace.model("ledges")
    with pytest.raises(UserError, match=r"no file .*absent\.skops"):
        workspace.add_model(tmp_path / "absent.skops", "bowls", {})
    assert len(workspace.models()) == 1


def test_a_model_on_a_full_disk_leaves_no_record(small_disk: Path) -> None:
    with Workspace.open(small_disk) as workspace:
        with pytest.raises(UserError, match="disk is full"):
            workspace.add_model(bytes(2 * MIB), "ledges", {})
        assert workspace.models() == []
        assert list((small_disk / "models").iterdir()) == []


# layers, settings and removal


def test_a_second_annotator_has_labels_of_his_own(workspace: Workspace, session: Session) -> None:
    """His marks must not become the truth that a detector learns from."""
    workspace.save_labels(session.id, [KICKFLIP], "editor")
    workspace.save_labels(session.id, [OLLIE], "editor", author="Ann", layer="Ann")
    workspace.save_labels(session.id, [], "editor", author="Ann", layer="Ann", base_revision=1)
    truth, anns = workspace.labels(session.id), workspace.labels(session.id, "Ann")
    assert truth
    assert anns
    assert (truth.intervals, truth.revision, truth.layer) == ((KICKFLIP,), 1, "")
    assert (anns.intervals, anns.revision, anns.layer) == ((), 2, "Ann")
    assert workspace.layers(session.id) == ["", "Ann"]
    assert workspace.restore_labels(session.id, 1, layer="Ann").intervals == (OLLIE,)
    assert len(workspace.label_history(session.id)) == 1


def test_settings_of_another_version_give_the_defaults(workspace: Workspace, session: Session) -> None:
    assert workspace.settings(session.id) == SessionSettings()
    with workspace.database.transaction() as db:
        db.execute(insert(settings_table).values(session_id=session.id, settings={"knob of next year": 1}))
    assert workspace.settings(session.id) == SessionSettings()


def test_a_removed_session_leaves_nothing_but_its_video(workspace: Workspace, session: Session, video: Path) -> None:
    workspace.save_labels(session.id, [KICKFLIP], "editor")
    workspace.save_settings(session.id, SessionSettings())
    workspace.choose_subject(session.id, SubjectChoice(3, 0.5, 0.5))
    kept = workspace.artifact(session.id, "pose", {}, "parquet")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"poses")
    workspace.rename_session(session.id, "Ledge")
    assert workspace.session(session.id).name == "Ledge"
    workspace.remove_session(session.id)
    assert workspace.sessions() == []
    assert not kept.exists()
    assert video.exists()
    assert workspace.labels(workspace.session_for(video).id) is None  # come back, it begins anew
