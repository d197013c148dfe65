"""Outlines come from SAM 2 where its weights are, are kept whole, and cut out exactly what they hold."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.content import content_id
from core.errors import Cancelled, UserError
from core.recognize import outlines
from core.recognize.masks import Background, MaskLayer, cut_out
from core.recognize.outlines import Click, cut_out_clicked, find_weights, layer_path, outline, outlined, ready
from core.video import Video
from core.workspace import Workspace
from tests.numbered import HEIGHT, WIDTH, Footage, beeps_s, frame_times, number_on, steps, uneven, write_footage
from tests.small_sam import small, write_weights
from tests.test_clips import plan_of

Mask = NDArray[np.bool_]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Forty numbered frames at uneven times, with beeps."""
    path = tmp_path_factory.mktemp("footage") / "uneven.mp4"
    return Video.open(write_footage(Footage("uneven.mp4", uneven(40), Fraction(1, 1000)), path))


def box_mask(frame: int) -> Mask:
    """A person of 40 x 60 pixels who moves two pixels a frame."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[20:80, 10 + 2 * frame : 50 + 2 * frame] = True
    return mask


def layer_of(frames: Sequence[int]) -> MaskLayer:
    return MaskLayer.from_masks((frame, box_mask(frame)) for frame in frames)


## Layers


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_layer_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    frames = sorted(data.draw(st.sets(st.integers(0, 1000), min_size=1, max_size=5)))
    pixels = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    masks = [np.array(data.draw(pixels)).reshape(height, width) for _ in frames]
    path = tmp_path_factory.mktemp("layer") / "layer.parquet"
    MaskLayer.from_masks(zip(frames, masks, strict=True)).write(path)
    read = MaskLayer.read(path)
    assert read.frames.tolist() == frames
    for frame, mask in zip(frames, masks, strict=True):
        assert np.array_equal(read.mask(frame), mask)
    assert not read.mask(1001).any()


def test_a_layer_of_full_hd_is_small(tmp_path: Path) -> None:
    y, x = np.mgrid[:1080, :1920]
    MaskLayer.from_masks(
        (frame, (x - 900 - 3 * frame) ** 2 / 150**2 + (y - 540) ** 2 / 400**2 < 1) for frame in range(10)
    ).write(tmp_path / "layer.parquet")
    assert (tmp_path / "layer.parquet").stat().st_size < 10 * 8000


def test_masks_of_several_sizes_or_two_of_a_frame_are_no_layer() -> None:
    small, large = np.zeros((2, 2), dtype=bool), np.zeros((3, 2), dtype=bool)
    for masks in ([], [(0, small), (1, large)], [(1, small), (1, small)]):
        with pytest.raises(ValueError, match=r"masks of one size|two masks"):
            MaskLayer.from_masks(masks)


CARD = '{"format": "trickline masks", "version": 1, "width": 4, "height": 2}'


def stored(path: Path, card: str | None, frames: Sequence[Any], runs: Sequence[Any], kind: Any = None) -> Path:
    table = pa.table({"frame": pa.array(frames), "runs": pa.array(runs, kind)})
    named = table.replace_schema_metadata({"trickline masks": card} if card is not None else {})
    pq.write_table(named, path, compression="zstd")
    return path


def runs_of(*runs: int) -> bytes:
    return np.array(runs, "<u4").tobytes()


def test_the_layer_that_the_hostile_ones_are_made_from_is_read(tmp_path: Path) -> None:
    layer = MaskLayer.read(stored(tmp_path / "fine.parquet", CARD, [7], [runs_of(1, 3, 4)]))
    assert layer.mask(7).tolist() == [[False, True, True, True], [False] * 4]


@pytest.mark.parametrize(
    ("card", "frames", "runs"),
    [
        (None, [7], [runs_of(8)]),
        ("{", [7], [runs_of(8)]),
        (CARD.replace("masks", "labels"), [7], [runs_of(8)]),
        (CARD.replace('1,', '2,'), [7], [runs_of(8)]),
        (CARD.replace('"width": 4', '"width": 4000000000'), [7], [runs_of(8)]),
        (CARD.replace('"width": 4', '"width": "4"'), [7], [runs_of(8)]),
        (CARD, [7], [runs_of(9)]),
        (CARD, [7], [runs_of(2**32 - 1, 2**32 - 1, 10)]),
        (CARD, [7], [runs_of(8) + b"\0"]),
        (CARD, [7], [runs_of(*[0] * 20, 8)]),
        (CARD, [7], [b""]),
        (CARD, [7, 7], [runs_of(8)] * 2),
        (CARD, [8, 7], [runs_of(8)] * 2),
        (CARD, [-1], [runs_of(8)]),
        (CARD, [7.5], [runs_of(8)]),
        (CARD, ["7"], [runs_of(8)]),
        (CARD, [7], ["8"]),
        (CARD, [None], [runs_of(8)]),
        (CARD, [7], [None]),
    ],
)  # fmt: skip
def test_a_file_that_is_no_layer_is_refused(
    tmp_path: Path, card: str | None, frames: Sequence[Any], runs: Sequence[Any]
) -> None:
    path = stored(tmp_path / "bad.parquet", card, frames, runs, pa.binary() if runs == [None] else None)
    with pytest.raises(UserError, match=r"bad\.parquet is no layer of masks"):
        MaskLayer.read(path)


def test_a_damaged_or_empty_or_foreign_file_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    layer_of(range(30)).write(whole)
    content = whole.read_bytes()
    bad = tmp_path / "bad.parquet"
    middle = bytearray(content)
    middle[8:200] = bytes(192)
    for wrong in (b"", b"PAR1", content[: len(content) // 2], bytes(middle), b"x" * 1000):
        bad.write_bytes(wrong)
        with pytest.raises(UserError, match="no layer of masks"):
            MaskLayer.read(bad)
    pq.write_table(pa.table({"other": [1]}).replace_schema_metadata({"trickline masks": CARD}), bad)
    with pytest.raises(UserError, match="no layer of masks"):
        MaskLayer.read(bad)
    with pytest.raises(UserError, match="no file"):
        MaskLayer.read(tmp_path / "nowhere.parquet")


def test_a_layer_that_unpacks_to_far_more_than_it_is_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.recognize.masks._MAX_BYTES", 4_000_000)
    path = stored(tmp_path / "bomb.parquet", CARD, [0, 1], [bytes(3_000_000), bytes(3_000_001)])
    assert path.stat().st_size < 1_000_000
    monkeypatch.delattr("pyarrow.parquet.ParquetFile.read")
    with pytest.raises(UserError, match="no layer of masks"):
        MaskLayer.read(path)


def test_a_layer_that_could_not_be_read_back_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.recognize.masks._MAX_BYTES", 2000)
    layer = layer_of(range(30))  # over a hundred runs of four bytes each
    with pytest.raises(UserError, match=r"too large to be kept: choose a shorter stretch"):
        layer.write(tmp_path / "layer.parquet")
    assert list(tmp_path.iterdir()) == []


## Cutting out


def colours(path: Path, pixels: str = "rgb24") -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format=pixels) for frame in container.decode(video=0)])


def test_only_the_masked_pixels_are_left_on_a_colour(footage: Video, tmp_path: Path) -> None:
    told: list[float] = []
    plan = plan_of(footage, 5, 30)
    out = tmp_path / "out.mp4"
    cut_out(footage, plan, layer_of(range(5, 25)), out, "#00ff00", told.append)
    after, before = colours(out).astype(int), colours(footage.path).astype(int)[5:31]
    assert len(after) == 26
    assert np.abs(np.array(frame_times(out)) - (footage.pts_s[5:31] - footage.pts_s[5])).max() < 0.002
    green = np.abs(after - [0, 255, 0]).mean(axis=-1) < 60
    for number in range(26):
        inside = box_mask(number + 5) if number < 20 else np.zeros((HEIGHT, WIDTH), dtype=bool)
        near_edge = np.zeros_like(inside)
        for shift in (-3, -2, -1, 1, 2, 3):  # chroma is half as fine, and the coder smears it
            for axis in (0, 1):
                near_edge |= inside != np.roll(inside, shift, axis)
        assert not green[number][inside & ~near_edge].any()
        assert green[number][~inside & ~near_edge].all()
        if inside.any():
            assert np.abs(after[number] - before[number])[inside & ~near_edge].mean() < 10
    assert len(beeps_s(out)) >= 1
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_blurred_background_is_without_detail_and_the_person_is_not(footage: Video, tmp_path: Path) -> None:
    cut_out(footage, plan_of(footage, 5, 20), layer_of(range(5, 21)), tmp_path / "out.mp4", "blur")
    after, before = colours(tmp_path / "out.mp4", "gray").astype(int), colours(footage.path, "gray").astype(int)[5:21]
    inside, outside = (slice(None), slice(25, 75), slice(54, 58)), (slice(None), slice(85, 96), slice(None))
    assert np.abs(after[inside] - before[inside]).mean() < 8
    detail = np.abs(np.diff(after[outside], axis=2)).mean() / np.abs(np.diff(before[outside], axis=2)).mean()
    assert detail < 0.4


def test_a_transparent_clip_carries_the_masks_as_its_alpha(footage: Video, tmp_path: Path) -> None:
    out = tmp_path / "out.webm"
    assert cut_out(footage, plan_of(footage, 5, 14), layer_of(range(5, 15)), out, "transparent") == out
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.name == "vp9"
        assert (
            container.streams.video[0].metadata.get("alpha_mode", container.streams.video[0].metadata.get("ALPHA_MODE"))
            == "1"
        )
        assert container.streams.audio
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    alphas = []
    with av.open(str(out)) as container:
        for packet in container.demux(video=0):
            alphas += [
                frame.to_ndarray(format="rgba")[..., 3] for frame in decoder.decode(packet if packet.size else None)
            ]
    assert len(alphas) == 10
    for number, alpha in enumerate(alphas):
        assert ((alpha > 128) == box_mask(number + 5)).mean() > 0.98


def test_a_layer_of_another_size_is_stretched(footage: Video, tmp_path: Path) -> None:
    half = MaskLayer.from_masks([(0, box_mask(0)[::2, ::2]), (1, box_mask(1)[::2, ::2])])
    cut_out(footage, plan_of(footage, 0, 1), half, tmp_path / "out.mp4", "#00ff00")
    green = np.abs(colours(tmp_path / "out.mp4").astype(int) - [0, 255, 0]).mean(axis=-1) < 60
    assert abs((~green[0]).sum() - box_mask(0).sum()) < 0.15 * box_mask(0).sum()


@pytest.mark.parametrize("background", ["green", "#00ff0", "#00ff00:t=1", "#00fg00", "", "transparent"])
def test_a_background_that_is_none_is_refused(footage: Video, tmp_path: Path, background: Background) -> None:
    with pytest.raises(UserError, match=r"is no background|\.webm"):
        cut_out(footage, plan_of(footage, 0, 1), layer_of([0, 1]), tmp_path / "out.mp4", background)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "background", "why"),
    [
        ("out.webm", "blur", r"let it end in \.mp4"),
        ("out.mp4", "transparent", r"let its name end in \.webm"),
        ("a file/out.mp4", "blur", "a file stands where a folder is needed"),
    ],
)
def test_a_clip_that_cannot_be_written_is_refused_before_anybody_is_outlined(
    footage: Video, tmp_path: Path, name: str, background: Background, why: str
) -> None:
    """The weights are none: outlining would speak of them."""
    (tmp_path / "a file").touch()
    with Workspace.open(tmp_path / "home") as workspace, pytest.raises(UserError, match=why):
        cut_out_clicked(
            footage, workspace, [Click(0, 0.5, 0.5)], (0, 3), tmp_path / "none.pt", tmp_path / name, background
        )


@pytest.mark.parametrize(("name", "background"), [("out.mp4", "#000000"), ("out.webm", "transparent")])
def test_a_stopped_cut_leaves_nothing(footage: Video, tmp_path: Path, name: str, background: Background) -> None:
    asked, plan = iter(range(10_000)), plan_of(footage, 0, 39)
    with pytest.raises(Cancelled):
        cut_out(footage, plan, layer_of([0]), tmp_path / name, background, None, lambda: next(asked) > 20)
    assert list(tmp_path.iterdir()) == []


## SAM 2


def test_without_weights_one_sentence_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    for named in (None, tmp_path / "sam2.1_b.pt"):
        with pytest.raises(UserError) as refused:
            find_weights(tmp_path / "weights", named)
        said = str(refused.value)
        assert "sam2.1_t.pt" in said
        assert str(tmp_path / "weights") in said
        assert "Apache-2.0" in said
        assert "AGPL-3.0" in said


def test_the_best_weights_that_are_there_are_taken(tmp_path: Path) -> None:
    for name in ("sam2_b.pt", "sam2.1_s.pt", "yolov8n-pose.pt"):
        (tmp_path / name).touch()
    assert find_weights(tmp_path).name == "sam2.1_s.pt"
    with pytest.raises(UserError, match="none of the weights of SAM 2"):
        find_weights(tmp_path, tmp_path / "yolov8n-pose.pt")


def test_weights_that_may_not_be_looked_at_are_one_sentence(tmp_path: Path) -> None:
    """As below a folder that may not be entered, the system refuses to say whether there is such a file."""
    for folder, named in ((tmp_path / ("x" * 300), None), (tmp_path, tmp_path / ("x" * 300) / "sam2_t.pt")):
        with pytest.raises(UserError, match="cannot be looked at"):
            find_weights(folder, named)


def test_a_layer_is_kept_by_the_content_and_all_that_changes_it(
    footage: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    weights = tmp_path / "sam2_t.pt"
    weights.write_bytes(b"one")
    content, click = content_id(footage.path), Click(3, 0.5, 0.5)
    with Workspace.open(tmp_path / "home") as workspace:
        wishes = [[click], [Click(3, 0.5, 0.6)], [click, Click(3, 0.1, 0.1)], [click, Click(3, 0.1, 0.1, False)]]
        spans = [(3, 9), (3, 10), (2, 9)]
        places = {layer_path(workspace, content, clicks, span, weights) for clicks in wishes for span in spans}
        weights.write_bytes(b"two")
        places.add(layer_path(workspace, content, [click], (3, 9), weights))
        assert len(places) == 13
        place = places.pop()
        layer_of([3]).write(place)
        assert MaskLayer.read(place).frames.tolist() == [3]


@pytest.mark.parametrize(
    ("clicks", "span", "why"),
    [
        ([], (1, 5), "one and the same frame"),
        ([Click(1, 0.5, 0.5, False)], (1, 5), "one and the same frame"),
        ([Click(1, 0.5, 0.5), Click(2, 0.5, 0.5)], (1, 5), "one and the same frame"),
        ([Click(6, 0.5, 0.5)], (1, 5), "not within the frames 1 to 5"),
        ([Click(0, 0.5, 0.5)], (1, 5), "not within the frames 1 to 5"),
        ([Click(5, 0.5, 0.5)], (5, 4), "are not in uneven.mp4"),
        ([Click(0, 0.5, 0.5)], (0, 40), "are not in uneven.mp4"),
        ([Click(1, 1.5, 0.5)], (1, 5), "outside of the picture"),
        ([Click(1, 0.5, 0.5), Click(1, float("nan"), 0.5, False)], (1, 5), "outside of the picture"),
    ],
)
def test_clicks_that_cannot_be_followed_are_refused(
    footage: Video, tmp_path: Path, clicks: list[Click], span: tuple[int, int], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        outline(footage, clicks, span, tmp_path / "sam2_t.pt")


def test_without_ultralytics_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sam2_t.pt").touch()
    monkeypatch.setattr(outlines, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="which is not installed"):
        ready(tmp_path)


class Danger:
    """What a hostile file of weights holds: unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_weights_that_would_run_a_program_are_refused_unrun(footage: Video, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the light installation has no PyTorch")
    pytest.importorskip("ultralytics", reason="the light installation has no Ultralytics")
    weights, trace = tmp_path / "sam2_t.pt", tmp_path / "ran"
    torch.save({"model": Danger(trace)}, weights)
    for content in (weights.read_bytes(), b"", b"no weights", pickle.dumps(Danger(trace))):
        weights.write_bytes(content)
        with pytest.raises(UserError, match="holds no weights of SAM 2"):
            outline(footage, [Click(0, 0.5, 0.5)], (0, 1), weights)
    assert not trace.exists()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SAM 2 of Ultralytics' making, but with a small encoder and random numbers: what it outlines means nothing, but
    all that leads there is real."""
    pytest.importorskip("torch", reason="the light installation has no PyTorch")
    build = pytest.importorskip("ultralytics.models.sam.build", reason="the light installation has no Ultralytics")
    path = tmp_path_factory.mktemp("weights") / "sam2_t.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(build.sam_model_map, "sam2_t.pt", small)
        write_weights(path)
        yield path


def test_sam_2_itself_outlines_every_frame_from_the_click_on(footage: Video, tiny: Path, tmp_path: Path) -> None:
    told: list[float] = []
    layer = outline(footage, [Click(7, 0.4, 0.5), Click(7, 0.8, 0.5)], (7, 10), tiny, told.append, side=256)
    assert layer.frames.tolist() == [7, 8, 9, 10]
    assert (layer.width, layer.height) == (WIDTH, HEIGHT)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert 0 < told[3] < 0.25  # the film that SAM 2 reads is a part of the work
    layer.write(tmp_path / "layer.parquet")
    assert np.array_equal(MaskLayer.read(tmp_path / "layer.parquet").mask(8), layer.mask(8))


def test_outlines_go_back_from_the_click_too(footage: Video, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "_HELD_BYTES", 2 * 3 * WIDTH * HEIGHT)  # pairs of pictures are turned round
    shown: dict[int, list[int]] = {}
    pictures = outlines._pictures

    def watched(video: Video, frames: range, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
        shown[frames.step] = [number_on(picture[..., 1]) for picture in pictures(video, frames, size)]
        return pictures(video, frames, size)

    monkeypatch.setattr(outlines, "_pictures", watched)
    told: list[float] = []
    layer = outline(footage, [Click(9, 0.4, 0.5), Click(9, 0.1, 0.1, False)], (4, 10), tiny, told.append, side=256)
    assert shown == {1: [9, 10], -1: [9, 8, 7, 6, 5, 4]}
    assert layer.frames.tolist() == [4, 5, 6, 7, 8, 9, 10]
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.fixture
def damaged(tmp_path: Path) -> Video:
    """Thirty frames of which 12 to 17, a group of pictures, and the last six cannot be decoded."""
    path = write_footage(
        Footage("damaged.mp4", steps(512, 0, 30), Fraction(1, 15360), sound_s=None, options={"g": "6", "bf": "0"}),
        tmp_path / "damaged.mp4",
    )
    with av.open(str(path)) as container:
        packets = [one for one in container.demux(container.streams.video[0]) if one.size]
        places = [(one.pos or 0, one.size) for one in packets]
    content = bytearray(path.read_bytes())
    for position, size in [*places[12:18], *places[24:]]:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    video = Video.open(path)
    assert video.n_frames == 30
    return video


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        (range(9, 21), [9, 10, 11, 11, 11, 11, 18, 18, 18, 18, 19, 20]),
        (range(20, 8, -1), [20, 19, 18, 18, 18, 18, 11, 11, 11, 11, 10, 9]),
        (range(14, 20), [18, 18, 18, 18, 18, 19]),
        (range(14, 8, -1), [11, 11, 11, 11, 10, 9]),
        (range(22, 30), [22, 23, *[23] * 6]),
    ],
)
def test_a_damaged_frame_of_the_film_is_stood_for_by_the_nearest_other(
    damaged: Video, monkeypatch: pytest.MonkeyPatch, frames: range, shown: list[int]
) -> None:
    """Else all masks after it would be those of other frames."""
    monkeypatch.setattr(outlines, "_HELD_BYTES", 4 * 3 * WIDTH * HEIGHT)  # four pictures are turned round at a time
    pictures = outlines._pictures(damaged, frames, (WIDTH, HEIGHT))
    seen = [number_on(picture[..., 1]) for picture in pictures]
    assert len(seen) == len(frames)
    middle = [14, 15]  # as far from 11 as from 18, or nearly: the one decoded first may stand for both
    assert [one for one, frame in zip(seen, frames, strict=True) if frame not in middle] == [
        one for one, frame in zip(shown, frames, strict=True) if frame not in middle
    ]


def test_a_stretch_without_any_picture_is_refused(damaged: Video) -> None:
    with pytest.raises(UserError, match=r"damaged\.mp4 has no frame that can be decoded from 12 to 17"):
        list(outlines._pictures(damaged, range(17, 11, -1), (WIDTH, HEIGHT)))


def test_sam_2_outlines_every_frame_of_damaged_footage(damaged: Video, tiny: Path) -> None:
    layer = outline(damaged, [Click(11, 0.4, 0.5)], (9, 19), tiny, side=256)
    assert layer.frames.tolist() == list(range(9, 20))


def test_too_little_memory_is_told_in_a_sentence(footage: Video, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch itself raises for an exabyte."""
    import torch
    from ultralytics.models.sam import SAM2VideoPredictor

    def greedy(*_: Any, **__: Any) -> Any:
        return torch.empty(1 << 60)

    monkeypatch.setattr(SAM2VideoPredictor, "inference", greedy)
    with pytest.raises(UserError, match="too little memory to outline 4 frames: choose a shorter stretch"):
        outline(footage, [Click(0, 0.4, 0.5)], (0, 3), tiny, side=256)


def test_a_kept_layer_that_is_damaged_is_made_anew(footage: Video, tiny: Path, tmp_path: Path) -> None:
    clicks, span = [Click(0, 0.4, 0.5)], (0, 1)
    with Workspace.open(tmp_path / "home") as workspace:
        path = layer_path(workspace, content_id(footage.path), clicks, span, tiny)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"PAR1")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outlines, "outline", partial(outline, side=256))
            assert outlined(footage, workspace, clicks, span, tiny).frames.tolist() == [0, 1]
        assert MaskLayer.read(path).frames.tolist() == [0, 1]


def test_what_is_excluded_is_told_of_every_person() -> None:
    clicks = [Click(0, 0.5, 0.5), Click(0, 0.1, 0.2, False), Click(0, 0.75, 0.5)]
    assert outlines._points(clicks, (200, 100)) == (
        [[[100.0, 50.0], [20.0, 20.0]], [[150.0, 50.0], [20.0, 20.0]]],
        [[1, 0], [1, 0]],
    )


def test_outlining_can_be_stopped(footage: Video, tiny: Path) -> None:
    with pytest.raises(Cancelled):
        outline(footage, [Click(0, 0.4, 0.5)], (0, 3), tiny, None, lambda: True, side=256)


def test_weights_of_another_network_under_this_name_are_refused(footage: Video, tiny: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    weights = tmp_path / "sam2_t.pt"
    torch.save({"model": {"something": torch.zeros(3)}}, weights)
    with pytest.raises(UserError, match="does not hold what its name says"):
        outline(footage, [Click(0, 0.4, 0.5)], (0, 1), weights, side=256)
