"""Exact clips of whatever footage play in a browser, upright, from the first frame to the last.

The Chromium of Debian decodes H.264, VP8, VP9 and AV1, in MP4 and WebM, with AAC, Opus and others, and no HEVC; tried
on version 156. Firefox, Safari and phones take H.264 of 8 bits in 4:2:0 with AAC too, which is why clips are that.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from core.clips import cut_clip
from core.video import Video
from tests.numbered import BLOCK, HEIGHT, STRIP, WIDTH, write_footage
from tests.test_export_matrix import BY_NAME, middle

# Each codec, depth, rotation, kind of sound and rate at least once.
FOOTAGE = (
    "h264_24.mp4",
    "h264_2997_deep_late.mkv",
    "h264_uneven_turned_tmcd.mov",
    "hevc_uneven_turned_gpmd.mov",
    "hevc_60_deep_upside_down.mp4",
    "hevc_120_late.ts",
    "vp9_23976_deep.mkv",
    "av1_120_deep.mp4",
    "vp9_uneven.mp4",
)

PLAY = """async ([clips, strip, block]) => {
  const wait = (target, event) => new Promise((done, failed) => {
    target.addEventListener(event, done, { once: true });
    target.addEventListener('error', () => failed(target.error?.message ?? 'cannot be played'), { once: true });
  });
  const numberOn = (video) => {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight).getContext('2d');
    canvas.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 10; bit += 1) {
      const [x, y] = [strip + (bit % 2) * block, Math.floor(bit / 2) * block];
      if (canvas.getImageData(x + block / 2, y + block / 2, 1, 1).data[1] > 128) number |= 1 << bit;
    }
    return number;
  };
  const play = async ([name, url, times]) => {
    const video = document.createElement('video');
    video.muted = true;
    document.body.append(video);
    const ready = wait(video, 'loadeddata');
    video.src = url;
    await ready;
    const painted = [];
    const painting = (_, frame) => { painted.push(frame.mediaTime); video.requestVideoFrameCallback(painting); };
    video.requestVideoFrameCallback(painting);
    const ended = wait(video, 'ended');
    await video.play();
    await ended;
    const played = video.currentTime;
    const numbers = [];
    for (const time of times) {
      const sought = wait(video, 'seeked');
      video.currentTime = time;
      await sought;
      numbers.push(numberOn(video));
    }
    return [name, { size: [video.videoWidth, video.videoHeight], error: video.error, played, numbers,
                    duration: video.duration, painted: painted.length, sound: video.webkitAudioDecodedByteCount }];
  };
  return Object.fromEntries(await Promise.all(clips.map(play)));
}"""


def test_clips_of_any_footage_play(open_page: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory) -> None:
    """A clip that only its maker can play is none; one on its side is deleted."""
    folder = tmp_path_factory.mktemp("clips")
    clips, wanted = [], {}
    for name in FOOTAGE:
        video = Video.open(write_footage(BY_NAME[name], folder / name))
        plan = middle(video)
        path = cut_clip(video, plan, folder / f"{Path(name).stem}_clip.mp4").path
        # In the middle of the first frame, of one on the way, and of the last.
        frames = [plan.start_frame, (plan.start_frame + plan.end_frame) // 2, plan.end_frame]
        times = [float(video.pts_s[frame] + video.end_of(frame)) / 2 - plan.start_s for frame in frames]
        url = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
        clips.append([name, url, times])
        wanted[name] = (frames, plan.end_s - plan.start_s, video.info.audio is not None)
    page = open_page()
    page.set_content("<!doctype html><title>Clips</title>")
    shown = page.evaluate(PLAY, [clips, STRIP, BLOCK])
    for name, (frames, seconds, sound) in wanted.items():
        seen = shown[name]
        assert seen["error"] is None, name
        assert seen["size"] == [WIDTH, HEIGHT], name
        assert seen["numbers"] == frames, name
        assert seen["duration"] == pytest.approx(seconds, abs=0.05), name
        assert seen["played"] == pytest.approx(seen["duration"], abs=0.05), name
        assert seen["painted"] > 2, name
        assert (seen["sound"] > 0) == sound, name
