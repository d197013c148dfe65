"""CVAT labels: an interval one frame off trains the detector on the wrong frames, so every rule has its row here."""

from __future__ import annotations

from pathlib import Path

import pytest
from defusedxml.ElementTree import parse

from core.errors import UserError
from core.intervals import Interval
from core.labels import LabelSet, read_labels, write_labels

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Starts of the tracks in eye_contact_intervals.xml, and the frames of their closing boxes.
EYE_CONTACT = """
    1658-1674 2539-2561 2565-2573 2683-2686 10566-10591 11460-11590 15658-15687 15748-15824 16194-16206 16461-16615
    16763-16827 16831-16902 16996-17016 17311-17334 17337-17352 17357-17513 17844-17875 17900-17952 17959-18055
    18058-18223 18229-18309 18373-18445 18486-18710 18722-18853 18897-19174 19202-19320 19447-19600 19629-19756
    19809-19844 19970-19982 20020-20076 20157-20247 20269-20287 20959-20993
"""


def intervals(text: str, label: str = "trick") -> list[Interval]:
    """``10-20`` for an interval that ends with frame 20; the label may follow after a colon."""
    found = []
    for word in text.split():
        frames, _, own = word.partition(":")
        start, _, end = frames.partition("-")
        found.append(Interval(int(start), int(end), own or label))
    return found


def shared(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


def test_reference_session() -> None:
    """The three tricks that the project is measured on."""
    labels = read_labels(shared("session/annotations.xml"))
    assert list(labels.intervals) == intervals("247-272 357-372 653-675")
    assert (labels.n_frames, labels.width, labels.height) == (714, 640, 360)  # all of it job meta
    assert labels.warnings == ()


@pytest.mark.parametrize(
    ("name", "expected", "facts"),
    [
        # Closed on frame 3 and seen again on 4; the person's track runs to the end and is no open question.
        ("dagshub_sample", "0-2:car 0-4:person 4-4:car", (5, 1920, 1080, "test_video")),
        # Absolute frames 10, 13, 16 of a task with start 10 and step 3: nothing is multiplied by three again.
        ("datumaro_step3_start10", "10-10:II 10-10:klhg 10-16:skeleton 13-13:II", (20, 25, 20, "t.mp4")),
        # 165 keyframes of 210 frames and no closing box: the pedestrian leaves the picture on frame 164.
        ("jaad_unclosed_tracks", "0-164:ped", (210, 1920, 1080, "data/video_0033.mp4")),
    ],
)
def test_small_files_of_other_people(name: str, expected: str, facts: tuple[int, int, int, str]) -> None:
    labels = read_labels(shared(f"cvat/{name}.xml"))
    assert list(labels.intervals) == intervals(expected)
    assert (labels.n_frames, labels.width, labels.height, labels.name) == facts


def test_many_tracks_of_one_label() -> None:
    labels = read_labels(shared("cvat/eye_contact_intervals.xml"))
    assert list(labels.intervals) == [
        Interval(i.start_frame, i.end_frame - 1, "eye_contact") for i in intervals(EYE_CONTACT)
    ]


def test_phases_of_a_jump() -> None:
    """86 tracks; two of them have a frame in which the box is switched off, so they give two intervals each."""
    labels = read_labels(shared("cvat/volleyball_intervals.xml"))
    counts = {name: sum(i.label == name for i in labels.intervals) for name in ("approach", "jump", "land", "swing")}
    assert counts == {"approach": 21, "jump": 22, "land": 22, "swing": 23}
    assert len(labels.intervals) == 88
    expected = (
        "999-1080:approach 1083-1123:jump 1125-1156:swing 1158-1267:land 2916-2937:swing 2938-3007:land "
        "3277-3294:swing 3296-3308:swing 3997-4047:jump 4049-4065:jump 13310-13413:land"
    )
    assert set(intervals(expected)) <= set(labels.intervals)


def document(body: str, meta: str = "") -> str:
    return f"<annotations><version>1.1</version><meta>{meta}</meta>{body}</annotations>"


def task(stop: int = 999, step: int = 1, start: int = 0) -> str:
    return (
        f"<task><id>1</id><start_frame>{start}</start_frame><stop_frame>{stop}</stop_frame>"
        f"<frame_filter>{f'step={step}' if step > 1 else ''}</frame_filter></task>"
    )


def track(frames: str, label: str = "trick", shape: str = "box", attributes: str = "") -> str:
    """``5 6 !7``: shapes on frames 5 and 6 and a closing one on 7."""
    shapes = "".join(
        f'<{shape} frame="{frame.lstrip("!")}" outside="{int(frame.startswith("!"))}" keyframe="1"/>'
        for frame in frames.split()
    )
    return f'<track id="0" label="{label}" {attributes}>{shapes}</track>'


@pytest.mark.parametrize(
    ("body", "meta", "expected"),
    [
        pytest.param(track("5 6 7 !8"), task(), "5-7", id="closing box is not inside"),
        pytest.param(track("5 !8"), task(), "5-7", id="keyframes only: goes on until the closing one"),
        pytest.param(track("5 20 !31"), task(), "5-30", id="keyframes only: goes on between them"),
        pytest.param(track("5 6 !7 9 10 !11"), task(), "5-6 9-10", id="a gap makes two"),
        pytest.param(track("!3 5 6 !7 !8"), task(), "5-6", id="closed before it starts and closed twice"),
        pytest.param(track("5 6 7"), task(), "5-7", id="never closed: ends at the last box"),
        pytest.param(track("7 6 !8 5"), task(), "5-7", id="boxes out of order"),
        pytest.param(track("4"), task(), "4-4", id="a single frame"),
        pytest.param(track("10 13 16 !19"), task(step=3, start=10), "10-16", id="step: last labelled frame"),
        pytest.param(track("10 !40"), task(step=3, start=10), "10-37", id="step: keyframes only"),
        pytest.param(track("10 13 !14"), task(step=3, start=10), "10-13", id="step: closing box off the grid"),
        pytest.param(track("5 !11") + track("8 !21"), task(), "5-20", id="two people at once"),
        pytest.param(track("5 !11") + track("11 !21"), task(), "5-10 11-20", id="one right after the other"),
        pytest.param(track("5 !11") + track("8 !21", "grind"), task(), "5-10 8-20:grind", id="labels stay apart"),
        pytest.param(track("5 !11", "  back\n flip "), task(), "5-10:back flip".replace(" ", "_"), id="label tidied"),
        *(
            pytest.param(track("5 !8", shape=shape), task(), "5-7", id=shape)
            for shape in ("polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton")
        ),
        pytest.param(
            '<track label="trick"><skeleton frame="5"><points label="1" outside="1"/><points label="2" outside="0"/>'
            '</skeleton><skeleton frame="9"><points label="1" outside="1"/><points label="2" outside="1"/></skeleton>'
            "</track>",
            task(),
            "5-8",
            id="skeleton gone when all its points are",
        ),
        pytest.param(
            '<track label="trick"><skeleton frame="5" outside="0"/><skeleton frame="6" outside="0"/>'
            '<track label="knee"><points frame="5" outside="0"/><points frame="50" outside="0"/></track></track>',
            task(),
            "5-6",
            id="tracks inside of a skeleton's track are parts of it",
        ),
        pytest.param(
            '<tag frame="3" label="trick"/><tag frame="4" label="trick"/><tag frame="6" label="trick"/>',
            task(),
            "3-4 6-6",
            id="frame tags",
        ),
        pytest.param(
            '<image id="3" name="frame_000003"><tag label="trick"/></image>'
            '<image id="6" name="frame_000006"><box label="trick"/><box label="trick"/></image><image id="9"/>'
            '<image id="12"><tag label="trick"/><tag label="grind"/></image>',
            task(step=3),
            "3-6 12-12 12-12:grind",
            id="CVAT for images",
        ),
        pytest.param(track("5 !8"), "", "5-7", id="empty meta"),
    ],
)
def test_rules(tmp_path: Path, body: str, meta: str, expected: str) -> None:
    path = tmp_path / "labels.xml"
    path.write_text(document(body, meta))
    found = [Interval(i.start_frame, i.end_frame, i.label.replace(" ", "_")) for i in read_labels(path).intervals]
    assert found == sorted(intervals(expected))


@pytest.mark.parametrize(
    ("body", "meta", "said"),
    [
        (track("5 6 !7"), task(), []),
        (track("998 999"), task(), []),  # reaches the last frame: nothing to assume
        (track("990 993 996 999"), task(stop=1000, step=3), ["one frame in 3"]),
        (track("5 6") + track("8 9"), task(), ["2 tracks are never closed"]),
        (track("10 11 !12"), task(step=3, start=10), ["one frame in 3", "not on its step"]),
    ],
)
def test_warnings(tmp_path: Path, body: str, meta: str, said: list[str]) -> None:
    """Someone whose file leaves a doubt is told which way it was taken."""
    path = tmp_path / "labels.xml"
    path.write_text(document(body, meta))
    warnings = read_labels(path).warnings
    assert len(warnings) == len(said)
    assert all(part in warning and "labels.xml" in warning for part, warning in zip(said, warnings, strict=True))


PROJECT = document(
    track("5 !8", attributes='task_id="11"') + track("20 !31", attributes='task_id="12"'),
    "<project><id>1</id><tasks><task><id>11</id><name>park.mp4</name><size>100</size></task>"
    "<task><id>12</id><name>street</name><size>50</size></task></tasks></project>",
)


@pytest.mark.parametrize(
    ("video", "expected", "n_frames"),
    [("/footage/park.mp4", "5-7", 100), ("PARK.MOV", "5-7", 100), ("street.mp4", "20-30", 50)],
)
def test_project_takes_the_video_asked_for(tmp_path: Path, video: str, expected: str, n_frames: int) -> None:
    path = tmp_path / "project.xml"
    path.write_text(PROJECT)
    labels = read_labels(path, video=video)
    assert (list(labels.intervals), labels.n_frames) == (intervals(expected), n_frames)


@pytest.mark.parametrize("video", [None, "beach.mp4"])
def test_project_never_mixes_videos(tmp_path: Path, video: str | None) -> None:
    path = tmp_path / "project.xml"
    path.write_text(PROJECT)
    with pytest.raises(UserError, match=r"project.xml holds labels of 2 videos \(park.mp4, street\)"):
        read_labels(path, video=video)


BILLION_LAUGHS = """<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><annotations><track label="&c;"><box frame="1"/></track></annotations>"""
OUTSIDE_FILE = """<!DOCTYPE annotations [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(BILLION_LAUGHS, "declares a DTD or entities", id="billion laughs"),
        pytest.param(OUTSIDE_FILE, "declares a DTD or entities", id="external entity"),
        pytest.param("<annotations><track", "not whole XML", id="cut off"),
        pytest.param("<\x01\x02", "not whole XML", id="junk"),
        pytest.param('<?xml version="1.0" encoding="klingon"?><annotations/>', "is not a file in CVAT", id="encoding"),
        pytest.param("<html><body/></html>", "first element is <html>", id="another XML"),
        pytest.param("<annotations>" + "<a>" * 5000, "nested too deep", id="deep"),
        pytest.param(document(""), "no labelled interval", id="no tracks"),
        pytest.param(document(track("!5")), "no labelled interval", id="never visible"),
        pytest.param(document(track("-1")), "frame='-1'", id="negative frame"),
        pytest.param(document(track("1.5")), "no frame number", id="half a frame"),
        pytest.param(document(track("9" * 30)), "no frame number", id="huge frame"),
        pytest.param(document('<track label="a"><box/></track>'), "no frame number", id="box without frame"),
        pytest.param(document('<track><box frame="1"/></track>'), "<track> has no label", id="no label"),
        pytest.param(document(track("1", "  ")), "label is empty", id="blank label"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, said: str) -> None:
    """One sentence that names the file, never a traceback and never a file read that was not asked for."""
    path = tmp_path / "bad.xml"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_labels(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith("bad.xml")
    assert "\n" not in str(caught.value)


def test_written_file_is_what_cvat_imports(tmp_path: Path) -> None:
    """CVAT's importer asks for label, frame, keyframe and corners, and refuses frames that the task has not."""
    path = tmp_path / "out.xml"
    labels = (Interval(2, 4, 'a<b> & "c"'), Interval(8, 9, "trick"))
    write_labels(path, LabelSet(labels, n_frames=10, width=640, height=360, name="skate & co.mp4"))
    root = parse(path).getroot()
    assert root.findtext("meta/task/original_size/width") == "640"
    assert [root.findtext(f"meta/task/{tag}") for tag in ("name", "size", "stop_frame", "source")] == [
        "skate & co.mp4",
        "10",
        "9",
        "skate & co.mp4",
    ]
    assert [label.text for label in root.iterfind("meta/task/labels/label/name")] == ['a<b> & "c"', "trick"]
    boxes = [
        [(int(box.get("frame")), box.get("keyframe"), box.get("outside")) for box in track.iterfind("box")]
        for track in root.iterfind("track")
    ]
    assert boxes == [
        [(2, "1", "0"), (3, "0", "0"), (4, "0", "0"), (5, "1", "1")],
        [(8, "1", "0"), (9, "0", "0")],  # the video ends here: no box on frame 10
    ]
    corners = {tuple(box.get(corner) for corner in ("xtl", "ytl", "xbr", "ybr")) for box in root.iter("box")}
    assert corners == {("0.00", "0.00", "640.00", "360.00")}


def test_writes_without_the_video(tmp_path: Path) -> None:
    """Intervals from a CSV can go to CVAT before the video has been looked at."""
    path = tmp_path / "out.xml"
    write_labels(path, LabelSet((Interval(2, 4),)))
    assert read_labels(path) == LabelSet((Interval(2, 4),))
