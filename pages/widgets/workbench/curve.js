const BUCKET = 4;

/**
 * A signal that is drawn at any zoom in the time that its width takes: least and greatest values of 4, 16, 64 ...
 * samples are kept, so that no peak is lost and a pixel never costs more than a few samples.
 */
class CurveData {
  constructor(frames, values, low, high) {
    this.n = Math.min(frames.length, values.length);
    this.frames = frames;
    this.values = values;
    this.levels = [{ size: 1, low: values, high: values }];
    for (let below = this.levels[0]; below.low.length > BUCKET * 64; below = this.levels.at(-1))
      this.levels.push(coarser(below));
    const top = this.levels.at(-1);
    let [least, greatest] = [Infinity, -Infinity];
    for (let i = 0; i < top.low.length; i++) {
      if (top.low[i] < least) least = top.low[i];
      if (top.high[i] > greatest) greatest = top.high[i];
    }
    const seen = Number.isFinite(least);
    const room = seen ? (greatest - least || 1) * 0.06 : 0;
    this.low = low ?? (seen ? (least >= 0 ? Math.max(0, least - room) : least - room) : 0);
    this.high = high ?? (seen ? greatest + room : 1);
    this.empty = !seen;
    this.gap = typicalGap(frames, this.n) * 4;
  }

  /** The value that holds at this frame: that of the sample at or before it; NaN where there is none. */
  at(frame) {
    const sample = countUpTo(this.frames, frame) - 1;
    return sample >= 0 && frame - this.frames[sample] <= this.gap ? this.values[sample] : NaN;
  }

  /** Calls `point(frame, low, high, isGap)` for what lies between two frames, at most about `most` times. */
  walk(from, to, most, point) {
    const first = Math.max(0, countUpTo(this.frames, from) - 2);
    const last = Math.min(this.n, countUpTo(this.frames, to) + 2);
    let level = this.levels[0];
    for (const coarse of this.levels) if ((last - first) / coarse.size >= most) level = coarse;
    const stop = Math.min(level.low.length, Math.ceil(last / level.size));
    let before = null;
    for (let i = Math.floor(first / level.size); i < stop; i++) {
      const frame = this.frames[i * level.size];
      const isGap = Number.isNaN(level.low[i]) || (level.size === 1 && before !== null && frame - before > this.gap);
      point(frame, level.low[i], level.high[i], isGap);
      before = frame;
    }
  }
}

function coarser(below) {
  const n = Math.ceil(below.low.length / BUCKET);
  const [low, high] = [new Float32Array(n), new Float32Array(n)];
  for (let i = 0; i < n; i++) {
    let [least, greatest] = [NaN, NaN];
    for (let j = i * BUCKET; j < Math.min((i + 1) * BUCKET, below.low.length); j++) {
      // Comparisons with NaN are false: written so that what is seen wins over what is not.
      if (!(least <= below.low[j]) && !Number.isNaN(below.low[j])) least = below.low[j];
      if (!(greatest >= below.high[j]) && !Number.isNaN(below.high[j])) greatest = below.high[j];
    }
    low[i] = least;
    high[i] = greatest;
  }
  return { size: below.size * BUCKET, low, high };
}

function typicalGap(frames, n) {
  const gaps = [];
  for (let i = 1; i < n; i += Math.max(1, Math.floor(n / 500))) gaps.push(frames[i] - frames[i - 1]);
  gaps.sort((a, b) => a - b);
  return gaps[gaps.length >> 1] || 1;
}

/** Fetches and keeps the curves of a workbench; the ones on their way or lost have a sentence instead. */
class CurveStore {
  constructor(changed) {
    this.changed = changed;
    this.kept = new Map();
  }

  /** `{data, note}` of one description from Python. */
  get(curve) {
    const key = `${curve.frames_url} ${curve.values_url}`;
    const kept = this.kept.get(key);
    if (kept) return kept;
    const entry = { data: null, note: "Loading" };
    this.kept.set(key, entry);
    if (this.kept.size > 24) this.kept.delete(this.kept.keys().next().value);
    Promise.all([fetchBytes(curve.frames_url, "The curve"), fetchBytes(curve.values_url, "The curve")])
      .then(([frames, values]) => {
        entry.data = new CurveData(new Int32Array(frames), new Float32Array(values), curve.low, curve.high);
        entry.note = entry.data.empty ? "Nothing was measured here." : "";
      })
      .catch((error) => {
        entry.note = error.message;
      })
      .finally(this.changed);
    return entry;
  }

  /** What was lost is asked for again. */
  retry() {
    for (const [key, entry] of this.kept) if (!entry.data && entry.note !== "Loading") this.kept.delete(key);
  }
}
