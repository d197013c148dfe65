"""The Train view of the recognize page: data, knobs, trainings that end in one way or another, and the shelf."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from core import jobs
from core.jobs import Job
from core.recognize import shelf
from core.recognize.networks import NAMES, architecture
from core.records import job_table
from core.settings import LearnSettings
from core.tasks import CLIPS_CHANGED
from core.workspace import Workspace
from pages.widgets import recognize_charts, recognize_data
from pages.widgets.recognize_method import PUBLISHED_LOOKS
from tests.moments import frames_of, write_clip
from tests.test_page_recognize import components, empty, page, sound, words  # noqa: F401  (a fixture)
from tests.test_recognize_shelf import light


def clips_of(folder: Path, counts: dict[str, int]) -> Path:
    """So many clips of each name, every one a source of its own."""
    for label, many in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(many):
            write_clip(folder / label / f"{label}{number}.mp4", frames_of("left", number, 3))
    return folder


def train_page(folder: Path | None = None, **state: Any) -> AppTest:
    disk = {"recognize_source_kept": "A folder or file", "recognize_path_kept": str(folder)} if folder else {}
    return page("Train", **disk, **state)


def ended(workspace: Workspace, state: str, message: str | None = None, **arguments: Any) -> Job:
    """A training that ended so."""
    asked = {"data": None, "settings": {"arch": "tsn"}, "name": "Park", "folder": shelf.reserve(workspace).name}
    job = jobs.submit(workspace, "learn", {**asked, **arguments}, start=False)
    with workspace.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == job.id).values(state=state, message=message))
    return jobs.job(workspace, job.id)


# Data


def test_the_parts_of_a_network_s_clips_are_told_before_it_is_trained(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    folder = clips_of(tmp_path / "clips", {"left": 10, "right": 10})
    said = words(train_page(folder))
    assert "Each source is left out once to judge it by; then it is trained on all 20." in said
    said = words(train_page(folder, recognize_arch_kept="r2plus1d"))
    # 70, 20 and 10 % of twenty clips, each its own source
    assert [f"{number} clips of {number} sources" in said for number in (14, 4, 2)] == [True] * 3
    assert "Judged by" in said


def test_names_with_a_single_clip_are_left_out_where_that_is_asked_for(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    folder = clips_of(tmp_path / "clips", {"left": 2, "right": 2, "up": 1})
    app = train_page(folder)
    assert "These classes cannot be learnt, for they have a single clip: up" in words(app).replace("\\", "")
    app.checkbox(key="recognize_drop_rare").check()
    app = sound(app)
    assert "Left out, for they have a single clip: up." in words(app).replace("\\", "")
    app.button(key="recognize_train").click()
    sound(app)
    (job,) = jobs.jobs(empty)
    assert job.arguments["settings"]["drop_rare"] is True


def test_an_export_of_label_studio_finds_its_videos_elsewhere(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "export").mkdir()
    (tmp_path / "footage").mkdir()
    tasks = []
    for number, label in enumerate(("hit", "miss")):
        write_clip(tmp_path / "footage" / f"fight{number}.mp4", frames_of("left", number, 20))
        value = {"ranges": [{"start": 3, "end": 16}], "timelinelabels": [label]}
        region = {"type": "timelinelabels", "value": value, "from_name": "l", "to_name": "v", "id": "1"}
        done = [{"id": 1, "result": [region]}]
        tasks.append({"id": number, "data": {"video": f"/data/fight{number}.mp4"}, "annotations": done})
    export = tmp_path / "export" / "project.json"
    export.write_text(json.dumps(tasks))
    app = train_page(export)
    assert "no labelled moment of a video" in words(app).replace("\\", "")  # and the page lets one say where they are
    app.text_input(key="recognize_footage").set_value(str(tmp_path / "footage"))
    app = sound(app)
    assert "2 clips · 2 names · 2 sources" in words(app)
    app.number_input(key="recognize_moment_frames").set_value(5)
    app = sound(app)
    (shown,) = components(app, "clips")
    assert [round(25 * (clip["to_s"] - clip["from_s"])) for clip in shown["clips"]] == [5, 5]
    app.button(key="recognize_train").click()
    sound(app)
    (job,) = jobs.jobs(empty)
    assert {name: job.arguments[name] for name in ("data", "footage", "moment_frames")} == {
        "data": str(export), "footage": str(tmp_path / "footage"), "moment_frames": 5,
    }  # fmt: skip


def test_a_clip_that_is_added_to_a_folder_is_seen_at_once(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    folder = clips_of(tmp_path / "clips", {"left": 2, "right": 2})
    app = train_page(folder)
    assert "4 clips" in words(app)
    write_clip(folder / "right" / "another.mp4", frames_of("right", 9, 3))
    assert "5 clips" in words(sound(app))


@pytest.mark.parametrize("name", ["tricks.csv", "clips.csv"])
def test_a_table_that_is_written_anew_is_seen_at_once(empty: Workspace, tmp_path: Path, name: str) -> None:  # noqa: F811
    """An editor writes into the file that is there: its folder does not change. Only the table that counts does."""
    folder = clips_of(tmp_path / "clips", {"left": 2, "right": 2})
    paths = [f"{label}/{label}{number}.mp4" for label in ("left", "right") for number in range(2)]
    table = folder / "clips.csv"
    table.write_text("\n".join(["path,label", *(f"{path},ollie" for path in paths)]))
    app = train_page(folder)
    assert "4 clips · 1 name" in words(app)
    stamp = folder.stat()
    content = "\n".join(["path,label", *(f"{path},trick{number}" for number, path in enumerate(paths))])
    (folder / name).write_text(content)
    os.utime(folder, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert ("4 clips · 4 names" in words(sound(app))) == (name == "clips.csv")


def test_lists_and_folders_further_down_are_seen_at_once(tmp_path: Path) -> None:
    (tmp_path / "annotations" / "deep").mkdir(parents=True)
    lists = tmp_path / "annotations" / "Diving48_V2_train.json"
    lists.write_text("[]")
    stamps = [recognize_data._stamp(tmp_path)]
    stamps.append(recognize_data._stamp(tmp_path))
    assert stamps[0] == stamps[1]
    lists.write_text("[1]")
    stamps.append(recognize_data._stamp(tmp_path))
    (tmp_path / "annotations" / "deep" / "new.mp4").touch()
    stamps.append(recognize_data._stamp(tmp_path))
    lists.write_text("[2]")
    os.utime(lists, ns=(0, 0))  # an older copy was put back
    stamps.append(recognize_data._stamp(tmp_path))
    assert len(set(stamps[1:])) == 4


def test_a_path_that_may_not_be_looked_at_is_said(empty: Workspace) -> None:  # noqa: F811
    """As below a folder that may not be entered, the system refuses to say what there is; the page stays usable."""
    long = Path("/tmp") / ("x" * 300)
    app = train_page(long)
    assert "cannot be looked at" in words(app)
    app.text_input(key="recognize_path").set_value("")
    assert "cannot be looked at" not in words(sound(app))


def test_weights_that_may_not_be_looked_at_are_said(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    folder = clips_of(tmp_path / "clips", {"left": 2, "right": 2})
    there = {"recognize_weights_kept": "A file", "recognize_weights_path_kept": f"/tmp/{'x' * 300}"}
    app = train_page(folder, recognize_arch_kept="tsn", **there)
    assert "cannot be looked at" in words(app)
    assert app.button(key="recognize_train").disabled


def test_a_folder_of_videos_that_may_not_be_looked_at_is_said(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    export = tmp_path / "project.json"
    export.write_text(json.dumps([{"id": 1, "data": {"video": "/data/a.mp4"}, "annotations": []}]))
    app = train_page(export, recognize_footage_kept=f"/tmp/{'x' * 300}")
    assert "cannot be looked at" in words(app)


def test_a_name_from_one_source_alone_is_told_as_the_training_will(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    """A network has to be judged by other footage than it learnt from; the light one makes do."""
    folder = clips_of(tmp_path / "clips", {"left": 6, "right": 6, "up": 3})
    rows = [f"{label}/{label}{number}.mp4,{label}," for label in ("left", "right") for number in range(6)]
    rows += [f"up/up{number}.mp4,up,park" for number in range(3)]
    (folder / "clips.csv").write_text("\n".join(["path,label,source", *rows]))
    app = train_page(folder, recognize_arch_kept="tsn")
    assert "for they come from one source alone: up" in words(app).replace("\\", "")
    app.checkbox(key="recognize_drop_rare").check()
    said = words(sound(app)).replace("\\", "")
    assert "Left out, for they come from one source alone: up." in said
    parted = re.findall(r"(\d+) clips? of (\d+) sources?", said)
    assert sum(int(clips) for clips, _ in parted) == 12
    light = words(train_page(folder))
    assert "one source alone" not in light
    assert "then it is trained on all 13." in light


def test_a_single_clip_of_one_of_two_names_is_told(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    """It cannot be left out: one name would remain."""
    app = train_page(clips_of(tmp_path / "clips", {"left": 2, "right": 1}))
    app.checkbox(key="recognize_drop_rare").check()
    assert "Of right there is a single clip, too few to be learnt and judged" in words(sound(app))


def test_the_sources_that_are_left_out_are_those_that_are_learnt_from(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    folder = clips_of(tmp_path / "clips", {"left": 16, "right": 14, "up": 1})
    app = train_page(folder)
    app.checkbox(key="recognize_drop_rare").check()
    said = words(sound(app)).replace("\\", "")
    assert "Left out, for they have a single clip: up." in said
    # 31 sources would be left out by tenths
    assert "Each source is left out once to judge it by; then it is trained on all 30." in said


def test_bars_of_parts_stand_behind_each_other() -> None:
    whole = recognize_charts.balance({"Clips": {"left": 3}}).to_dict()
    parted = recognize_charts.balance({"Learnt from": {"left": 2}, "Judged by": {"left": 1}}).to_dict()
    assert "legend" in whole["encoding"]["color"]
    assert whole["encoding"]["color"]["legend"] is None
    assert parted["encoding"]["color"]["scale"]["domain"] == ["Learnt from", "Judged by"]
    assert parted["height"] > whole["height"]


# Knobs


def test_knobs_of_a_network_reach_the_training_and_stay_on_the_page(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    app = train_page(clips_of(tmp_path / "clips", {"left": 2, "right": 2}))
    assert [one.key for one in app.number_input] == ["recognize_seed"]  # the light one asks for nothing else
    app.selectbox(key="recognize_arch").set_value("tsn")
    app = sound(app)
    assert all(one.help for one in app.number_input)
    turned = {
        "lr": 3e-4, "frames": 4, "size": 96, "patience": 3, "batch": 2, "epochs": 5, "rare_below": 0, "rotate": 5.0,
        "shift": 0.2, "colour": 0.0,
    }  # fmt: skip
    for name, value in turned.items():
        app.number_input(key=f"recognize_{name}").set_value(value)
    app.checkbox(key="recognize_flip").check()
    app.selectbox(key="recognize_precision").set_value("32-true")
    app = sound(app)
    app.session_state["recognize_view_kept"] = "Report"
    app = sound(app)
    app.session_state["recognize_view_kept"] = "Train"
    app = sound(app)
    app.button(key="recognize_train").click()
    sound(app)
    (job,) = jobs.jobs(empty)
    settings = LearnSettings.model_validate(job.arguments["settings"])
    assert settings == LearnSettings.model_validate(
        {
            "arch": "tsn", "lr": 3e-4, "frames": 4, "size": 96, "patience": 3, "batch": 2, "epochs": 5,
            "precision": "32-true",
            "augment": {"rare_below": 0, "rotate_deg": 5.0, "shift": 0.2, "colour": 0.0, "flip": True},
        }
    )  # fmt: skip


def test_knobs_that_nobody_turned_are_the_defaults(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    app = train_page(clips_of(tmp_path / "clips", {"left": 2, "right": 2}), recognize_arch_kept="r2plus1d")
    app.button(key="recognize_train").click()
    sound(app)
    (job,) = jobs.jobs(empty)
    assert LearnSettings.model_validate(job.arguments["settings"]) == LearnSettings(arch="r2plus1d")


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_calls_published_is(name: Any) -> None:
    kind = architecture(name)
    assert PUBLISHED_LOOKS[kind.name] == (kind.frames, kind.size)


# How a training ends


def test_a_failed_training_says_why_and_begins_anew_elsewhere(empty: Workspace) -> None:  # noqa: F811
    failed = ended(empty, "failed", "clip.mp4 cannot be read: check that it plays.")
    app = train_page()
    assert "clip.mp4 cannot be read: check that it plays." in words(app)
    assert app.button(key="recognize_carry_on")
    app.button(key="recognize_anew").click()
    sound(app)
    newest = jobs.jobs(empty)[0]
    assert {**newest.arguments, "folder": ""} == {**failed.arguments, "folder": ""}
    assert newest.arguments["folder"] != failed.arguments["folder"]
    assert shelf.folder_of(empty, newest.arguments["folder"]).is_dir()


def test_a_training_whose_clips_have_changed_is_not_carried_on(empty: Workspace) -> None:  # noqa: F811
    ended(empty, "failed", CLIPS_CHANGED)
    app = train_page()
    assert "train anew" in words(app)
    assert [one.key for one in app.button if one.key in ("recognize_carry_on", "recognize_anew")] == ["recognize_anew"]


def test_who_comes_back_later_finds_the_training_and_what_it_said(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    kept = shelf.add(empty, light(tmp_path / "trained"), "Park")
    job = ended(empty, "done", folder=kept.id)
    with empty.database.transaction() as db:
        result = {"recognizer": kept.id, "notes": ["Left out, for they have a single clip: grind."]}
        db.execute(update(job_table).where(job_table.c.id == job.id).values(result=result))
    app = train_page()
    assert "See how good it is" in [one.label for one in app.button]
    assert "Left out, for they have a single clip: grind." in words(app)
    shelf.remove(empty, kept.id)
    assert "See how good it is" not in [one.label for one in sound(app).button]


def test_a_running_training_is_not_begun_twice(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    ended(empty, "running")
    app = train_page(clips_of(tmp_path / "clips", {"left": 2, "right": 2}))
    assert app.button(key="recognize_train").disabled
    assert "It goes on when this page is closed." in words(app)


def test_the_trainings_of_another_machine_are_its_own(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    """Where machines share the records: its training hides none of here, and its folder is not here to carry on in."""
    stopped = ended(empty, "failed", "clip.mp4 cannot be read.", name="Mine")
    for state in ("failed", "running"):
        other = ended(empty, state, "gone.mp4 cannot be read.", name="Theirs", data=f"/there/{state}")
        with empty.database.transaction() as db:
            db.execute(update(job_table).where(job_table.c.id == other.id).values(home="elsewhere", host="other"))
    app = train_page(clips_of(tmp_path / "clips", {"left": 2, "right": 2}))
    assert not app.button(key="recognize_train").disabled
    assert "Mine" in words(app)
    assert "Theirs" not in words(app)
    app.button(key="recognize_carry_on").click()
    sound(app)
    (newest,) = jobs.jobs(empty, limit=1)
    assert newest.arguments == stopped.arguments


def test_a_training_that_was_stopped_here_keeps_its_folder_whatever_others_do(
    empty: Workspace,  # noqa: F811
    tmp_path: Path,
) -> None:
    stopped = ended(empty, "cancelled")
    other = ended(empty, "done", name="Theirs", data="/there")
    with empty.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == other.id).values(home="elsewhere", host="other"))
    folder = shelf.folder_of(empty, stopped.arguments["folder"])
    os.utime(folder, (0, 0))  # it was stopped long ago
    app = train_page(clips_of(tmp_path / "clips", {"left": 2, "right": 2}))
    app.button(key="recognize_train").click()
    sound(app)
    assert folder.is_dir()


# The shelf


def test_a_recognizer_is_added_from_a_folder(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    light(tmp_path / "park tricks")
    app = train_page()
    app.text_input(key="recognize_add_folder").set_value(f'"{tmp_path / "park tricks"}"')
    app = sound(app)
    app.button(key="recognize_add").click()
    app = sound(app)
    (added,) = shelf.recognizers(empty)
    assert added.name == "park tricks"
    shutil.rmtree(tmp_path / "park tricks")
    app.text_input(key="recognize_add_folder").set_value(str(tmp_path / "park tricks"))
    app = sound(app)
    app.button(key="recognize_add").click()
    assert "is no recognizer" in words(sound(app)).replace("\\", "")


def test_two_recognizers_of_one_name_are_told_apart(empty: Workspace, tmp_path: Path) -> None:  # noqa: F811
    for _ in range(2):
        shelf.add(empty, light(tmp_path / "trained"), "Park")
    app = train_page()
    shown = [one.value for one in app.text if one.value.startswith("Park")]
    assert len(set(shown)) == 2
    assert set(page("Report").selectbox(key="recognize_picker").options) == set(shown)
