"""The report is sent to people who were not there: it must open anywhere, say what the terminal says, and show every
miss and every false alarm."""

from __future__ import annotations

import json
import re
import shutil
import signal
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest

from core.detector import TrickDetector, starter
from core.evaluate import event_metrics, frame_metrics
from core.hop_rule import HopRule
from core.intervals import Event, Interval
from core.report import STARTER, Evaluation, Judge, timeline
from core.report.columns import EVENT_COLUMNS, FRAME_COLUMNS
from core.report.curves import THRESHOLDS
from core.report.evaluation import Moment
from core.settings import TrainSettings
from core.sighting import kept
from core.video import Video, VideoInfo
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command, Looked, Ran, Trickline

AROUND_S = 1.0
UNSEEN = Interval(30, 50, "manual")
"""Where the drawn skater only rolls: labelled, it is a miss."""
HOSTILE = "<script>alert(1)<!--"


@dataclass
class Page(HTMLParser):
    """What a browser would make of a report."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    """The text of each article by its id, and of the whole page by the empty id."""
    clips: dict[str, str] = field(default_factory=dict)
    """The addresses of the clips, by the id of the article."""
    folded: set[str] = field(default_factory=set)
    """Articles within details that are closed."""
    scripts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._article, self._open, self._inside = "", 0, ""
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        self._inside = tag
        self._open += tag == "details"
        if tag == "article":
            self._article = values["id"]
            if self._open:
                self.folded.add(self._article)
        if tag == "video":
            self.clips[self._article] = values["src"]

    def handle_endtag(self, tag: str) -> None:
        self._open -= tag == "details"
        if tag == "article":
            self._article = ""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        for key in {self._article, ""}:
            self.said[key] = f"{self.said.get(key, '')} {' '.join(data.split())}"

    @property
    def articles(self) -> list[str]:
        return [values["id"] for tag, values in self.tags if tag == "article"]


@dataclass(frozen=True)
class Reported:
    """A run of the command, and what it was asked."""

    arguments: tuple[object, ...]
    ran: Ran
    path: Path
    home: Path

    @property
    def page(self) -> Page:
        return Page(self.path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reported(session: Session, looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """One trick is found, a second counts as a false alarm, and one that is none counts as missed."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copytree(looked.home, folder / "home")
    (folder / "events.json").write_text(looked.ran.out)
    rows = "".join(f"{i.start_frame},{i.end_frame},{i.label}\n" for i in (UNSEEN, session.intervals[0]))
    (folder / "true.csv").write_text(f"start_frame,end_frame,label\n{rows}")
    files = ("--labels", folder / "true.csv", "--events", folder / "events.json", "--video", session.video)
    arguments = ("evaluate", *files)
    ran = Trickline(folder / "home", folder)(*arguments, "--report", "out/report.html")
    return Reported(arguments, ran, folder / "out" / "report.html", folder / "home")


@pytest.fixture
def quick(session: Session, looked: Looked, trickline: Trickline) -> tuple[object, ...]:
    """The arguments of a comparison without looking."""
    (trickline.folder / "events.json").write_text(looked.ran.out)
    start, end = session.intervals[0].start_frame, session.intervals[0].end_frame
    (trickline.folder / "true.csv").write_text(f"start_frame,end_frame\n30,50\n{start},{end}\n")
    return ("evaluate", "--labels", "true.csv", "--events", "events.json")


def frames_of(address: str) -> list[av.VideoFrame]:
    """The pictures of a clip that a page carries."""
    assert address.startswith("data:video/mp4;base64,")
    with av.open(BytesIO(b64decode(address.partition(",")[2])), "r") as container:
        assert not container.streams.audio
        assert container.streams.video[0].codec_context.name == "h264"
        return list(container.decode(video=0))


def test_every_moment_has_its_clip(reported: Reported, looked: Looked, session: Session) -> None:
    page = reported.page
    assert page.articles == list(page.clips) == ["missed-1", "wrong-1", "hit-1"]
    assert page.folded == {"hit-1"}
    first, second = looked.ran.json["events"]
    true = session.intervals[0]
    spans = {
        "missed-1": (UNSEEN.start_frame, UNSEEN.end_frame),
        "wrong-1": (second["start_frame"], second["end_frame"]),
        "hit-1": (min(first["start_frame"], true.start_frame), max(first["end_frame"], true.end_frame)),
    }
    for name, (start, end) in spans.items():
        frames = frames_of(page.clips[name])
        wanted_s = min(20.0, (end + 1) / 30 + AROUND_S) - max(0.0, start / 30 - AROUND_S)
        assert len(frames) == pytest.approx(30 * wanted_s, abs=1.01)
        assert frames[-1].time == pytest.approx((len(frames) - 1) / 30, abs=0.001)
        assert max(frames[0].width, frames[0].height) == 320
        assert len(page.clips[name]) < 250_000


def test_a_clip_shows_its_moment(reported: Reported, session: Session, looked: Looked) -> None:
    """A clip of another place would prove the wrong thing."""
    second = looked.ran.json["events"][1]
    frames = frames_of(reported.page.clips["wrong-1"])
    video = Video.open(session.video)
    shown = frames[30].to_ndarray(format="gray").astype(float)
    near = {
        number: float(np.abs(next(video.pictures(1, number)).gray(*shown.shape[::-1]) - shown).mean())
        for number in range(second["start_frame"] - 6, second["start_frame"] + 7, 3)
    }
    assert min(near, key=lambda number: near[number]) == second["start_frame"]


def test_the_page_says_what_the_terminal_says(reported: Reported) -> None:
    ran, page = reported.ran, reported.page
    assert ran.code == 0
    assert re.search(r"^trickline: Report written to out/report\.html \(\d+\.\d MB\)\.$", ran.err, re.MULTILINE)
    lines = [line for line in ran.out.splitlines() if re.match(r"(events\.json|starter, as it comes|motion rf) ", line)]
    assert len(lines) >= 2
    flat = " ".join(page.said[""].split())
    for line in lines:
        name, *cells = re.split(r" {2,}", line.strip())
        assert " ".join([name, *cells]) in flat
    assert "1 of 2 tricks found, 1 false alarm in 0:20.00 of footage." in flat


def test_the_table_by_threshold_agrees_at_the_usual_one(reported: Reported) -> None:
    """The starter's row of the terminal was counted elsewhere."""
    row = next(line for line in reported.ran.out.splitlines() if line.startswith("starter, as it comes"))
    found, wrong = re.split(r" {2,}", row)[1:3]
    threshold = min(THRESHOLDS, key=lambda one: abs(one - starter().events.default_threshold))
    assert f" {threshold} {found} {wrong} " in " ".join(reported.page.said[""].split())


def test_it_says_why(reported: Reported) -> None:
    """The events are the starter's own, so its reasons are theirs."""
    said = reported.page.said
    assert f"Found by the starter, threshold {starter().events.default_threshold:.2f}" in " ".join(said[""].split())
    assert "The probability came no higher than" in said["missed-1"]
    assert "No trick is labelled here." in said["wrong-1"]
    assert re.search(r"Confidence [01]\.\d\d", said["wrong-1"])
    assert re.search(r"Probability [01]\.\d\d", said["hit-1"])


def test_nothing_is_fetched_and_only_its_own_script_runs(reported: Reported) -> None:
    page = reported.page
    assert not re.search(r"https?:|@import|url\((?!\"?#)", page.html)
    for tag, values in page.tags:
        for name in ("src", "href", "poster", "srcset", "data", "action"):
            assert values.get(name, "#").startswith(("#", "data:")), (tag, name)
    (script,) = page.scripts
    policy = next(v["content"] for t, v in page.tags if t == "meta" and "http-equiv" in v)
    assert "default-src 'none'" in policy
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert ("html", {"lang": "en"}) in page.tags
    assert {values["href"][1:] for tag, values in page.tags if tag == "a"} == set(page.articles)


def test_the_same_input_gives_the_same_bytes(reported: Reported, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    assert Trickline(reported.home, tmp_path)(*reported.arguments, "--report", again).code == 0
    assert again.read_bytes() == reported.path.read_bytes()


def test_without_looking_there_are_clips_and_no_curves(
    quick: tuple[object, ...], trickline: Trickline, at_once: Command
) -> None:
    ran = at_once(*quick, "--report", "report.html", "--json")
    assert json.loads(ran.out)["events.json"]["tiou"]["0.1"]["wrong"] == 1
    page = Page((trickline.folder / "report.html").read_text())
    assert list(page.clips) == ["missed-1", "wrong-1", "hit-1"]
    assert "Precision and recall" not in page.said[""]
    assert "With --video the report also tells why" in page.said[""]


def test_the_rest_is_listed_where_clips_are_many(
    quick: tuple[object, ...], trickline: Trickline, at_once: Command
) -> None:
    assert at_once(*quick, "--report", "report.html", "--max-clips", 1).code == 0
    page = Page((trickline.folder / "report.html").read_text())
    assert list(page.clips) == ["missed-1"]
    assert page.articles == ["missed-1", "wrong-1", "hit-1"]
    assert "at most 1 clip;" in page.said[""]
    assert re.search(r"\d:\d\d\.\d\d – \d:\d\d\.\d\d", page.said["wrong-1"])


def test_names_are_text_and_nothing_else(
    session: Session, looked: Looked, trickline: Trickline, at_once: Command
) -> None:
    """Labels and names of files come from strangers, and the report is opened by others."""
    video = trickline.folder / f"{HOSTILE}.mp4"
    shutil.copy(session.video, video)
    events = trickline.folder / '"><img src=x onerror=alert(2)>.json'
    events.write_text(json.dumps({**looked.ran.json, "video": str(video)}))
    label = "'\"></title></style><script>alert(3)</script>"
    (trickline.folder / "true.csv").write_text(
        f'start_frame,end_frame,label\n30,50,"{label.replace(chr(34), chr(34) * 2)}"\n'
    )
    assert at_once("evaluate", "--labels", "true.csv", "--events", events, "--report", "report.html").code == 0
    page = Page((trickline.folder / "report.html").read_text())
    assert len(page.scripts) == 1
    assert not [values for tag, values in page.tags if tag == "img" or any(name.startswith("on") for name in values)]
    assert f"{HOSTILE}.mp4" in page.said[""]
    assert events.name in page.said[""]
    assert label in page.said["missed-1"]
    assert next(v["aria-label"] for tag, v in page.tags if tag == "video") == f"Clip of missed trick 1, {label}"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("report.txt", "report.txt is not a name for a web page: let it end in .html."),
        ("folder.html", "folder.html is a folder: choose another name for the report."),
        ("true.csv/report.html", "Cannot write into the folder true.csv: a file stands where a folder is needed"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(
    quick: tuple[object, ...], trickline: Trickline, at_once: Command, target: str, reason: str
) -> None:
    (trickline.folder / "folder.html").mkdir()
    before = sorted(trickline.folder.rglob("*"))
    ran = at_once(*quick, "--report", target)
    assert ran.sentence.startswith(reason)
    assert ran.out == ""
    assert sorted(trickline.folder.rglob("*")) == before


def test_a_model_needs_a_report_and_a_video(quick: tuple[object, ...], at_once: Command) -> None:
    ran = at_once(*quick, "--report", "report.html", "--threshold", 0.3)
    assert ran.sentence == "--model and --threshold tell a report why something was found: add --report and --video."


def test_ctrl_c_leaves_nothing(quick: tuple[object, ...], trickline: Trickline) -> None:
    """Forty clips take half a minute: whoever stops them finds no half of a report."""
    events = [{"start_frame": 14 * n, "end_frame": 14 * n + 5} for n in range(40)]
    record = json.loads((trickline.folder / "events.json").read_text())
    (trickline.folder / "events.json").write_text(json.dumps({**record, "events": events}))
    (trickline.folder / "report.html").write_text("the last one")
    with trickline.start(*quick, "--report", "report.html") as process:
        assert process.stdout
        assert any(line.startswith("split:") for line in process.stdout)  # the last line before the clips
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Report written" not in err
    assert (trickline.folder / "report.html").read_text() == "the last one"
    assert trickline.leftovers() == []


def test_a_damaged_stretch_costs_its_own_clip_only(
    quick: tuple[object, ...], session: Session, trickline: Trickline, at_once: Command
) -> None:
    content = bytearray(session.video.read_bytes())
    with av.open(str(session.video)) as container:
        packets: Any = container.demux(video=0)
        places = [(float(p.pts * p.time_base), p.pos, p.size) for p in packets if p.size]
    for time_s, place, size in places:
        if 10 <= time_s < 14:  # all that the false alarm's clip shows
            content[place + 4 : place + size] = bytes(size - 4)
    damaged = trickline.folder / "damaged.mp4"
    damaged.write_bytes(content)
    record = json.loads((trickline.folder / "events.json").read_text())
    (trickline.folder / "events.json").write_text(json.dumps({**record, "video": str(damaged)}))
    ran = at_once(*quick, "--report", "report.html")
    assert ran.code == 0
    assert "trickline: No clip of false alarm 1: damaged.mp4 cannot be decoded there: check that it plays." in ran.err
    page = Page((trickline.folder / "report.html").read_text())
    assert list(page.clips) == ["missed-1", "hit-1"]
    assert "No clip: damaged.mp4" in page.said["wrong-1"]


def test_reasons_are_told_only_of_who_found_the_events(studio_workspace: Workspace) -> None:
    """Another detector's probabilities explain nothing."""
    (session,) = studio_workspace.sessions()
    seen = kept(session, studio_workspace)
    assert seen
    judge = Judge.of(seen, HopRule(), STARTER)
    assert judge.found(judge.events)
    assert not judge.found(judge.events[1:])
    assert not Judge.of(seen, HopRule(), STARTER, threshold=0.01).found(judge.events)


def test_a_model_that_knows_the_footage_is_found_out(studio_workspace: Workspace, session: Session) -> None:
    """Its figures would be taken for what it does on new footage."""
    (known,) = studio_workspace.sessions()
    seen = kept(known, studio_workspace)
    assert seen
    truth = session.intervals
    model = TrickDetector.fit([seen.example(truth)], TrainSettings(model="logreg"))
    for detector, flattered in ((model, True), (HopRule(), False)):
        judge = Judge.of(seen, detector, "a detector")
        told = Evaluation(seen.video, truth, judge.events, "true.csv", "events.json", {}, seen, judge)
        assert told.known_by_heart is flattered


def test_every_column_is_explained() -> None:
    """A new column in the terminal's table needs its sentence."""
    pts_s = np.arange(30) / 30
    assert list(event_metrics([Interval(3, 9)], [], pts_s).cells()) == list(EVENT_COLUMNS)
    probability = np.array([0.2, 0.8])
    assert list(frame_metrics(np.array([False, True]), probability, 0.5).cells()) == list(FRAME_COLUMNS)


# The timeline of long footage


def long_video(seconds: int) -> Video:
    pts_s = np.arange(30 * seconds) / 30
    info = VideoInfo(640, 360, 0, "h264", "yuv420p", 8, Fraction(30), False, None, 0.0, float(seconds))
    return Video(Path("long.mp4"), info, None, pts_s)


def test_an_hour_takes_a_dozen_rows_and_loses_nothing() -> None:
    video = long_video(3600)
    over_the_edge = Interval(30 * 299, 30 * 301)
    moments = [Moment("missed", 1, over_the_edge, None), Moment("wrong", 1, None, Event(107_990, 107_999))]
    detector = HopRule()
    probability = np.zeros(54_000)
    probability[20_001] = 0.9  # a single sampled frame at 22:13.4
    probability[100:200] = np.nan
    judge = Judge(STARTER, detector, (), pd.Series(probability, index=np.arange(0, 108_000, 2)))
    rows = timeline.rows(video, moments, judge)
    assert [(row.start_s, row.end_s) for row in rows] == [(300.0 * n, 300.0 * (n + 1)) for n in range(12)]
    assert [len(row.true) for row in rows] == [1, 1, *[0] * 10]
    assert rows[0].true[0].x + rows[0].true[0].width == pytest.approx(timeline.WIDTH, abs=0.2)
    assert rows[1].true[0].x == 0
    (last,) = rows[-1].found
    assert last.width >= 4  # a third of a second is a pixel here: still to be seen
    assert last.x + last.width <= timeline.WIDTH + 0.2
    peaks = [number for number, row in enumerate(rows) if f" {0.1 * timeline.CURVE:.1f}" in row.curve]
    assert peaks == [4]
    assert [row.curve.count("M") for row in rows] == [2, *[1] * 11]
    assert [label for _, label in rows[4].ticks][:2] == ["20:00", "20:30"]


def test_short_footage_takes_one_row() -> None:
    (row,) = timeline.rows(long_video(23), [Moment("hit", 1, Interval(30, 60), Event(33, 70))], None)
    assert (row.start_s, row.end_s, row.width) == (0, 23, timeline.WIDTH)
    assert row.true[0].x == pytest.approx(1000 / 23, abs=0.1)
    assert len(row.links) == 1
    assert row.curve == ""
