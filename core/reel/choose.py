"""What a reel shows, in which order and for how long: all of it decided before anything is decoded.

The least liked goes first where the reel would be too long. Before a trick is left out padding gets shorter, then
replays go: another trick is worth more than a second look at one, and both more than the way to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.clips import ClipPlan, plan_clips
from core.errors import UserError
from core.intervals import Interval
from core.lettering import plain
from core.reel.presets import Preset
from core.settings import ClipSettings, ReelSettings
from core.timecode import clock
from core.video import Video

FADE_S = 0.4
TITLE_S = 2.0
_LEAST_PADDING_S = 0.5
"""Shorter, a trick is over before the eye has found the skater."""
_AROUND_AIR_S = 0.25
_MANY_FRAMES = 90.0
"""From so many frames a second on the footage has its own frames for a replay."""
_SLOWEST, _SLOWER = 4, 3
"""A quarter of the speed from the footage's own frames, a third where two of three frames are made up."""
_SHORTEST_FADE = 3
"""Frames; a shorter one is seen as a fault."""
_CLAIMED_MUSIC_S = 60.0
_NAMED = 5
"""So many tricks that are left out are named."""
_KINDS: tuple[Literal["title", "trick", "replay"], ...] = ("title", "trick", "replay")
_TITLE, _TRICK, _REPLAY = range(3)


@dataclass(frozen=True)
class Moment:
    """One trick that may be in a reel."""

    trick: Interval
    """First to last decoded frame, and its name."""
    stars: int
    """0: none given."""
    confidence: float | None
    air: Interval
    """From take-off to landing: what a replay shows."""

    @property
    def rank(self) -> tuple[float, float, int]:
        """Ascends from the most liked: by stars, then confidence, then time."""
        return -self.stars, -1.0 if self.confidence is None else -1.0 - self.confidence, self.trick.start_frame


@dataclass(frozen=True)
class Segment:
    """A part of the reel that is rendered as one."""

    kind: Literal["title", "trick", "replay"]
    moment: Moment
    number: int
    """Of the trick in the reel, from 1."""
    shown: Interval
    """Frames of the footage; of a title the one that stands behind it."""
    slower: int
    """So many times as long as in the footage."""
    own_frames: bool
    """Whether the footage has enough frames for that."""
    frames: int
    """Of the reel."""
    before: int
    """Frames of the reel ahead of what matters: how far a fade may reach into it."""
    after: int


@dataclass(frozen=True)
class Choice:
    """A reel that is not rendered yet."""

    segments: tuple[Segment, ...]
    fades: tuple[int, ...]
    """Frames that each segment shares with the next: one fewer than segments, 0 for a hard cut."""
    notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Of the whole reel."""
        return sum(segment.frames for segment in self.segments) - sum(self.fades)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of the reel in which each segment is seen."""
        lengths = [segment.frames - fade for segment, fade in zip(self.segments, self.fades, strict=False)]
        return (0, *np.cumsum(lengths, dtype=int).tolist())


def choose(video: Video, moments: Sequence[Moment], settings: ReelSettings, preset: Preset, padding_s: float) -> Choice:
    """Decide what is shown.

    Padding never reaches into a trick next to it that is shown too: the time between them is shared.

    Args:
        padding_s: shown before and after each trick, at most.

    Raises:
        UserError: there are no moments, or one begins after the last frame of the video.
    """
    if not moments:
        raise UserError(f"There is no trick of {video.path.name} to make a reel of: keep or label one first.")
    limits = [limit for limit in (settings.target_s, preset.longest_s) if limit is not None]
    longest_s = min(limits, default=None)
    least_s = min(padding_s, _LEAST_PADDING_S)
    liked = sorted(moments, key=lambda moment: moment.rank)
    plans = _Plans(video, liked, settings, preset)

    def fits(plan: _Plan) -> bool:
        return longest_s is None or plan.frames <= longest_s * preset.fps

    def possible(kept: int, replayed: int) -> bool:
        return any(fits(plans.plan(kept, replayed, padding)) for padding in (padding_s, least_s))

    kept, replayed = len(liked), 0
    if settings.replay:
        # A replay is longer than the fades at its ends, so each one makes the reel longer.
        replayed = bisect_left(range(kept), True, key=lambda fewer: not possible(kept, fewer + 1))
    if not replayed:
        # A trick need not: it may take more in fades, and in padding of those beside it. So no number is passed over.
        kept = next((count for count in range(kept, 0, -1) if possible(count, 0)), 1)
    plan = plans.plan(kept, replayed, padding_s)
    if not fits(plan):
        plan = plans.plan(kept, replayed, least_s)
        fits_s, too_long_s = least_s, padding_s
        while fits(plan) and too_long_s - fits_s > 0.5 / preset.fps:
            middle_s = (fits_s + too_long_s) / 2
            better = plans.plan(kept, replayed, middle_s)
            if fits(better):
                plan, fits_s = better, middle_s
            else:
                too_long_s = middle_s
    choice = plans.choice(plan)
    notes = [] if longest_s is None else [*_shortened(plan, liked, video, settings, preset, longest_s, padding_s)]
    if settings.preset == "short" and settings.music and choice.frames / preset.fps > _CLAIMED_MUSIC_S:
        notes.append(
            "YouTube blocks a Short of more than 60 s whose music somebody claims: use music that is free, or 60 s."
        )
    return replace(choice, notes=tuple(notes))


@dataclass(frozen=True)
class _Plan:
    """A reel in arrays, with a column for each segment: many are tried before one is chosen."""

    kept: int
    """So many of the most liked moments are shown."""
    replayed: int
    """So many of them twice."""
    padding_s: float
    kinds: NDArray[np.int64]
    ranks: NDArray[np.int64]
    """Of the moments, from 0."""
    numbers: NDArray[np.int64]
    rest: NDArray[np.int64]
    """What is said of a segment from ``shown`` on: first and last frame, slower, own frames, frames, before, after."""
    fades: NDArray[np.int64]

    @property
    def frames(self) -> int:
        return int(self.rest[4].sum() - self.fades.sum())


class _Plans:
    """Plans of reels of the most liked of some moments. What is the same in all of them is found out once."""

    def __init__(self, video: Video, liked: Sequence[Moment], settings: ReelSettings, preset: Preset) -> None:
        """Raises :class:`UserError` if a moment begins after the last frame."""
        self._video, self._liked, self._settings, self._fps = video, liked, settings, preset.fps
        self._ends_s = np.append(video.pts_s[1:], video.info.duration_s)
        self._by_time = np.array(sorted(range(len(liked)), key=lambda rank: liked[rank].trick))
        self._found = dict[float, NDArray[np.int64]]()
        self._padded(0.0)
        self._tricks = _table([self._within(moment.trick) for moment in liked])
        self._replays = self._all_replays() if settings.replay else np.empty((7, 0), np.int64)
        self._title = self._best_title() if settings.title.strip() else np.empty((7, 0), np.int64)

    def plan(self, kept: int, replayed: int, padding_s: float) -> _Plan:
        """The reel of the ``kept`` most liked moments, of which the ``replayed`` most liked are seen twice."""
        in_time = self._by_time[self._by_time < kept]
        numbers = np.arange(1, kept + 1)
        if self._settings.order == "time":
            numbers[in_time] = np.arange(1, kept + 1)
        titles = self._title.shape[1]
        kinds = np.repeat([_TITLE, _TRICK, _REPLAY], [titles, kept, replayed])
        ranks = np.concatenate([np.zeros(titles, np.int64), np.arange(kept), np.arange(replayed)])
        number = np.where(kinds == _TITLE, 0, numbers[ranks])
        order = np.lexsort((kinds, number))
        shown = self._without_repeats(in_time, padding_s)
        tricks = self._timed(shown, self._tricks[:, :kept], np.ones(kept, np.int64), np.ones(kept, np.int64))
        rest = np.concatenate([self._title, tricks, self._replays[:, :replayed]], axis=1)[:, order]
        room = np.minimum(np.minimum(rest[6, :-1], rest[5, 1:]), round(FADE_S * self._fps))
        fades = np.where((self._settings.transition == "fade") & (room >= _SHORTEST_FADE), room, 0)
        return _Plan(kept, replayed, padding_s, kinds[order], ranks[order], number[order], rest, fades)

    def choice(self, plan: _Plan) -> Choice:
        """A plan in words, without notes."""
        segments = tuple(
            Segment(_KINDS[kind], self._liked[rank], number, Interval(first, last), slower, bool(own), *frames)
            for kind, rank, number, (first, last, slower, own, *frames) in zip(
                plan.kinds.tolist(), plan.ranks.tolist(), plan.numbers.tolist(), plan.rest.T.tolist(), strict=True
            )
        )
        return Choice(segments, tuple(plan.fades.tolist()), ())

    def _without_repeats(self, in_time: NDArray[np.int64], padding_s: float) -> NDArray[np.int64]:
        """First and last padded frame of each trick by rank: what lies between two goes half to either."""
        first, last = self._padded(padding_s)[:, in_time]
        starts, ends = self._tricks[:, in_time]
        middle = (ends[:-1] + starts[1:]) // 2
        last[:-1] = np.minimum(last[:-1], np.maximum(middle, ends[:-1]))
        first[1:] = np.maximum(first[1:], np.minimum(middle + 1, starts[1:]))
        shown = np.empty((2, len(in_time)), np.int64)
        shown[:, in_time] = first, last
        return shown

    def _padded(self, padding_s: float) -> NDArray[np.int64]:
        """First and last padded frame of each trick by rank, as if it were alone."""
        if padding_s not in self._found:
            padding = ClipSettings(clip_padding_s=padding_s)
            plans = [plan_clips([moment.trick], self._video, padding)[0] for moment in self._liked]
            self._found[padding_s] = _table(plans)
        return self._found[padding_s]

    def _best_title(self) -> NDArray[np.int64]:
        air = self._within(self._liked[0].air)
        middle = (air.start_frame + air.end_frame) // 2
        frames = round(TITLE_S * self._fps)
        return np.array([[middle, middle, 1, 1, frames, frames // 3, frames // 3]]).T

    def _all_replays(self) -> NDArray[np.int64]:
        video, airs = self._video, [self._within(moment.air) for moment in self._liked]
        shown, slower, own = list[Interval](), list[int](), list[bool]()
        for air in airs:
            first = video.frame_at(float(video.pts_s[air.start_frame]) - _AROUND_AIR_S)
            around = Interval(first, video.frame_at(video.end_of(air.end_frame) + _AROUND_AIR_S))
            rate = around.frames / (video.end_of(around.end_frame) - float(video.pts_s[first]))
            has_own = rate >= 0.99 * _MANY_FRAMES
            shown.append(around)
            own.append(has_own)
            slower.append(int(np.clip(round(rate / self._fps), _SLOWER, _SLOWEST)) if has_own else _SLOWER)
        return self._timed(_table(shown), _table(airs), np.array(slower), np.array(own, np.int64))

    def _timed(
        self,
        shown: NDArray[np.int64],
        matters: NDArray[np.int64],
        slower: NDArray[np.int64],
        own_frames: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """The columns of segments that show these frames, first and last."""
        start_s, end_s = self._video.pts_s[shown[0]], self._ends_s[shown[1]]
        a_second = self._fps * slower
        frames = np.maximum(1, np.rint((end_s - start_s) * a_second)).astype(np.int64)
        before = ((self._video.pts_s[matters[0]] - start_s) * a_second + 1e-6).astype(np.int64)
        after = ((end_s - self._ends_s[matters[1]]) * a_second + 1e-6).astype(np.int64)
        before = np.minimum(before, frames - 1)
        return np.stack([*shown, slower, own_frames, frames, before, np.minimum(after, frames - 1 - before)])

    def _within(self, interval: Interval) -> Interval:
        """What of an interval the video has."""
        return interval.pad(0, 0, self._video.n_frames - 1)


def _table(stretches: Sequence[Interval] | Sequence[ClipPlan]) -> NDArray[np.int64]:
    """First and last frames: shape ``(2, n)``."""
    return np.array([(one.start_frame, one.end_frame) for one in stretches], np.int64).T


def _shortened(
    plan: _Plan,
    liked: Sequence[Moment],
    video: Video,
    settings: ReelSettings,
    preset: Preset,
    longest_s: float,
    padding_s: float,
) -> Iterator[str]:
    """What had to go to make the reel no longer than that."""
    length_s = plan.frames / preset.fps
    to_fit = f"to keep the reel within {longest_s:g} s"
    if plan.padding_s < padding_s:
        yield f"Padding is {plan.padding_s:.1f} s instead of {padding_s:g} s, {to_fit}."
    left_out = sorted(liked[plan.kept :], key=lambda moment: moment.trick)
    if left_out:
        names = ", ".join(
            f"{plain(moment.trick.label)} at {clock(float(video.pts_s[moment.trick.start_frame]))[:-3]}"
            for moment in left_out[:_NAMED]
        )
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        yield f"Left out {to_fit}: {names}{more}."
    if settings.replay and plan.replayed < plan.kept:
        yield f"{'Not all are' if plan.replayed else 'No trick is'} shown again in slow motion, {to_fit}."
    if length_s > longest_s:
        yield f"The reel takes {length_s:.1f} s and not {longest_s:g} s: it cannot be shorter than its one trick."
