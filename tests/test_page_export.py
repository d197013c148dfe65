"""The export side of the review page: what is chosen there is kept and said, and what was made is listed."""

from __future__ import annotations

import time
import wave
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from core import jobs, tasks
from core.errors import UserError
from core.jobs import Job
from core.records import job_table
from core.settings import DEFAULT_NAME, ClipSettings, ExportKind, ReelSettings, SessionSettings
from core.workspace import Workspace
from pages.widgets import music, review
from pages.widgets.exports import GROUPS
from pages.widgets.plain_text import escaped
from tests.test_page_review import again, events, page, words


class Silent:
    """A report that nobody reads."""

    def progress(self, *_: object) -> None: ...

    def cancelled(self) -> bool:
        return False


def settings(workspace: Workspace) -> SessionSettings:
    """Of the only session."""
    (session,) = workspace.sessions()
    return workspace.settings(session.id)


def chosen(workspace: Workspace, **changed: Any) -> None:
    (session,) = workspace.sessions()
    review.save(workspace, session.id, **changed)


def exported(app: AppTest, workspace: Workspace) -> Job:
    """Click the button; the job waits."""
    app.button(key="review_export").click()
    again(app)
    return jobs.jobs(workspace)[0]


def ended(workspace: Workspace, job: Job, **how: Any) -> None:
    with workspace.database.transaction() as db:
        values = {"finished_at": datetime.now(UTC), **how}
        db.execute(update(job_table).where(job_table.c.id == job.id).values(values))


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def links(app: AppTest) -> list[str]:
    return [element.proto.label for element in app.get("link_button")]


def sound(folder: Path) -> bytes:
    """A tenth of a second of silence."""
    path = folder / "song.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    return path.read_bytes()


# --- what is to be made


def test_every_kind_can_be_chosen() -> None:
    offered = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(offered) == sorted(get_args(ExportKind))


def test_chosen_kinds_are_kept_said_and_exported(studio_workspace: Workspace) -> None:
    app = page()
    assert app.checkbox(key="review_kind_clips").value
    app.checkbox(key="review_kind_edl").check()
    again(app)
    app.checkbox(key="review_kind_gif").check()
    again(app)
    assert settings(studio_workspace).kinds == ("clips", "gif", "edl")
    count = len(events(studio_workspace))
    assert f"{count} tricks · {count} GIFs · EDL · 0:" in words(app)
    # Another tab, or the same one after a reload.
    app = page()
    assert [kind for kind in get_args(ExportKind) if app.checkbox(key=f"review_kind_{kind}").value] == [
        "clips",
        "gif",
        "edl",
    ]
    assert exported(app, studio_workspace).arguments["settings"]["kinds"] == ["clips", "gif", "edl"]


def test_many_edit_lists_are_counted(studio_workspace: Workspace) -> None:
    chosen(studio_workspace, kinds=("clips", "otio", "edl", "csv", "llc"))
    assert "tricks · 4 edit lists · " in words(page())


def test_without_any_kind_there_is_nothing_to_click(studio_workspace: Workspace) -> None:
    app = page()
    app.checkbox(key="review_kind_clips").uncheck()
    again(app)
    assert settings(studio_workspace).kinds == ()
    assert app.button(key="review_export").disabled
    assert "Nothing is chosen" in words(app)


def test_names_show_an_example_and_a_bad_one_says_what_is_wrong(studio_workspace: Workspace) -> None:
    app = page()
    app.text_input(key="review_name").set_value("{start} {label}")
    again(app)
    assert settings(studio_workspace).name == "{start} {label}"
    assert escaped("Such as 0-") in words(app)
    app.text_input(key="review_name").set_value("../{index}")
    again(app)
    assert "cannot hold" in words(app)
    assert app.button(key="review_export").disabled
    app.text_input(key="review_name").set_value("  ")
    again(app)
    assert settings(studio_workspace).name == DEFAULT_NAME
    assert not app.button(key="review_export").disabled


# --- shape and cut


def test_a_crop_makes_fast_clips_exact_and_says_so(studio_workspace: Workspace) -> None:
    chosen(studio_workspace, clips=ClipSettings(mode="fast").model_dump())
    app = page()
    app.button_group(key="review_aspect").set_value("9:16")
    again(app)
    now = settings(studio_workspace)
    assert (now.framing.aspect, now.clips.mode) == ("9:16", "exact")
    assert app.radio(key="review_mode").disabled
    assert "A crop has to be encoded anew" in words(app)
    assert "9:16**" in words(app)
    assert exported(app, studio_workspace).arguments["settings"]["framing"]["aspect"] == "9:16"
    app.button_group(key="review_aspect").set_value("source")
    again(app)
    assert not app.radio(key="review_mode").disabled


def test_the_place_of_the_preview_has_the_shape_of_the_clip(studio_workspace: Workspace) -> None:
    assert "--width: 640; --height: 360;" in html(page())
    chosen(studio_workspace, framing={"aspect": "1:1"})
    assert "--width: 360; --height: 360;" in html(page())


def test_what_cannot_go_together_is_said_and_not_exported(studio_workspace: Workspace) -> None:
    """Another tab, the framing desk or the command line may leave a fast crop."""
    chosen(studio_workspace, framing={"aspect": "1:1"}, clips={"mode": "fast"})
    app = page()
    for _ in range(100):  # until the preview, which is the cropped clip all the same, was made
        if not any("Preparing the clip" in one.value for one in app.caption):
            break
        time.sleep(0.1)
        again(app)
    assert not app.exception
    assert "A fast clip is a copy and cannot be cropped" in words(app).replace("\\", "")
    assert app.button(key="review_export").disabled
    assert not app.radio(key="review_mode").disabled
    app.radio(key="review_mode").set_value("exact")
    assert not again(app).button(key="review_export").disabled


def test_the_stars_asked_for_count_at_once(studio_workspace: Workspace) -> None:
    """Nothing has five stars, so nothing is left to export; and with any number all of it is."""
    app = page()
    app.selectbox(key="review_min_stars").set_value(5)
    assert "Everything is left out" in words(again(app))
    assert app.button(key="review_export").disabled
    app.selectbox(key="review_min_stars").set_value(0)
    assert not again(app).button(key="review_export").disabled


def test_fast_clips_say_beforehand_how_early_they_begin(studio_workspace: Workspace) -> None:
    chosen(studio_workspace, clips={"mode": "fast", "merge_gap_s": 0.0})
    app = page()
    said = words(app)
    assert " clips begin up to " in said or " clips begins up to " in said
    (job,) = [exported(app, studio_workspace)]
    result = tasks.export(studio_workspace, job.arguments, Silent())
    early = [file["wanted_start_s"] - file["start_s"] for file in result["files"] if file["kind"] == "clips"]
    count = sum(some > 0.001 for some in early)
    assert f"{count} of {len(early)} clips" in said
    assert escaped(f"up to {max(early):.1f} s early") in said


# --- the reel


def test_the_reels_settings_are_kept(studio_workspace: Workspace) -> None:
    chosen(studio_workspace, kinds=("reel",))
    app = page()
    app.selectbox(key="review_reel_preset").set_value("short")
    again(app)
    app.radio(key="review_reel_order").set_value("stars")
    again(app)
    app.number_input(key="review_reel_target_s").set_value(45.0)
    again(app)
    app.text_input(key="review_reel_title").set_value(" <b>Sunday</b> ")
    again(app)
    app.checkbox(key="review_reel_captions").uncheck()
    again(app)
    app.checkbox(key="review_reel_replay").uncheck()
    again(app)
    app.radio(key="review_reel_transition").set_value("fade")
    again(app)
    wanted = ReelSettings(
        preset="short", order="stars", target_s=45, title="<b>Sunday</b>", captions=False, replay=False,
        transition="fade",
    )  # fmt: skip
    assert settings(studio_workspace).reel == wanted
    assert page().number_input(key="review_reel_target_s").value == 45
    assert exported(app, studio_workspace).arguments["settings"]["reel"] == wanted.model_dump(mode="json")


def test_music_is_kept_by_its_content_and_removed_again(studio_workspace: Workspace, tmp_path: Path) -> None:
    chosen(studio_workspace, kinds=("reel",))
    app = page()
    app.file_uploader(key="review_music_0").set_value(("../../song.wav", sound(tmp_path), "audio/wav"))
    again(app)
    kept = settings(studio_workspace).reel.music
    assert kept
    path = Path(kept)
    assert path.parent == studio_workspace.home / "music"
    assert path.stem.isalnum()
    assert path.read_bytes() == sound(tmp_path)
    assert "<audio" in html(app)
    app.button(key="review_music_remove").click()
    again(app)
    assert settings(studio_workspace).reel.music is None
    assert not path.exists()


def test_what_is_no_music_is_said_and_not_kept(studio_workspace: Workspace) -> None:
    chosen(studio_workspace, kinds=("reel",))
    app = page()
    app.file_uploader(key="review_music_0").set_value(("song.mp3", b"no sound at all", "audio/mpeg"))
    again(app)
    assert "cannot be played as music" in words(app)
    assert settings(studio_workspace).reel.music is None
    assert not list((studio_workspace.home / "music").glob("*"))
    with pytest.raises(UserError, match="cannot be played"):
        music.keep(studio_workspace, "song.exe", b"")


# --- what was made


def test_files_are_listed_by_kind_and_what_is_gone_is_not_offered(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    chosen(studio_workspace, kinds=("clips", "contact", "csv"))
    app = page()
    job = exported(app, studio_workspace)
    result = tasks.export(studio_workspace, job.arguments, Silent())
    ended(studio_workspace, job, state="done", result=result)
    said = words(again(app))
    paths = [Path(file["path"]) for file in result["files"]]
    assert {path.suffix for path in paths} >= {".mp4", ".jpg", ".csv"}
    assert all(path.name in said for path in paths)
    assert str(studio_workspace.home / "clips" / session.id) in said
    assert links(app).count("Download") == len(paths)
    assert "Download all (zip)" in links(app)
    assert "<video" in html(app)
    assert "<img" in html(app)
    clips = [path for path in paths if path.suffix == ".mp4"]
    app.button(key="review_watch_watch_1").click()
    again(app)
    assert words(app).count(clips[1].name) == 2  # in its line, and below the player
    clips[1].unlink()
    assert "1 file not there any more" in words(again(app))
    assert clips[1].name not in words(app)
    for path in paths:
        path.unlink(missing_ok=True)
    assert "not there any more: export again" in words(again(app))


def test_names_from_outside_are_shown_as_they_are(studio_workspace: Workspace, tmp_path: Path) -> None:
    app = page()
    job = exported(app, studio_workspace)
    hostile = tmp_path / '<img src=x onerror=alert(1)>".gif'
    hostile.write_bytes(b"GIF89a")
    file = {"kind": "gif", "path": str(hostile), "start_s": 1.0, "end_s": 2.0}
    notes = ["[a](javascript:alert(1)) <script>"]
    ended(studio_workspace, job, state="done", result={"clips": [], "files": [file], "notes": notes})
    again(app)
    assert "<img src=x" not in html(app)
    assert escaped(notes[0]) in words(app)
    assert notes[0] not in words(app)


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_an_export_that_did_not_end_is_carried_on(studio_workspace: Workspace, state: str) -> None:
    app = page()
    job = exported(app, studio_workspace)
    ended(studio_workspace, job, state=state, message="The disk is full." if state == "failed" else None)
    again(app)
    chosen(studio_workspace, kinds=("gif",))  # what is carried on is what was begun
    app.button(key="review_carry_on").click()
    again(app)
    newest = jobs.jobs(studio_workspace)[0]
    assert newest.id != job.id
    assert (newest.kind, newest.state, newest.arguments) == ("export", "queued", job.arguments)


def test_many_files_are_folded(studio_workspace: Workspace, tmp_path: Path) -> None:
    app = page()
    job = exported(app, studio_workspace)
    files = []
    for number in range(40):
        path = tmp_path / f"clip{number:02d}.mp4"
        path.write_bytes(b"x")
        files.append({"kind": "clips", "path": str(path), "start_s": 0.0, "end_s": 1.0})
    ended(studio_workspace, job, state="done", result={"files": files, "notes": []})
    again(app)
    assert "clip09.mp4" in words(app)
    assert "clip10.mp4" not in words(app)
    app.button(key="review_all_To watch").click()
    assert "clip39.mp4" in words(again(app))
