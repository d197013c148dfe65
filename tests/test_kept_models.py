"""A model that one person trains is everybody's, and what they get is whole."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, select, text, update

from core.database import LAYOUT
from core.errors import UserError
from core.records import model_file_table, model_table, version_table
from core.workspace import Workspace

BUNDLE = bytes(range(256)) * 1200


@pytest.fixture
def ann(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    if database == "sqlite":  # shared as a server is
        monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{tmp_path}/shared.db")
    with Workspace.open(tmp_path / "ann") as opened:
        yield opened


@pytest.fixture
def bo(ann: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """On another machine, with the same records."""
    with Workspace.open(tmp_path / "bo") as opened:
        yield opened


def test_a_model_comes_to_whoever_uses_it(ann: Workspace, bo: Workspace) -> None:
    made = ann.add_model(BUNDLE, "ledges", {"ap": 0.9})
    (listed,) = bo.models()
    assert (listed.id, listed.name, listed.meta) == (made.id, "ledges", {"ap": 0.9})
    assert not listed.path.exists()  # a list of many models fetches none of them
    assert bo.model("ledges").path == listed.path == bo.home / "models" / made.path.name
    assert listed.path.read_bytes() == BUNDLE
    made.path.unlink()
    assert ann.model(made.id).path.read_bytes() == BUNDLE


def test_a_model_damaged_on_the_way_is_not_kept(ann: Workspace, bo: Workspace) -> None:
    made = ann.add_model(BUNDLE, "ledges", {})
    with ann.database.transaction() as db:
        db.execute(update(model_file_table).values(content=BUNDLE[:-1]))
    with pytest.raises(
        UserError, match=rf"ledges is damaged in the records; copy {made.path.name} from .* to {bo.home}"
    ):
        bo.model("ledges")
    assert not (bo.home / "models").exists()
    assert ann.model("ledges").path.read_bytes() == BUNDLE


def test_a_model_that_finds_no_room_leaves_nothing(ann: Workspace, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.add_model(BUNDLE, "ledges", {})
    with Workspace.open(disk / "bo") as bo, pytest.raises(UserError, match="disk is full"):
        bo.model("ledges")
    assert list((disk / "bo" / "models").iterdir()) == []


def test_a_model_too_large_for_the_records_stays_a_file(
    ann: Workspace, bo: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.kept_models.LARGEST", 1 << 20)
    made = ann.add_model(bytes((1 << 20) + 1), "large", {})
    just = ann.add_model(bytes(1 << 20), "just", {})
    assert ann.model("large") == made
    assert bo.model("just").path.stat().st_size == just.path.stat().st_size
    with pytest.raises(
        UserError, match=rf"larger than 1 MB and does not travel.* copy {made.path.name} from the folder"
    ):
        bo.model("large")
    (bo.home / "models" / made.path.name).write_bytes(made.path.read_bytes())
    assert bo.model("large").id == made.id


def test_models_from_before_their_files_travelled_do_so_now(ann: Workspace, bo: Workspace) -> None:
    here, lost = ann.add_model(BUNDLE, "here", {}), ann.add_model(BUNDLE, "lost", {})
    lost.path.unlink()
    ann.database.close()
    engine = create_engine(os.environ["TRICKLINE_DB"])
    with engine.begin() as db:
        db.execute(text("DROP TABLE model_files"))
        db.execute(update(version_table).values(version_num="0002"))
    engine.dispose()
    sentence = r"is gone; .* open the Train page there once"
    with Workspace.open(bo.home) as updated, pytest.raises(UserError, match=sentence):
        updated.model("here")
    with Workspace.open(ann.home) as updated:
        assert [model.name for model in updated.models()] == ["lost", "here"]
        with updated.database.transaction() as db:
            assert list(db.execute(select(model_file_table.c.model_id)).scalars()) == [here.id]
            assert db.execute(select(version_table)).scalar_one() == LAYOUT
    assert bo.model("here").path.read_bytes() == BUNDLE


def test_a_file_that_cannot_be_handed_in_hides_no_model(ann: Workspace, tmp_path: Path) -> None:
    made = ann.add_model(BUNDLE, "ledges", {})
    with ann.database.transaction() as db:
        db.execute(delete(model_file_table))
    made.path.unlink()
    made.path.symlink_to("/proc/self/mem")  # a file that may be opened and not read
    assert [model.id for model in ann.models()] == [made.id]


def test_locked_records_hold_up_a_list_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not once for every model that an older version has left in the folder."""
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setattr("core.database.LOCK_WAIT_S", 1)
    with Workspace.open(tmp_path / "old") as old, closing(sqlite3.connect(tmp_path / "old" / "trickline.db")) as other:
        for name in ("ledges", "rails", "gaps"):
            old.add_model(BUNDLE, name, {})
        other.execute("DELETE FROM model_files")
        other.commit()
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert len(old.models()) == 3
        assert time.monotonic() - began < 2


def test_shared_records_name_no_file_outside_the_folder(ann: Workspace, bo: Workspace) -> None:
    """Else whoever writes them could read or overwrite any file of the others."""
    secret = bo.home / "secret.txt"
    secret.write_text("mine")
    made = ann.add_model(BUNDLE, "ledges", {})
    with ann.database.transaction() as db:
        db.execute(update(model_table).values(file="../secret.txt"))
    assert bo.model(made.id).path == bo.home / "models" / "secret.txt"
    with ann.database.transaction() as db:
        db.execute(delete(model_file_table))
        db.execute(update(model_table).values(file=str(secret)))
    (bo.home / "models" / "secret.txt").unlink()
    bo.models()
    assert secret.read_text() == "mine"
    with ann.database.transaction() as db:
        assert db.execute(select(model_file_table)).all() == []
