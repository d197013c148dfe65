"""Data sets of named moments: a clip under the wrong name, or in the wrong group, spoils every figure made of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.intervals import Event, Interval
from core.recognize.datasets import diving48, label_studio, read_dataset, spacejam
from core.recognize.datasets.folders import BY_FILE, write_table
from core.recognize.datasets.preview import preview_samples
from core.recognize.datasets.reviewed import NONE, read_reviewed
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.splits import split
from core.reviews import Decision, decide
from core.workspace import Workspace
from tests.conftest import SHARED
from tests.numbered import Footage, steps, write_footage

N = 40
FILM = Footage("film.mp4", steps(512, 0, N), Fraction(1, 15360), sound_s=None)


def shared(name: str) -> Path:
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    """Files by their paths; a name that ends in a slash is an empty folder."""

    def make(*names: str, **texts: str) -> Path:
        for name in names:
            path = tmp_path / "clips" / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(b"not looked into here")
        return tmp_path / "clips"

    return make


def groups(dataset: ClipDataset) -> dict[str, str]:
    return {sample.path.name: sample.group for sample in dataset.samples}


def labels(dataset: ClipDataset) -> dict[str, str]:
    return {sample.path.name: sample.label for sample in dataset.samples}


def notes(dataset: ClipDataset) -> str:
    return " ".join(dataset.notes)


## A folder for each class


def test_a_folder_is_a_class_and_a_file_a_group(files: Callable[..., Path]) -> None:
    dataset = read_dataset(files("ollie/a.mp4", "ollie/b.MOV", "heel flip/a.mp4", "heel flip/c.webm"))
    assert dataset.classes == ("heel flip", "ollie")
    assert dataset.balance() == {"heel flip": 2, "ollie": 2}
    # Files of one name in two classes are two sources.
    assert sorted(sample.group for sample in dataset.samples) == [
        "heel flip/a.mp4",
        "heel flip/c.webm",
        "ollie/a.mp4",
        "ollie/b.MOV",
    ]
    assert dataset.notes == (BY_FILE,)


def test_what_is_left_out_is_told(files: Callable[..., Path]) -> None:
    folder = files(
        "ollie/a.mp4", "ollie/b.mp4", "ollie/read me.txt", "ollie/old/c.mp4", "grind/a.mp4", "empty/", "x.mp4"
    )
    (folder / "ollie" / "none.mp4").touch()
    files("ollie/.hidden.mp4", ".git/a.mp4")
    dataset = read_dataset(folder)
    assert dataset.balance() == {"grind": 1, "ollie": 2}
    told = notes(dataset)
    for name in (
        "ollie/read me.txt",
        "ollie/old/c.mp4",
        "x.mp4",
        "ollie/none.mp4",
        "classes: empty",
    ):
        assert name in told, name
    assert "hidden" not in told
    assert ".git" not in told


@pytest.mark.parametrize("names", [(), ("readme.txt",), ("ollie/",), ("a.mp4", "b.mp4"), ("ollie/notes.txt",)])
def test_a_folder_without_clips_of_classes_is_refused(files: Callable[..., Path], names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="one folder for each class"):
        read_dataset(files("./", *names))


@pytest.mark.parametrize("path", ["nowhere", "file.txt"])
def test_a_path_that_is_no_data_set_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file.txt").write_text("hello")
    with pytest.raises(UserError, match=r"does not exist|is no data set"):
        read_dataset(tmp_path / path)


def test_a_kind_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'kinetics': choose diving48, folders, label_studio or spacejam"):
        read_dataset(tmp_path, "kinetics")


def test_the_table_gives_labels_and_groups(files: Callable[..., Path]) -> None:
    folder = files("a/1.mp4", "a/2.mp4", "b/3.mp4", "b/4.mp4", "b/5.mp4")
    rows = ["a/1.mp4,ollie,x,s1", "a/2.mp4,ollie,x,s2", "b/3.mp4,grind,x,", "b\\4.mp4,grind,,", "gone/5.mp4,ollie,,"]
    (folder / "clips.csv").write_text("\ufeffPath,label,source,scene\n" + "\n".join(rows), encoding="utf-8")
    dataset = read_dataset(folder)
    assert labels(dataset) == {"1.mp4": "ollie", "2.mp4": "ollie", "3.mp4": "grind", "4.mp4": "grind"}
    # The scene counts before the source, and the file is the last resort.
    assert groups(dataset) == {"1.mp4": "scene s1", "2.mp4": "scene s2", "3.mp4": "source x", "4.mp4": "b/4.mp4"}
    assert BY_FILE in dataset.notes  # of b/4.mp4
    # A file of that name in another folder is another clip.
    assert "gone/5.mp4" in notes(dataset)
    assert "does not name them: b/5.mp4" in notes(dataset)


def test_a_source_that_is_a_clip_is_that_clip(files: Callable[..., Path]) -> None:
    folder = files("a/1.mp4", "a/2.mp4", "copies/1-copy1.mp4", "copies/2-copy1.mp4")
    rows = ["a/1.mp4,ollie,,", "a/2.mp4,ollie,,s", "copies/1-copy1.mp4,ollie,a/1.mp4,", "2-copy1.mp4,ollie,,s"]
    (folder / "clips.csv").write_text("path,label,source,scene\n" + "\n".join(rows))
    assert groups(read_dataset(folder)) == {
        "1.mp4": "a/1.mp4",
        "1-copy1.mp4": "a/1.mp4",
        "2.mp4": "scene s",
        "2-copy1.mp4": "scene s",
    }


def test_what_was_made_from_a_clip_is_in_its_group_however_it_is_named(files: Callable[..., Path]) -> None:
    folder = files("x/o.mp4", "x/c.mp4", "x/d.mp4", "x/e.mp4", "x/f.mp4", "x/g.mp4", "x/h.mp4")
    rows = ["x/d.mp4,k,c.mp4,,", "x/c.mp4,k,x/o.mp4,,", "x/e.mp4,k,x\\c.mp4,,", "x/o.mp4,k,,park1,"]
    rows += ["x/f.mp4,k,,,o.mp4", "x/g.mp4,k,x/h.mp4,,", "x/h.mp4,k,x/g.mp4,,"]
    (folder / "clips.csv").write_text("path,label,source,scene,copy_of\n" + "\n".join(rows))
    dataset = read_dataset(folder)
    found = groups(dataset)
    assert {found[f"{name}.mp4"] for name in "ocdef"} == {"scene park1"}
    assert found["g.mp4"] == found["h.mp4"], "two that name each other stay together"
    assert [sample.path.name for sample in dataset.samples if sample.copy_of] == ["f.mp4"]


def test_what_the_system_refuses_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    for read in (read_dataset, label_studio.recognises):
        with pytest.raises(UserError, match=r"cannot be read \(File name too long\): check the path"):
            read(path)


def test_a_table_that_is_written_is_read_the_same(files: Callable[..., Path]) -> None:
    folder = files("1.mp4", "in/2.mp4", "3.mp4")
    told = [("1.mp4", "scene a, b"), ("in/2.mp4", 'source "c"'), ("3.mp4", "source 0001000-0001999")]
    write_table(folder, [ClipSample(folder / name, 'heel "flip"', group) for name, group in told])
    dataset = read_dataset(folder)
    assert dataset.balance() == {'heel "flip"': 3}
    assert groups(dataset) == {Path(name).name: group for name, group in told}
    write_table(folder, [ClipSample(folder / "1.mp4", "ollie", "0001000-0001999")])
    assert groups(read_dataset(folder)) == {"1.mp4": "source 0001000-0001999"}


def test_clips_of_known_sources_raise_no_doubt(files: Callable[..., Path]) -> None:
    folder = files("a/1.mp4", "b/2.mp4")
    (folder / "clips.csv").write_text("path,label,source\na/1.mp4,ollie,x\nb/2.mp4,grind,y\n")
    assert BY_FILE not in read_dataset(folder).notes


def test_a_table_names_files_below_and_numbers_by_their_names(files: Callable[..., Path]) -> None:
    folder = files("clips/1.mp4", "clips/2.mp4", "x/3.mp4", "y/3.mp4")
    (folder / "clips.csv").write_text("path,label,name\n1.mp4,5,ball in hand\n2.mp4,0,block\n3.mp4,0,block\n")
    dataset = read_dataset(folder)
    assert labels(dataset) == {"1.mp4": "ball in hand", "2.mp4": "block"}
    assert "several of that name: 3.mp4" in notes(dataset)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("file,label\na/1.mp4,ollie\n", "line 1: the header", id="no path"),
        pytest.param("", "the header", id="empty"),
        pytest.param("path,label\na/1.mp4,\n", "line 2: the label is empty", id="no label"),
        pytest.param("path,label\na/1.mp4,ollie\na/1.mp4,grind\n", "line 3: a/1.mp4 is listed twice", id="twice"),
        pytest.param("path,label\na/1.mp4,ollie,3\n", "line 2: there are more cells", id="too many cells"),
        pytest.param("path,label\n,ollie\n", "line 2: the path is missing", id="no name"),
        pytest.param('path,label\n"a/1.mp4,ollie\n', "line", id="open quote"),
        pytest.param("path,label\na/1.mp4,ol\x07lie\n", "no text", id="a bell"),
        pytest.param("path,label\n../../etc/1.mp4,ollie\n", "holds no clip", id="out of the folder"),
    ],
)
def test_a_wrong_table_is_refused(files: Callable[..., Path], text: str, said: str) -> None:
    folder = files("a/1.mp4")
    (folder / "clips.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        read_dataset(folder)


def test_annotations_that_are_too_large_are_not_read(
    files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.recognize.datasets.files.MAX_BYTES", 10)
    folder = files("a/1.mp4")
    (folder / "clips.csv").write_text("path,label\na/1.mp4,ollie\n")
    with pytest.raises(UserError, match="more than annotations may have"):
        read_dataset(folder)


## SpaceJam


def spacejam_folder(files: Callable[..., Path], annotated: dict[str, Any], *clips: str) -> Path:
    folder = files(*(f"dataset/examples/{clip}.mp4" for clip in clips), "./")
    (folder / "annotation_dict.json").write_text(json.dumps(annotated))
    names = {"0": "block", "1": "pass", "9": "walk", "10": "discard"}
    (folder / "labels_dict.json").write_text(json.dumps(names))
    return folder


@pytest.mark.parametrize(
    ("key", "original"),
    [
        ("0014297", "0014297"),
        ("0006103_flipped", "0006103"),
        ("0000000_rotate_30", "0000000"),
        ("0000000_translate_-32_0", "0000000"),
        ("0000000_flipped_rotate_330", "0000000"),
        ("0000000_flipped_translate_32_0", "0000000"),
        ("0000000_rotated_15", "0000000"),
        ("true_block_00", "true_block_00"),
        ("_flipped", "_flipped"),
    ],
)
def test_copies_are_known_by_their_names(key: str, original: str) -> None:
    assert spacejam.original(key) == original


def test_a_copy_is_in_the_group_of_its_clip(files: Callable[..., Path]) -> None:
    """Else a mirrored copy of what was trained on is tested, and the figure is too good."""
    clips = (
        "0000007",
        "0000007_flipped",
        "0000007_flipped_rotate_330",
        "0000007_translate_-32_0",
        "0000999",
        "0001000",
    )
    annotated = {"0000007": 1, "0000007_flipped": 1, "0000999": 0, "0001000": 9, "0000555": 0}
    dataset = read_dataset(spacejam_folder(files, annotated, *clips))
    assert dataset.classes == ("block", "pass", "walk")  # in the order of their numbers, less what is to be discarded
    assert labels(dataset) == {f"{clip}.mp4": "pass" for clip in clips[:4]} | {
        "0000999.mp4": "block",
        "0001000.mp4": "walk",
    }
    first = groups(dataset)["0000007.mp4"]
    assert [groups(dataset)[f"{clip}.mp4"] == first for clip in clips] == [True] * 5 + [False]
    assert "1 of 5 annotated clips have no video" in notes(dataset)


def test_further_copies_may_be_annotated_apart(files: Callable[..., Path]) -> None:
    folder = spacejam_folder(files, {"0000001": 1, "0000300": 10}, "0000001", "0000001_rotate_30", "0000300", "0000301")
    (folder / "augmented_annotation_dict.json").write_text('{"0000001_rotate_30": 1}')
    dataset = read_dataset(folder)
    assert labels(dataset) == {"0000001.mp4": "pass", "0000001_rotate_30.mp4": "pass"}
    assert "to be discarded: 0000300.mp4, 0000301.mp4" in notes(dataset)
    assert spacejam.annotated_clips(folder)[0] == {"0000001": "pass", "0000001_rotate_30": "pass"}


@pytest.mark.parametrize(
    ("annotated", "said"),
    [
        ({"0000001": 4}, "class 4, which labels_dict.json does not know"),
        ({"0000001": "1"}, "class 1, which"),
        ({"0000001": True}, "class True, which"),
        ([], "not the dictionary"),
        ({"0000002": 1}, "1 annotated clips and none of their videos"),
    ],
)
def test_wrong_dictionaries_are_refused(files: Callable[..., Path], annotated: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_dataset(spacejam_folder(files, annotated, "0000001"))


@pytest.mark.parametrize("text", ["{", "[" * 200_000, f'{{"a": {"9" * 5000}}}', '{"a": "\x00"}'])
def test_damaged_json_is_refused_in_a_sentence(files: Callable[..., Path], text: str) -> None:
    folder = spacejam_folder(files, {}, "0000001")
    (folder / "annotation_dict.json").write_text(text)
    with pytest.raises(UserError, match=r"annotation_dict\.json"):
        read_dataset(folder)


def test_the_published_annotations_are_read_whole() -> None:
    annotated, classes = spacejam.annotated_clips(shared("basketball"))
    # Counted by `grep -o '": [0-9]*' annotation_dict.json | sort | uniq -c`.
    counts = {"block": 996, "pass": 1070, "run": 5924, "dribble": 3490, "shoot": 426, "ball in hand": 2362}
    counts |= {"defense": 3866, "pick": 712, "no_action": 6490, "walk": 11749}
    assert len(annotated) == 37_085
    assert Counter(annotated.values()) == counts
    assert classes == tuple(counts)
    copies = [key for key in annotated if spacejam.original(key) != key]
    assert len(copies) == 4528
    assert all(annotated[key] == annotated[spacejam.original(key)] for key in copies)


def test_few_published_clips_are_tested_beside_one_that_is_trained_on() -> None:
    annotated, classes = spacejam.annotated_clips(shared("basketball"))
    samples = [
        ClipSample(Path(key), label, spacejam._group(spacejam.original(key))) for key, label in annotated.items()
    ]
    parts = split(ClipDataset("spacejam", tuple(samples), classes))
    taught, tested = (
        np.unique([int(spacejam.original(sample.path.name)) for sample in parts[part]]) for part in ("train", "test")
    )
    near = [np.abs(taught - number).min() <= 50 for number in tested]
    assert 0 < np.mean(near) < 0.15


def test_the_published_clips_are_copies_of_one() -> None:
    dataset = read_dataset(shared("basketball"))
    assert labels(dataset) == {"0000000_flipped_rotate_330.mp4": "pass", "0000000_translate_32_0.mp4": "pass"}
    assert len(set(groups(dataset).values())) == 1


## Diving48


VOCABULARY = [
    [takeoff, f"{som}som", f"{twist}Twis", "PIKE"] for takeoff in "BFIR" for som in range(3) for twist in range(4)
]


def dive(name: str, label: Any = 3, start: Any = 0, end: Any = 48) -> dict[str, Any]:
    return {"vid_name": name, "label": label, "start_frame": start, "end_frame": end}


def diving_folder(files: Callable[..., Path], train: Any, test: Any, *clips: str, vocabulary: Any = VOCABULARY) -> Path:
    folder = files("annotations/", "rgb/", *(f"rgb/{clip}.mp4" for clip in clips))
    contents = {"Diving48_V2_train": train, "Diving48_V2_test": test, "Diving48_vocab": vocabulary}
    for name, content in contents.items():
        if content is not None:
            (folder / "annotations" / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_dives_have_their_class_their_competition_and_their_part(files: Callable[..., Path]) -> None:
    train = [dive("-mmq0PT-u8k_00155"), dive("-mmq0PT-u8k_00156", 47), dive("_tig_fCJFLZg_00371", 0, 10, 30)]
    test = [dive("zYHstCxnAPA_00361", 1), dive("zYHstCxnAPA_00362", 1)]
    clips = ("-mmq0PT-u8k_00155", "-mmq0PT-u8k_00156", "_tig_fCJFLZg_00371", "zYHstCxnAPA_00361")
    dataset = read_dataset(diving_folder(files, train, test, *clips))
    assert len(dataset.classes) == 48
    assert dataset.classes[3] == "B 0som 3Twis PIKE"
    assert list(labels(dataset).values()) == [dataset.classes[label] for label in (3, 47, 0, 1)]
    assert list(groups(dataset).values()) == ["-mmq0PT-u8k", "-mmq0PT-u8k", "_tig_fCJFLZg", "zYHstCxnAPA"]
    assert [sample.part for sample in dataset.samples] == ["train"] * 3 + ["test"]
    # A clip is a whole dive; of one that begins later the published end is the frame after.
    assert [(s.start_frame, s.end_frame) for s in dataset.samples] == [(0, None)] * 2 + [(10, 29)] + [(0, None)]
    assert dataset.notes == ("1 of 5 dives have no video here, as zYHstCxnAPA_00362.",)


def test_a_published_split_across_a_competition_is_told(files: Callable[..., Path]) -> None:
    folder = diving_folder(files, [dive("a_0")], [dive("a_1")], "a_0", "a_1")
    assert "1 competition(s) that it is also trained on (a)" in notes(read_dataset(folder))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (dive("a_0", 48), "dive 1: the label 48 is not between 0 and 47"),
        (dive("a_0", -1), "label is '-1'"),
        (dive("a_0", "3"), "label is '3'"),
        (dive("a_0", True), "label is 'True'"),
        (dive("a_0", 3, 5, 5), "before it starts"),
        (dive("a_0", 3, 0, 1e99), "end_frame is"),
        ({"label": 3}, "vid_name is missing"),
        ("a_0", "vid_name is missing"),
    ],
)
def test_a_wrong_dive_is_refused(files: Callable[..., Path], record: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_dataset(diving_folder(files, [record], [], "a_0"))


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [
        (None, "lacks Diving48_vocab.json"),
        (VOCABULARY[:47], "names 47 kinds of dives where 48 are"),
        ([*VOCABULARY[:47], VOCABULARY[0]], "names 47 kinds"),
        ({}, "not the list of 48 rows"),
        ([*VOCABULARY[:47], [1, 2]], "not the list of 48 rows"),
    ],
)
def test_a_missing_or_wrong_vocabulary_is_refused(files: Callable[..., Path], vocabulary: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_dataset(diving_folder(files, [dive("a_0")], [], "a_0", vocabulary=vocabulary))


def test_dives_without_any_video_are_refused(files: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="1 annotated dives and none of their videos"):
        read_dataset(diving_folder(files, [dive("a_0")], None))
    assert diving48.recognises(files("./"))


## Label Studio


def ranges(*ends: tuple[int, int], label: str = "strike") -> dict[str, Any]:
    value = {"ranges": [{"start": start, "end": end} for start, end in ends], "timelinelabels": [label]}
    return {"type": "timelinelabels", "value": value}


def box(*keyframes: tuple[int, float, bool], label: str = "strike", **value: Any) -> dict[str, Any]:
    """A box 20 % wide and 40 % high at ``(frame, x, enabled)``."""
    sequence = [
        {"frame": frame, "enabled": enabled, "x": x, "y": 50, "width": 20, "height": 40}
        for frame, x, enabled in keyframes
    ]
    return {"type": "videorectangle", "value": {"sequence": sequence, "labels": [label], **value}}


def task(*regions: Any, video: str = "fight.mp4") -> dict[str, Any]:
    return {"id": 7, "annotations": [{"id": 1, "result": list(regions)}], "data": {"video": video, "fps": 30}}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_footage(FILM, tmp_path_factory.mktemp("film") / "fight.mp4")


@pytest.fixture
def export(film: Path, tmp_path: Path) -> Callable[..., Path]:
    """An export beside videos of the given names, all of them the same film."""

    def make(content: Any, *videos: str) -> Path:
        (tmp_path / "footage").mkdir(exist_ok=True)
        for name in videos or ("fight.mp4",):
            (tmp_path / "footage" / name).write_bytes(film.read_bytes())
        path = tmp_path / "project-1.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return make


def moments(dataset: ClipDataset) -> list[tuple[str, int, int | None]]:
    return [(sample.label, sample.start_frame, sample.end_frame) for sample in dataset.samples]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param((11, 11), (8, 12), id="one frame, counted from 1"),
        pytest.param((11, 13), (9, 13), id="three frames"),
        pytest.param((6, 26), (13, 17), id="the middle of a long range"),
        pytest.param((1, 1), (0, 4), id="at the beginning"),
        pytest.param((N, N), (N - 5, N - 1), id="at the end"),
    ],
)
def test_a_moment_lies_around_what_was_labelled(
    export: Callable[..., Path], tmp_path: Path, ends: tuple[int, int], expected: tuple[int, int]
) -> None:
    dataset = label_studio.read(export([task(ranges(ends))]), tmp_path / "footage", moment_frames=5)
    assert moments(dataset) == [("strike", *expected)]
    assert dataset.samples[0].track is None
    assert dataset.notes == ("Each moment is the 5 frames around the middle of what was labelled.",)


def test_a_box_with_one_keyframe_is_no_moment_up_to_the_end(export: Callable[..., Path], tmp_path: Path) -> None:
    path = export([task(box((11, 10, True)), box((3, 10, True), (9, 20, True), label="miss"))])
    dataset = label_studio.read(path, tmp_path / "footage")
    assert moments(dataset) == [("strike", 8, 12), ("miss", 2, N - 1)]
    assert dataset.samples[0].track is not None
    one, other = dataset.notes
    assert one == "project-1.json, fight.mp4: boxes with one keyframe became 5 frames around it."
    assert "region 2: a box is never closed" in other


def test_moments_are_as_long_as_they_were_labelled(export: Callable[..., Path], tmp_path: Path) -> None:
    path = export([task(ranges((3, 9), (20, 20)), ranges((12, 15), label="miss"))])
    dataset = label_studio.read(path, tmp_path / "footage")
    assert moments(dataset) == [("strike", 2, 8), ("strike", 19, 19), ("miss", 11, 14)]
    assert dataset.classes == ("miss", "strike")
    assert {sample.group for sample in dataset.samples} == {"fight.mp4"}


def test_a_tracked_box_goes_from_keyframe_to_keyframe(export: Callable[..., Path], tmp_path: Path) -> None:
    path = export(
        [task(box((11, 10, True), (15, 50, False), (31, 60, True), (35, 60, False), label="significant strike"))]
    )
    dataset = label_studio.read(path, tmp_path / "footage")
    assert moments(dataset) == [("significant strike", 10, 14), ("significant strike", 30, 34)]
    first, second = (sample.track for sample in dataset.samples)
    assert first is not None
    assert second is not None
    assert first.frames.tolist() == [10, 11, 12, 13, 14]
    np.testing.assert_allclose(first.boxes, [[x, 0.5, x + 0.2, 0.9] for x in (0.1, 0.2, 0.3, 0.4, 0.5)])
    # The gap belongs to neither, and what lies beyond it does not pull at the box.
    np.testing.assert_allclose(second.boxes, [[0.6, 0.5, 0.8, 0.9]] * 5)


def test_a_box_stands_still_outside_of_its_keyframes_and_inside_of_the_picture(
    export: Callable[..., Path], tmp_path: Path
) -> None:
    path = export([task(box((20, 90, True), (21, 95, False)))])
    track = label_studio.read(path, tmp_path / "footage", moment_frames=5).samples[0].track
    assert track is not None
    assert track.frames.tolist() == [17, 18, 19, 20, 21]
    np.testing.assert_allclose(track.boxes[:, 0], [0.9, 0.9, 0.9, 0.95, 0.95])
    assert track.boxes[:, 2].max() == 1


def test_frames_counted_at_another_rate_are_found_by_their_times(export: Callable[..., Path], tmp_path: Path) -> None:
    region = box((9, 10, True), (13, 10, False), framesCount=32, duration=N / 30)
    dataset = label_studio.read(export([task(region)]), tmp_path / "footage")
    # Frames 9 and 13 of 24 a second are shown at 8 / 24 s and 12 / 24 s, which are the frames 10 and 15 of 30 a second.
    assert moments(dataset) == [("strike", 10, 15)]
    assert "24 frames a second where the video has 30" in notes(dataset)


def test_videos_are_found_by_their_names_alone(export: Callable[..., Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    path = export(
        [
            task(ranges((5, 5)), video="/data/upload/3/0123abcd-one.mp4"),
            task(ranges((6, 6)), video="s3://bucket/two.mp4"),
            task(ranges((7, 7)), video="C:\\fights\\three.mp4"),
            task(ranges((8, 8)), video="../secret.mp4"),
            task(ranges((9, 9)), video=str(secret)),
        ],
        "89abcdef-one.mp4",
        "two.mp4",
        "three.mp4",
    )
    secret.write_bytes(b"outside")
    dataset = label_studio.read(path, tmp_path / "footage")
    assert groups(dataset) == {name: name for name in ("89abcdef-one.mp4", "two.mp4", "three.mp4")}
    assert "the videos are not in footage: ../secret.mp4" in notes(dataset)


def test_one_video_that_cannot_be_read_does_not_spoil_the_others(export: Callable[..., Path], tmp_path: Path) -> None:
    guess = {"data": {"video": "guess.mp4"}, "predictions": [{"model_version": "x", "result": [ranges((5, 5))]}]}
    path = export(
        [
            task(ranges((5, 5)), video="broken.mp4"),
            task(ranges((5, 5))),
            {"data": {"video": "none.mp4"}, "annotations": []},
            guess,
        ],
        *("fight.mp4", "none.mp4", "guess.mp4"),
    )
    (tmp_path / "footage" / "broken.mp4").write_bytes(b"no video at all")
    dataset = label_studio.read(path, tmp_path / "footage")
    assert groups(dataset) == {"fight.mp4": "fight.mp4"}
    for said in ("broken.mp4 was left out", "none.mp4 was left out", "guess.mp4 was left out, because only a model"):
        assert said in notes(dataset)


@pytest.mark.parametrize(
    ("regions", "said"),
    [
        pytest.param([ranges((N + 5, N + 9))], f"starts at frame {N + 5}, and the video has {N}", id="beyond the end"),
        pytest.param([ranges((9, 3))], "before it starts", id="backwards"),
        pytest.param([ranges((0, 3))], "counts frames from 1", id="frame 0"),
        pytest.param(
            [box((3, 1, True), (9, 1, False)) | {"value": {"sequence": [{"frame": 3}], "labels": ["a"]}}],
            "x is missing",
            id="no box",
        ),
        pytest.param([{"value": {"sequence": ["x"], "labels": ["a"]}}], "keyframe is not an object", id="no keyframe"),
        pytest.param([box((3, float("1e999"), True), (4, 1, False))], "not a number", id="infinite"),
        pytest.param([ranges((3, 3), label=" ")], "label is empty", id="no name"),
        pytest.param([], "no labelled moment", id="nothing"),
    ],
)
def test_a_region_that_makes_no_sense_is_refused(
    export: Callable[..., Path], tmp_path: Path, regions: list[Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        label_studio.read(export([task(*regions)]), tmp_path / "footage")


def test_an_export_beside_its_videos_is_recognised(export: Callable[..., Path], tmp_path: Path) -> None:
    path = export([task(ranges((5, 5)))])
    inside = path.rename(tmp_path / "footage" / path.name)
    for named in (inside, inside.parent):
        assert moments(read_dataset(named)) == [("strike", 4, 4)]


def test_an_export_apart_from_its_videos(export: Callable[..., Path], tmp_path: Path) -> None:
    path = export([task(ranges((3, 9)))])
    footage = tmp_path / "footage"
    assert moments(read_dataset(path, footage=footage)) == [("strike", 2, 8)]
    assert moments(read_dataset(path, footage=footage, moment_frames=3)) == [("strike", 4, 6)]
    with pytest.raises(UserError, match="no folder: choose the one with the clips"):
        read_dataset(path, footage=tmp_path / "elsewhere")
    with pytest.raises(UserError, match="at least one frame"):
        read_dataset(path, footage=footage, moment_frames=0)


@pytest.mark.parametrize("given", [{"footage": Path()}, {"moment_frames": 5}])
def test_what_belongs_to_an_export_is_refused_with_a_folder(files: Callable[..., Path], given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="clips is no export of Label Studio, to which alone"):
        read_dataset(files("ollie/a.mp4"), **given)


def test_published_exports_say_what_is_missing() -> None:
    for name in ("timeline_fixture.json", "tracking_opossum.json"):
        with pytest.raises(UserError, match="no labelled moment of a video in label_studio"):
            read_dataset(shared("label_studio") / name)


## What was reviewed


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


def session(workspace: Workspace, folder: Path, name: str) -> str:
    path = folder / f"{name}.mp4"
    path.write_text(name)
    return workspace.session_for(path).id


def test_reviews_and_labels_teach_by_their_names(workspace: Workspace, tmp_path: Path) -> None:
    park, plaza = (session(workspace, tmp_path, name) for name in ("park", "plaza"))
    workspace.save_labels(park, [Interval(10, 20, "kickflip"), Interval(200, 220, "ollie")], "editor")
    found = [Event(9, 21), Event(50, 60), Event(198, 222), Event(300, 310, "ollie"), Event(400, 410, "grind")]
    decide(
        workspace,
        park,
        [
            Decision(found[0], verdict="keep"),  # where a person said kickflip, that stands
            Decision(found[1], verdict="reject"),
            Decision(found[2], verdict="reject"),  # meets a true one
            Decision(found[3], verdict="keep", kept=(305, 312)),
            Decision(found[4], kept=(401, 409)),  # moved, without a verdict
        ],
    )
    workspace.save_labels(plaza, [Interval(1, 5, "ollie")], "editor")
    dataset = read_reviewed(workspace, [park, plaza, park], rejected_as=NONE)
    assert dataset.classes == ("grind", "kickflip", "ollie", "none")
    assert moments(dataset) == [
        ("kickflip", 10, 20),
        ("none", 50, 60),
        ("ollie", 200, 220),
        ("ollie", 305, 312),
        ("grind", 401, 409),
        ("ollie", 1, 5),
    ]
    assert groups(dataset) == {"park.mp4": park, "plaza.mp4": plaza}
    assert NONE not in read_reviewed(workspace, [park]).classes


def test_a_trick_without_a_name_is_no_class_beside_names(workspace: Workspace, tmp_path: Path) -> None:
    park, plaza = (session(workspace, tmp_path, name) for name in ("park", "plaza"))
    workspace.save_labels(park, [Interval(10, 20), Interval(200, 220)], "editor")
    decide(workspace, park, [Decision(Event(50, 60), verdict="reject")])
    alone = read_reviewed(workspace, [park], rejected_as=NONE)
    assert alone.balance() == {"trick": 2, "none": 1}
    assert alone.notes == ()
    workspace.save_labels(plaza, [Interval(1, 5, "ollie")], "editor")
    dataset = read_reviewed(workspace, [park, plaza], rejected_as=NONE)
    assert dataset.balance() == {"ollie": 1, "none": 1}
    assert dataset.notes == ("Left out, for nobody named them: 2 moment(s) that are only called 'trick'.",)


def test_names_of_a_recognizer_do_not_teach(workspace: Workspace, tmp_path: Path) -> None:
    """Else it is confirmed in its mistakes, and the figures are of its own opinion."""
    park = session(workspace, tmp_path, "park")
    by_hand = Interval(10, 20, "kickflip")
    drawn = [by_hand, Interval(100, 120), Interval(200, 220), Interval(300, 320)]
    named = [replace(trick, label="ollie") for trick in drawn[1:]]
    workspace.save_labels(park, drawn, "editor")
    workspace.save_labels(park, [by_hand, *named], "named by park tricks")
    # One is renamed by a person, of one the edges alone are moved, and one more is drawn.
    renamed, moved, more = replace(named[0], label="grind"), Interval(203, 222, "ollie"), Interval(400, 410, "ollie")
    workspace.save_labels(park, [by_hand, renamed, moved, named[2], more], "editor")
    decide(workspace, park, [Decision(Event(301, 319), verdict="reject")])
    dataset = read_reviewed(workspace, [park], rejected_as=NONE)
    assert moments(dataset) == [("kickflip", 10, 20), ("grind", 100, 120), ("ollie", 400, 410)]
    assert "a recognizer gave them: 2 name(s)" in notes(dataset)
    workspace.restore_labels(park, 1)
    assert read_reviewed(workspace, [park]).balance() == {"kickflip": 1}  # the others have no name again
    workspace.restore_labels(park, 2)
    assert moments(read_reviewed(workspace, [park])) == [("kickflip", 10, 20)]


def test_a_session_without_its_video_is_left_out(workspace: Workspace, tmp_path: Path) -> None:
    park, plaza = (session(workspace, tmp_path, name) for name in ("park", "plaza"))
    for each in (park, plaza):
        workspace.save_labels(each, [Interval(1, 5, "ollie")], "editor")
    (tmp_path / "park.mp4").unlink()
    dataset = read_reviewed(workspace, [park, plaza])
    assert groups(dataset) == {"plaza.mp4": plaza}
    assert "park was left out" in notes(dataset)
    with pytest.raises(UserError, match=r"label tricks or review.*park was left out"):
        read_reviewed(workspace, [park])


def test_a_session_that_nobody_looked_at_teaches_nothing(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="label tricks or review"):
        read_reviewed(workspace, [session(workspace, tmp_path, "park")])


## A look at the classes


def test_a_preview_shows_as_many_sources_as_there_are() -> None:
    samples = [ClipSample(Path(f"{group}{i}.mp4"), "ollie", group) for group in "ab" for i in range(20)]
    samples += [ClipSample(Path("c.mp4"), "ollie", "c"), ClipSample(Path("d.mp4"), "grind", "d")]
    dataset = ClipDataset("park", tuple(samples), ("grind", "ollie", "manual"))
    for seed in range(5):
        shown = preview_samples(dataset, 3, seed)
        assert list(shown) == ["grind", "ollie", "manual"]
        assert {sample.group for sample in shown["ollie"]} == {"a", "b", "c"}
        assert (len(shown["grind"]), len(shown["manual"])) == (1, 0)
        assert shown == preview_samples(dataset, 3, seed)
    assert len({preview_samples(dataset, 3, seed)["ollie"] for seed in range(5)}) > 1


def test_the_real_folders_are_read_with_their_scenes() -> None:
    dataset = read_dataset(shared("tricks"))
    # Counted by `cut -d, -f2 clips.csv | sort | uniq -c` and `cut -d, -f4 clips.csv | sort -u`.
    assert dataset.balance() == {"kickflip": 71, "ollie": 62}
    assert len({sample.group for sample in dataset.samples}) == 24
    assert dataset.notes == ()
    assert {name: len(samples) for name, samples in split(dataset).items()}["test"] > 5
    assert read_dataset(shared("strikes")).balance() == {"fight": 30, "no_fight": 30}
