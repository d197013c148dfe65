"""What a reel shows, in which order and for how long: all of it decided before anything is decoded.

The least liked goes first where the reel would be too long. Before a trick is left out padding gets shorter, then
replays go: another trick is worth more than a second look at one, and both more than the way to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.clips import plan_clips
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

    def tried(kept: int, replayed: int, padding_s: float) -> _Plan:
        return _Plan(video, liked[:kept], liked[:replayed], settings, preset, padding_s)

    liked = sorted(moments, key=lambda moment: moment.rank)
    for kept, replayed in _from_most_to_least(len(liked), settings.replay):
        plan = tried(kept, replayed, padding_s)
        if longest_s is None or plan.fits(longest_s):
            break
        plan = tried(kept, replayed, least_s)
        if plan.fits(longest_s):
            fits_s, too_long_s = least_s, padding_s
            while too_long_s - fits_s > 0.5 / preset.fps:
                middle_s = (fits_s + too_long_s) / 2
                better = tried(kept, replayed, middle_s)
                if better.fits(longest_s):
                    plan, fits_s = better, middle_s
                else:
                    too_long_s = middle_s
            break
    left_out, unreplayed = liked[kept:], liked[replayed:kept] if settings.replay else []
    return plan.choice(tuple(_notes(plan, left_out, unreplayed, settings, longest_s, padding_s)))


def _from_most_to_least(moments: int, replay: bool) -> Iterator[tuple[int, int]]:
    """How many moments are kept and how many of them replayed, the fullest reel first."""
    if replay:
        yield from ((moments, replayed) for replayed in range(moments, 0, -1))
    yield from ((kept, 0) for kept in range(moments, 0, -1))


class _Plan:
    """A reel of certain moments."""

    def __init__(
        self,
        video: Video,
        kept: Sequence[Moment],
        replayed: Sequence[Moment],
        settings: ReelSettings,
        preset: Preset,
        padding_s: float,
    ) -> None:
        self.video, self.padding_s, self.fps = video, padding_s, preset.fps
        in_time = sorted(kept, key=lambda moment: moment.trick)
        shown = dict(zip(map(id, in_time), self._without_repeats(in_time), strict=True))
        self.segments = [self._title(kept[0])] if settings.title.strip() else []
        for number, moment in enumerate(in_time if settings.order == "time" else kept, 1):
            self.segments.append(self._trick(moment, number, shown[id(moment)]))
            if any(moment is one for one in replayed):
                self.segments.append(self._replay(moment, number))
        self.fades: list[int] = []
        for segment, following in zip(self.segments, self.segments[1:], strict=False):
            room = min(round(FADE_S * self.fps), segment.after, following.before)
            self.fades.append(room if settings.transition == "fade" and room >= _SHORTEST_FADE else 0)

    def fits(self, longest_s: float) -> bool:
        return self.choice().frames <= longest_s * self.fps

    def choice(self, notes: tuple[str, ...] = ()) -> Choice:
        return Choice(tuple(self.segments), tuple(self.fades), notes)

    def _without_repeats(self, in_time: Sequence[Moment]) -> list[Interval]:
        """The padded frames of each trick: what lies between two goes half to either."""
        padding = ClipSettings(clip_padding_s=self.padding_s)
        plans = [plan_clips([moment.trick], self.video, padding)[0] for moment in in_time]
        first, last = [plan.start_frame for plan in plans], [plan.end_frame for plan in plans]
        tricks = [self._within(moment.trick) for moment in in_time]
        for one in range(len(plans) - 1):
            middle = (tricks[one].end_frame + tricks[one + 1].start_frame) // 2
            last[one] = min(last[one], max(middle, tricks[one].end_frame))
            first[one + 1] = max(first[one + 1], min(middle + 1, tricks[one + 1].start_frame))
        return [Interval(*ends) for ends in zip(first, last, strict=True)]

    def _title(self, best: Moment) -> Segment:
        air = self._within(best.air)
        middle = (air.start_frame + air.end_frame) // 2
        frames = round(TITLE_S * self.fps)
        return Segment("title", best, 0, Interval(middle, middle), 1, True, frames, frames // 3, frames // 3)

    def _trick(self, moment: Moment, number: int, shown: Interval) -> Segment:
        return self._segment("trick", moment, number, shown, self._within(moment.trick), 1, True)

    def _replay(self, moment: Moment, number: int) -> Segment:
        video, air = self.video, self._within(moment.air)
        first = video.frame_at(float(video.pts_s[air.start_frame]) - _AROUND_AIR_S)
        shown = Interval(first, video.frame_at(video.end_of(air.end_frame) + _AROUND_AIR_S))
        rate = shown.frames / (video.end_of(shown.end_frame) - float(video.pts_s[first]))
        own_frames = rate >= 0.99 * _MANY_FRAMES
        slower = int(np.clip(round(rate / self.fps), _SLOWER, _SLOWEST)) if own_frames else _SLOWER
        return self._segment("replay", moment, number, shown, air, slower, own_frames)

    def _segment(
        self,
        kind: Literal["trick", "replay"],
        moment: Moment,
        number: int,
        shown: Interval,
        matters: Interval,
        slower: int,
        own_frames: bool,
    ) -> Segment:
        start_s, end_s = float(self.video.pts_s[shown.start_frame]), self.video.end_of(shown.end_frame)
        a_second = self.fps * slower
        frames = max(1, round((end_s - start_s) * a_second))
        before = int((float(self.video.pts_s[matters.start_frame]) - start_s) * a_second + 1e-6)
        after = int((end_s - self.video.end_of(matters.end_frame)) * a_second + 1e-6)
        before = min(before, frames - 1)
        return Segment(kind, moment, number, shown, slower, own_frames, frames, before, min(after, frames - 1 - before))

    def _within(self, interval: Interval) -> Interval:
        """What of an interval the video has."""
        return interval.pad(0, 0, self.video.n_frames - 1)


def _notes(
    plan: _Plan,
    left_out: Sequence[Moment],
    unreplayed: Sequence[Moment],
    settings: ReelSettings,
    longest_s: float | None,
    padding_s: float,
) -> Iterator[str]:
    length_s = plan.choice().frames / plan.fps
    to_fit = f"to keep the reel within {longest_s:g} s" if longest_s is not None else ""
    if plan.padding_s < padding_s:
        yield f"Padding is {plan.padding_s:.1f} s instead of {padding_s:g} s, {to_fit}."
    if left_out:
        names = ", ".join(
            f"{plain(moment.trick.label)} at {clock(float(plan.video.pts_s[moment.trick.start_frame]))[:-3]}"
            for moment in sorted(left_out, key=lambda moment: moment.trick)[:_NAMED]
        )
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        yield f"Left out {to_fit}: {names}{more}."
    if unreplayed:
        which = "No trick is" if len(unreplayed) == sum(s.kind == "trick" for s in plan.segments) else "Not all are"
        yield f"{which} shown again in slow motion, {to_fit}."
    if longest_s is not None and length_s > longest_s:
        yield f"The reel takes {length_s:.1f} s and not {longest_s:g} s: it cannot be shorter than its one trick."
    if settings.preset == "short" and settings.music and length_s > _CLAIMED_MUSIC_S:
        yield "YouTube blocks a Short of more than 60 s whose music somebody claims: use music that is free, or 60 s."
