"""Onset strength: how suddenly sound sets in while a sampled frame is on screen.

    >>> video = Video.open("footage.mp4")                                    # doctest: +SKIP
    >>> onset_strength(video, np.arange(0, video.n_frames, 2))               # doctest: +SKIP
    array([ 0.8,  1.1, 42.3, ...])

The pop of a take-off and the clap of a landing are short and broad: they raise all bands of the spectrum at once, which
wheels, wind and voices hardly do. The positive differences of log power are averaged over the bands (Böck, Krebs and
Schedl, "Evaluating the Online Capabilities of Onset Detection Methods", ISMIR 2012) and taken over two hops (Böck and
Widmer, "Maximum Filter Vibrato Suppression for Onset Detection", DAFx 2013). The logarithm takes the loudness of the
recording out. The moving median comes off, as in the adaptive threshold of Bello et al., "A Tutorial on Onset Detection
in Music Signals", IEEE Transactions on Speech and Audio Processing 13(5), 2005; what is left is counted in moving
median absolute deviations, so that calm and busy places give comparable numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.errors import Cancelled, UserError
from core.video import Video, sound_stream

log = logging.getLogger(__name__)

RATE = 16_000
"""Samples a second that the sound is brought to, in one channel: a pop reaches up to 8 kHz."""
HOP = 160
"""Samples from one spectrum to the next: 10 ms."""
WINDOW = 256
"""Samples in a spectrum: 16 ms, short enough to place a pop in a frame at 60 fps."""
LAG = 2
"""Hops between the two spectra that are compared: their windows do not overlap."""
BAND_EDGES_HZ = np.linspace(500, 8000, 9)
"""Eight bands above most of the wind. Equally wide ones, because each then averages over many bins of the spectrum:
clicks 20 dB above white noise stand out by 20 deviations, and by 10 with thirds of an octave."""
LOCAL_S = 10.0
"""Seconds around a hop that tell what is usual there."""
MIN_SPREAD_DB = 0.1
"""Deviation below which sound is taken for steady, such as digital silence."""
FADE_IN_HOPS = 5
"""Hops after a gap that tell nothing: codecs fade in there."""
MAX_SLIP_S = 0.01
"""Timestamps that leave the count of samples by more than this begin anew: a gap, or a damaged packet."""

_FLOOR = 1e-12  # relative to full scale: about the rounding noise of 16 bits in one bin of the spectrum
_HOP_S = HOP / RATE
_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_BIN_EDGES = np.unique(np.rint(BAND_EDGES_HZ * WINDOW / RATE).astype(int))


def onset_strength(
    video: Video, frames: NDArray[np.int32], cancelled: Callable[[], bool] | None = None
) -> NDArray[np.float64]:
    """The largest onset strength in the time that each sampled frame stands for.

    That is from its PTS until the next sampled frame's, for the last one until the end of the video.

    Args:
        video: the footage; its first sound stream is read, in constant memory but for 100 values a second.
        frames: the sampled frames, ascending, shape ``(n,)``.
        cancelled: asked once per second of sound; true means stop.

    Returns:
        Shape ``(n,)``, in median absolute deviations (times 1.4826, so that they are standard deviations where the flux
        is normal) above the median of the 10 s around: steady noise stays below 5, a pop reaches tens. NaN where there
        is no sound.

    Raises:
        UserError: the file went away or its sound cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    if video.info.audio is None or not len(frames):
        return np.full(len(frames), np.nan)
    try:
        times_s, flux = _envelope(video, cancelled)
    except (av.FFmpegError, OSError) as error:
        raise UserError(
            f"The sound of {video.path.name} cannot be read ({error.strerror}): check that it plays."
        ) from error
    bounds_s = np.append(video.pts_s[frames], video.info.duration_s)
    return _largest(times_s, _normalised(flux), bounds_s)


def _envelope(video: Video, cancelled: Callable[[], bool] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When each hop is, in seconds of the video, and its flux in dB (NaN: not measured); both of shape ``(n,)``."""
    times: list[NDArray[np.float64]] = [np.empty(0)]
    fluxes: list[NDArray[np.float64]] = [np.empty(0)]
    for start_s, pieces in groupby(_pieces(video), key=itemgetter(0)):
        hops = 0
        for flux in _flux(samples for _, samples in pieces):
            if cancelled and cancelled():
                raise Cancelled
            fluxes.append(flux)
            # The middle of the later of the two windows: clicks drawn at known times are found 1 to 2 ms later.
            times.append(start_s + np.arange(hops, hops + len(flux)) * _HOP_S + WINDOW / 2 / RATE)
            hops += len(flux)
    times_s = np.concatenate(times)
    order = np.argsort(times_s, kind="stable")
    return times_s[order], np.concatenate(fluxes)[order]


def _pieces(video: Video) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Mono samples at ``RATE``, each piece with the start of the gapless stretch that it belongs to, in seconds."""
    with av.open(str(video.path), metadata_errors="ignore") as container:
        stream = sound_stream(container)
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all  # spares reading the pictures, where the container has an index
        resampler: Any = None
        layout, start_s, seconds = None, 0.0, 0.0
        for frame in _frames(container, stream):
            now_s = start_s + seconds if frame.pts is None else float(frame.pts * frame.time_base) - video.info.start_s
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or found != layout or abs(now_s - start_s - seconds) > MAX_SLIP_S:
                yield from _resampled(resampler, None, start_s)
                resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
                layout, start_s, seconds = found, now_s, 0.0
            seconds += frame.samples / frame.sample_rate
            yield from _resampled(resampler, frame, start_s)
        yield from _resampled(resampler, None, start_s)


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames; a packet that is damaged gives none."""
    for packet in container.demux(stream):
        try:
            yield from stream.codec_context.decode(packet if packet.size else None)
        except av.InvalidDataError as error:
            log.warning("%s: damaged sound was passed over (%s)", container.name, error)


def _resampled(resampler: Any, frame: Any, start_s: float) -> Iterator[tuple[float, NDArray[np.float32]]]:
    for output in resampler.resample(frame) if resampler else ():
        yield start_s, output.to_ndarray()[0]


def _flux(pieces: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float64]]:
    """Mean rise of the bands in dB, a second at a time: one value per window of a gapless stretch, NaN at its start."""
    samples = np.empty(0, np.float32)
    before = np.full((LAG, len(_BIN_EDGES) - 1), np.nan)
    unknown = FADE_IN_HOPS
    for block in _seconds(pieces):
        samples = np.concatenate((samples, block))
        if len(samples) < WINDOW:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        samples = samples[len(windows) * HOP :]
        levels = np.concatenate((before, _levels(windows)))
        before = levels[-LAG:]
        flux = np.maximum(levels[LAG:] - levels[:-LAG], 0.0).mean(axis=1)
        flux[:unknown] = np.nan
        unknown = max(0, unknown - len(flux))
        yield flux


def _seconds(pieces: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The pieces joined to a second or more each."""
    held: list[NDArray[np.float32]] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= RATE:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def _levels(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power of each band in dB of full scale: shape ``(n_windows, n_bands)``."""
    power = np.abs(np.fft.rfft(windows * _HANN) / _HANN.sum()) ** 2
    bands = np.add.reduceat(power[:, : _BIN_EDGES[-1]], _BIN_EDGES[:-1], axis=1) / np.diff(_BIN_EDGES)
    return np.asarray(10.0 * np.log10(bands + _FLOOR), np.float64)


def _normalised(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    """In moving median absolute deviations above the moving median; 0 where the flux is not known."""
    from scipy.ndimage import median_filter

    known = ~np.isnan(flux)
    strength = np.zeros(len(flux))
    if known.any():
        size = 2 * round(LOCAL_S / _HOP_S / 2) + 1
        above = flux[known] - median_filter(flux[known], size, mode="reflect")
        spread = 1.4826 * median_filter(np.abs(above), size, mode="reflect")
        strength[known] = above / np.maximum(spread, MIN_SPREAD_DB)
    return strength


def _largest(
    times_s: NDArray[np.float64], strength: NDArray[np.float64], bounds_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The largest strength from each bound until the next, NaN where there is no sound: shape ``(n_bounds - 1,)``."""
    largest = np.full(len(bounds_s) - 1, np.nan)
    hops = np.searchsorted(times_s, bounds_s)
    some = hops[1:] > hops[:-1]
    pairs = np.column_stack((hops[:-1], hops[1:]))[some].ravel()
    if len(pairs):
        largest[some] = np.maximum.reduceat(np.append(strength, -np.inf), pairs)[::2]
    if len(times_s):
        # Above 100 fps a frame may fall between two hops.
        middles_s = (bounds_s[:-1] + bounds_s[1:]) / 2
        after = np.searchsorted(times_s, middles_s)
        around = np.clip([after - 1, after], 0, len(times_s) - 1)
        away_s = np.abs(times_s[around] - middles_s)
        nearest = np.where(away_s[0] < away_s[1], around[0], around[1])
        close = ~some & (away_s.min(axis=0) <= _HOP_S)
        largest[close] = strength[nearest[close]]
    return largest
