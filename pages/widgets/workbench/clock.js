/** Seconds as people read them: 0:08.23, 1:02:05.50. Cut off and not rounded, so no time shows before it has come. */
function clock(seconds) {
  const hundredths = Math.floor(Math.max(0, seconds) * 100 + 1e-6);
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(hundredths / 6000);
  const ahead = minutes < 60 ? `${minutes}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}`;
  return `${ahead}:${two(Math.floor(hundredths / 100) % 60)}.${two(hundredths % 100)}`;
}

/** How many values of a sorted array are smaller than or equal to `value`. */
function countUpTo(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The PTS table: which frame is shown when. Seconds; frames are 0-based. */
class Times {
  constructor(pts, duration) {
    this.pts = pts;
    this.n = pts.length;
    const last = this.n > 1 ? pts[this.n - 1] - pts[this.n - 2] : 1 / 30;
    this.duration = Math.max(duration, pts[this.n - 1] + Math.min(last, 1));
  }

  at(frame) {
    return this.pts[clamp(frame, 0, this.n - 1)];
  }

  /** When the frame gives way to the next. */
  end(frame) {
    return frame + 1 < this.n ? this.pts[Math.max(0, frame + 1)] : this.duration;
  }

  length(frame) {
    return this.end(frame) - this.at(frame);
  }

  /** The frame that is shown at this time. */
  shownAt(seconds) {
    return clamp(countUpTo(this.pts, seconds + 1e-6) - 1, 0, this.n - 1);
  }

  /** The frame whose timestamp is nearest: players round timestamps. */
  nearest(seconds) {
    const before = this.shownAt(seconds);
    return before + 1 < this.n && this.pts[before + 1] - seconds < seconds - this.pts[before] ? before + 1 : before;
  }

  /** The number of the boundary nearest to this time: boundary k lies before frame k. */
  boundary(seconds) {
    const before = this.shownAt(seconds);
    return this.end(before) - seconds < seconds - this.at(before) ? before + 1 : before;
  }

  /** Where to seek to see this very frame: a little behind its timestamp, since players round that down. */
  seekTime(frame) {
    return this.at(frame) + Math.min(0.004, this.length(frame) / 4);
  }

  range(start, end) {
    return `${clock(this.at(start))} to ${clock(this.end(end))}`;
  }
}
