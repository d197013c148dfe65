"""The report of a recognizer is sent to people who were not there: its figures must be those of the evaluation, beside
what needs no recognizer, and every mistake must be there to be seen."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import Cancelled, UserError
from core.recognize import report
from core.recognize.evaluation import evaluate
from core.recognize.judging import Judged, JudgedClip
from core.recognize.report import drawings, figures, gallery, write_report
from tests.moments import frames_of as drawn
from tests.moments import write_clip
from tests.test_report import HOSTILE, Page, frames_of

LENGTH = 12
LONG_NAME = "trick with a name that is long"
HISTORY = """epoch,lr,train_loss,loss,accuracy,macro_f1
1,0.1,1.5,1.2,0.5,0.4
2,0.1,0.9,1.1,0.6,0.55
3,0.05,0.4,1.3,0.7,0.5
"""

Rows = list[tuple[str, dict[str, float]]]
"""The true class of each clip and the probabilities that were given."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "park.mp4", drawn("right", 1, LENGTH))


def judged_of(path: Path, rows: Rows, classes: tuple[str, ...], **baselines: float) -> Judged:
    """What a recognizer made of moments that are all the same clip."""
    probability = [[given.get(label, 0.0) for label in classes] for _, given in rows]
    clips = tuple(
        JudgedClip(path=str(path), start_frame=0, end_frame=None, label=truth, probability=tuple(values))
        for (truth, _), values in zip(rows, probability, strict=True)
    )
    found = evaluate(classes, [classes.index(truth) for truth, _ in rows], probability)
    return Judged("tricks", "Each of 3 groups was left out once.", found, clips, baselines)


@pytest.fixture
def judged(clip: Path) -> Callable[..., Judged]:
    """As :func:`judged_of`, of the drawn clip."""
    return partial(judged_of, clip)


FEW: Rows = [
    ("ollie", {"ollie": 0.9, "kickflip": 0.1}),
    ("ollie", {"ollie": 0.6, "kickflip": 0.4}),
    ("ollie", {"ollie": 0.3, "kickflip": 0.7}),
    ("kickflip", {"ollie": 0.8, "kickflip": 0.15, "shuvit": 0.05}),
    ("kickflip", {"ollie": 0.2, "kickflip": 0.8}),
]
CLASSES = ("ollie", "kickflip", "shuvit")


def many(classes: int = 48, clips: int = 600, seed: int = 1) -> tuple[Rows, tuple[str, ...]]:
    """Classes in pairs, each of which is taken for its partner now and then."""
    rng = np.random.default_rng(seed)
    labels = tuple(f"{LONG_NAME} {number:02d}" for number in rng.permutation(classes))
    rows: Rows = []
    for number in range(clips):
        truth = number % classes
        weights = rng.uniform(0, 1, classes)
        weights[labels.index(_partner(labels[truth]))] += 30 * rng.uniform() ** 2
        weights[truth] += 30 * rng.uniform()
        rows.append((labels[truth], dict(zip(labels, (weights / weights.sum()).tolist(), strict=True))))
    return rows, labels


def _partner(label: str) -> str:
    return f"{LONG_NAME} {int(label[-2:]) ^ 1:02d}"


def page_of(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def text_of(page: Page) -> str:
    return " ".join(page.said[""].split())


def test_the_figures_stand_beside_what_needs_no_recognizer(judged: Callable[..., Judged], tmp_path: Path) -> None:
    told = judged(FEW, CLASSES, majority=0.4, colours=0.8)  # that three of five are ollies stands in the clips
    assert write_report(tmp_path / "report.html", told) == []
    said = text_of(page_of(tmp_path / "report.html"))
    assert "3 of 5 clips named right." in said
    assert "60.0 % of 5 clips; 23 % to 88 % with 95 % confidence" in said  # Wilson, by hand
    assert "Each of 3 groups was left out once." in said
    assert re.search(r"recognizer this one 3 5 .* 60\.0 % majority .* 3 5 .* 60\.0 % colours .* 4 5 .* 80\.0 %", said)
    assert "The recognizer is no better than majority and colours" in said
    assert "Not measured on these clips: key points." in said
    assert "Without any clip: shuvit." in said


def test_the_commonest_class_is_a_baseline_even_if_nobody_gave_it(judged: Callable[..., Judged]) -> None:
    told = {one.name: one for one in figures.standings(judged(FEW, CLASSES))}
    assert list(told) == ["recognizer", "majority"]
    assert told["majority"].right == 3


def test_mistakes_come_surest_first_with_clip_and_probabilities(judged: Callable[..., Judged], tmp_path: Path) -> None:
    assert write_report(tmp_path / "report.html", judged(FEW, CLASSES)) == []
    page = page_of(tmp_path / "report.html")
    assert page.articles == list(page.clips) == ["wrong-1", "wrong-2"]
    first = " ".join(page.said["wrong-1"].split())
    assert first.startswith("kickflip named ollie ollie 80.0 % kickflip ✓ 15.0 % shuvit 5.0 %")
    assert "park.mp4, from frame 0 to the end" in first
    assert len(frames_of(page.clips["wrong-1"])) == LENGTH  # just what was judged


def test_a_true_class_that_is_not_among_the_likeliest_is_told(judged: Callable[..., Judged]) -> None:
    classes = ("a", "b", "c", "d")
    (mistake,) = figures.mistakes(judged([("d", {"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05})], classes))
    assert mistake.likeliest == (("a", 0.5), ("b", 0.3), ("c", 0.15), ("d", 0.05))


def test_a_moment_of_a_long_video_shows_itself_alone(judged: Callable[..., Judged], tmp_path: Path) -> None:
    told = judged(FEW[3:4], CLASSES)
    inside = told.clips[0].model_copy(update={"start_frame": 3, "end_frame": 7})
    beyond = told.clips[0].model_copy(update={"start_frame": LENGTH + 4})
    upset = told.clips[0].model_copy(update={"start_frame": 7, "end_frame": 3})
    three = judged(FEW[3:4] * 3, CLASSES)
    three = Judged(three.dataset, three.how, three.evaluation, (inside, beyond, upset), {})
    faults = write_report(tmp_path / "report.html", three)
    page = page_of(tmp_path / "report.html")
    assert list(page.clips) == ["wrong-1"]
    assert len(frames_of(page.clips["wrong-1"])) == 5
    assert "frames 3–7" in page.said["wrong-1"]
    assert len(faults) == 2
    assert all(fault.startswith("No clip of kickflip, named ollie: ") for fault in faults)


def test_missing_clips_are_told_without_their_folder(judged: Callable[..., Judged], tmp_path: Path) -> None:
    """The page is for others, who need not know where somebody's files are."""
    told = judged_of(tmp_path / "gone" / "park.mp4", FEW, CLASSES)
    faults = write_report(tmp_path / "report.html", told)
    assert faults == [
        "No clip of kickflip, named ollie: park.mp4 does not exist: check the path.",
        "No clip of ollie, named kickflip: park.mp4 does not exist: check the path.",
    ]
    page = page_of(tmp_path / "report.html")
    assert page.articles == ["wrong-1", "wrong-2"]
    assert page.clips == {}
    assert "No clip: park.mp4 does not exist" in page.said["wrong-1"]
    assert str(tmp_path) not in page.html


def test_without_mistakes_and_history_there_are_neither(judged: Callable[..., Judged], tmp_path: Path) -> None:
    right = [row for row in FEW if max(row[1], key=lambda label: row[1][label]) == row[0]]
    assert write_report(tmp_path / "report.html", judged(right, CLASSES), tmp_path / "history.csv") == []
    page = page_of(tmp_path / "report.html")
    assert page.articles == []
    assert "Every clip was named right." in page.said[""]
    assert "epoch by epoch" not in page.said[""]
    assert not [tag for tag, _ in page.tags if tag in ("select", "button")]


def test_names_are_text_and_nothing_else(judged: Callable[..., Judged], clip: Path, tmp_path: Path) -> None:
    """Labels and names of files come from strangers, and the report is opened by others."""
    label = "'\"></title></style></option><script>alert(3)</script>"
    path = tmp_path / f'{HOSTILE}"><img src=x onerror=alert(2)>.mp4'
    path.write_bytes(clip.read_bytes())
    told = judged_of(path, [("ollie", {label: 0.9, "ollie": 0.1}), (label, {"ollie": 1.0})], ("ollie", label))
    no_text = told.clips[1].model_copy(update={"path": "\udcff.mp4"})  # a name in bytes that are not UTF-8
    hostile = Judged(HOSTILE, HOSTILE, told.evaluation, (told.clips[0], no_text), {HOSTILE: 0.5})
    (fault,) = write_report(tmp_path / "report.html", hostile)
    assert fault.startswith(f"No clip of {label}, named ollie: ")
    page = page_of(tmp_path / "report.html")
    (script,) = page.scripts
    assert not [values for tag, values in page.tags if tag == "img" or any(name.startswith("on") for name in values)]
    assert label in page.said["wrong-1"]
    assert path.name in page.said["wrong-2"]
    assert "?.mp4, from frame 0 to the end" in page.said["wrong-1"]
    assert text_of(page).count(HOSTILE) >= 4
    policy = next(v["content"] for t, v in page.tags if t == "meta" and "http-equiv" in v)
    assert "default-src 'none'" in policy
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert not re.search(r"https?:|@import|url\((?!\"?#)", page.html)
    for tag, values in page.tags:
        for name in ("src", "href", "poster", "srcset", "action"):
            assert values.get(name, "#").startswith(("#", "data:")), (tag, name)


def test_a_page_has_a_bound(judged: Callable[..., Judged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = FEW[3:4] * 6
    write_report(tmp_path / "two.html", judged(rows, CLASSES), max_clips=2)
    two = page_of(tmp_path / "two.html")
    assert list(two.clips) == ["wrong-1", "wrong-2"]
    assert len(two.articles) == 6
    assert "The page holds the first 2 clips; the others are told in words." in text_of(two)
    size = len(two.clips["wrong-1"])
    monkeypatch.setattr(gallery, "MOST_BYTES", 4 * size)
    monkeypatch.setattr(report, "MOST_TOLD", 4)
    write_report(tmp_path / "small.html", judged(rows, CLASSES))
    small = page_of(tmp_path / "small.html")
    assert 1 <= len(small.clips) <= 3
    assert len(small.articles) == 4
    assert "Of 6 clips the first 4 are told, all are counted in the matrix." in text_of(small)


def test_the_curves_of_the_training(judged: Callable[..., Judged], tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text(HISTORY)
    write_report(tmp_path / "report.html", judged(FEW, CLASSES), history)
    page = page_of(tmp_path / "report.html")
    spoken = [values["aria-label"] for tag, values in page.tags if tag == "svg" and "aria-label" in values]
    assert "Validation: lowest 1.10 in epoch 2, 1.30 at the end." in spoken[2]
    assert "Macro F1, validation: highest 0.55 in epoch 2, 0.50 at the end." in spoken[3]


def test_a_training_without_validation_has_its_loss(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(re.sub(r"(?m)^(\d,[^,]*,[^,]*),.*", r"\1,nan,nan,nan", HISTORY))
    told = figures.read_history(tmp_path / "history.csv")
    assert told is not None
    (panel,) = drawings.history_panels(told)
    assert [bool(line.path) for line in panel.lines] == [True, False]


@pytest.mark.parametrize(
    "content", ["epoch,loss\n1,x\n", "epoch\n1\n", HISTORY + "nan,1,1,1,1,1\n", "\x00,\n\x00\n1,2,3"]
)
def test_a_damaged_history_is_said_before_the_work(judged: Callable[..., Judged], tmp_path: Path, content: str) -> None:
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(UserError, match=r"history\.csv is damaged: delete it, or train anew\."):
        write_report(tmp_path / "report.html", judged(FEW, CLASSES), tmp_path / "history.csv")
    assert not (tmp_path / "report.html").exists()


def test_who_stops_it_finds_nothing(judged: Callable[..., Judged], tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        write_report(tmp_path / "report.html", judged(FEW, CLASSES), cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


# The figures, as the studio takes them too


def test_classes_that_are_taken_for_one_another_stand_side_by_side(judged: Callable[..., Judged]) -> None:
    rows, classes = many()
    told = judged(rows, classes)
    found = figures.confusion(told.evaluation)
    assert sorted(found.labels) == sorted(classes)
    assert found.counts.sum() == len(rows)
    assert found.counts.trace() / len(rows) == pytest.approx(told.evaluation.accuracy)
    place = {label: number for number, label in enumerate(found.labels)}
    beside = [abs(place[label] - place[_partner(label)]) == 1 for label in classes]
    assert np.mean(beside) > 0.9
    assert np.mean([abs(classes.index(label) - classes.index(_partner(label))) == 1 for label in classes]) < 0.2


def test_a_matrix_as_a_table(judged: Callable[..., Judged]) -> None:
    found = figures.confusion(judged(FEW, CLASSES).evaluation)
    assert found.left_out == ("shuvit",)
    assert found.numbers == (0, 1)
    expected = pd.DataFrame(
        {
            "truth": ["ollie", "ollie", "kickflip", "kickflip"],
            "named": ["ollie", "kickflip"] * 2,
            "clips": [2, 1, 1, 1],
            "share": [2 / 3, 1 / 3, 1 / 2, 1 / 2],
        }
    )
    pd.testing.assert_frame_equal(found.table(), expected)


def test_the_weakest_class_comes_first_and_those_without_clips_last(judged: Callable[..., Judged]) -> None:
    table = figures.per_class(judged(FEW, CLASSES).evaluation)
    assert table["label"].tolist() == ["kickflip", "ollie", "shuvit"]
    assert table["named"].tolist() == [2, 3, 0]
    assert table["f1"].tolist() == pytest.approx([0.5, 2 / 3, 0])


def test_leaving_the_least_sure_unnamed(judged: Callable[..., Judged]) -> None:
    """Sureness 0.9 right, 0.8 wrong, 0.8 right, 0.7 wrong, 0.6 right."""
    found = judged(FEW, CLASSES).evaluation
    assert figures.coverage(found)["right"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2, 3 / 5])
    table = figures.unnamed(found)
    assert table["clips"].tolist() == [5, 4, 4, 4, 2]
    assert table["left_out"].tolist()[2] == 0.2
    assert table["right"].tolist()[2] == pytest.approx(1 / 2)
    assert table["below"].tolist()[2] == pytest.approx(0.7)


def test_dots_lie_where_probability_and_accuracy_say(judged: Callable[..., Judged]) -> None:
    found = judged(FEW, CLASSES).evaluation
    dots = drawings.dots(figures.calibration(found))
    assert sum(dot.count for dot in dots) == 5
    both = next(dot for dot in dots if dot.count == 2)  # 0.8 twice, once right
    assert [both.x, both.y] == pytest.approx([0.8 * drawings.SIDE, 0.5 * drawings.SIDE])
    assert both.radius == max(dot.radius for dot in dots)


def test_names_of_equal_baselines_do_not_hide_one_another(judged: Callable[..., Judged]) -> None:
    told = figures.standings(judged(FEW, CLASSES, majority=0.6, colours=0.61, **{"key points": 0.61}))
    rules = drawings.rules(told[1:])
    assert [rule.name for rule in rules] == ["majority", "colours", "key points"]
    heights = [rule.text_y for rule in rules]
    assert all(upper <= lower - 13 for lower, upper in pairwise(heights))
    assert all(rule.text_y <= rule.y for rule in rules)


def test_48_classes_make_a_page_that_still_goes_by_mail(judged: Callable[..., Judged], tmp_path: Path) -> None:
    rows, classes = many()
    told = judged(rows, classes)
    write_report(tmp_path / "report.html", told, max_clips=3)
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
    page = page_of(tmp_path / "report.html")
    cells = [values for tag, values in page.tags if tag == "td" and values.get("title", "").startswith("trick")]
    right = [values for values in cells if values.get("class") == "right"]
    assert len(cells) == np.count_nonzero(told.evaluation.confusion)
    assert len(right) <= 48
    buttons = [
        values for tag, values in page.tags if tag == "button" and "data-named" in values and "data-truth" in values
    ]
    assert len(buttons) == len(cells) - len(right)
