"""What a recognizer has to beat: classifiers of what needs no look at the movement, or at the pictures.

Colours of the whole picture tell places apart. Where they name moments as well as the recognizer does, the data are
split so that places are learnt, and the figures say nothing about movement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import Cancelled
from core.recognize.frames import read_frames
from core.recognize.light.classifier import Classifier, softmax
from core.recognize.light.moment import moment_of
from core.recognize.light.sight import Eyes
from core.recognize.loading import Cancel, Progress
from core.recognize.samples import ClipSample
from core.recognize.videos import Videos
from core.workspace import Workspace

BINS = (16, 4, 4)
"""Of hue, saturation and value."""
_FRAMES = 8
_PICTURE = (160, 120)
_JOINTS = (0, *range(5, 17))
_SWAPPED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)  # left for right, of those

FitPredict = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int], NDArray[np.float64]]
"""Training rows, their classes, rows to judge and the number of classes to probabilities."""


def colour_histograms(
    samples: Sequence[ClipSample], progress: Progress | None = None, cancelled: Cancel | None = None
) -> NDArray[np.float32]:
    """Square roots of the shares of colours in the whole picture, the mean of eight frames: ``(n, 256)``.

    Raises:
        UserError: a video cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    import cv2

    found, videos = np.empty((len(samples), int(np.prod(BINS))), np.float32), Videos()
    for number, sample in enumerate(_one_by_one(samples, "counting colours", progress, cancelled)):
        whole = ClipSample(sample.path, sample.label, sample.group, sample.start_frame, sample.end_frame)
        pictures = read_frames(whole, _FRAMES, _PICTURE, video=videos.open(sample.path)).reshape(-1, _PICTURE[0], 3)
        hsv = cv2.cvtColor(pictures, cv2.COLOR_RGB2HSV)
        counts = cv2.calcHist([hsv], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256])
        found[number] = np.sqrt(counts.ravel() / counts.sum())
    return found


def key_points(
    samples: Sequence[ClipSample],
    workspace: Workspace,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> NDArray[np.float32]:
    """Where the joints of the skater are in the pictures of the moment, in torso lengths from his hips: shape
    ``(n, 2, k)``, as filmed and mirrored; 0 where a joint, or everybody, is unseen.

    Raises:
        UserError: a video cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    eyes = Eyes(workspace)
    found = []
    for sample in _one_by_one(samples, "placing joints", progress, cancelled):
        video = eyes.video(sample.path)
        sight = eyes.see(video)
        frames = moment_of(ClipSample(sample.path, "", "", sample.start_frame, sample.end_frame), video, sight).frames
        table, rows = sight.signals.table, sight.signals.rows
        points = np.full((len(rows), len(_JOINTS), 2), np.nan)
        seen = rows >= 0
        points[seen] = sight.pose.keypoints[rows[seen]][:, _JOINTS, :2]
        points *= [video.info.width / video.info.height, 1.0]
        hips = points[:, 7:9].mean(axis=1, keepdims=True)
        body = (points - hips) / table["body_scale"].to_numpy(np.float64)[:, None, None]
        nearest = np.abs(table["frame"].to_numpy()[None] - frames[:, None]).argmin(axis=1)
        filmed = np.clip(np.nan_to_num(body[nearest]), -5, 5)
        found.append(np.stack([filmed, filmed[:, _SWAPPED] * [-1.0, 1.0]]).reshape(2, -1))
    return np.array(found, np.float32)


def _one_by_one(
    samples: Sequence[ClipSample], step: str, progress: Progress | None, cancelled: Cancel | None
) -> Iterator[ClipSample]:
    for number, sample in enumerate(samples):
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress(step, number / len(samples))
        yield sample
    if progress:
        progress(step, 1.0)


def linear(x: NDArray[np.float32], c: float) -> FitPredict:
    """Logistic regression over features of shape ``(n, views, k)``."""

    def fit_predict(
        train: NDArray[np.int64], y: NDArray[np.int64], test: NDArray[np.int64], classes: int
    ) -> NDArray[np.float64]:
        return softmax(Classifier.fit(x[train], y, classes, c).logits(x[test]))

    return fit_predict


def forest(x: NDArray[np.float32], seed: int) -> FitPredict:
    """A random forest over features of shape ``(n, k)``."""
    from sklearn.ensemble import RandomForestClassifier

    def fit_predict(
        train: NDArray[np.int64], y: NDArray[np.int64], test: NDArray[np.int64], classes: int
    ) -> NDArray[np.float64]:
        model = RandomForestClassifier(300, class_weight="balanced", random_state=seed).fit(x[train], y)
        found = np.zeros((len(test), classes))
        found[:, model.classes_] = model.predict_proba(x[test])
        return found

    return fit_predict
