const NUDGE = 0.005; // of the picture's side
const ZOOM_STEP = 1.05;
const MAX_ZOOM = 8;
const FLUSH_MS = 350;

/** A keyframe: where the middle of the crop is in a frame, 0..1 of the picture, and how much smaller it is. */
const makeKeyframe = (frame, x, y, zoom) => Object.freeze({ frame, x, y, zoom });
const withKeyframe = (items, key) =>
  [...items.filter(({ frame }) => frame !== key.frame), key].sort((a, b) => a.frame - b.frame);

/** What a draft has to know of keyframes. */
const KEYFRAMES = {
  make: (row) => makeKeyframe(...row),
  row: ({ frame, x, y, zoom }) => [frame, x, y, zoom],
  key: ({ frame, x, y, zoom }) => `${frame},${x},${y},${zoom}`,
  inOrder: (items) => [...items].sort((a, b) => a.frame - b.frame),
  withStep: (items, { removed, added }) => {
    const gone = new Set(removed.map(KEYFRAMES.key));
    return added.reduce(withKeyframe, items.filter((key) => !gone.has(KEYFRAMES.key(key))));
  },
};

const cropDrafts = new Map();

/**
 * The crop of a clip that moves with the skater: its path comes from Python, its keyframes are edited here. While
 * Python has not yet made the path of the newest keyframes, their own frames show what was set there.
 */
class Framing {
  constructor(wb) {
    this.wb = wb;
    this.data = null;
    this.path = null;
    this.preview = null; // {key, instead}: a keyframe on its way, and the frame that it comes from
    this.draft = new Draft("", KEYFRAMES);
    this.window = new CropWindow(wb, this);
    this.marks = new CropMarks(wb, this);
  }

  // What comes from Python

  update(data, session) {
    const name = data && `${session} crop`;
    if (name !== this.name) {
      this.cancel();
      this.flush();
      this.path = null;
    }
    this.name = name;
    this.data = data;
    this.wb.root.classList.toggle("framing", Boolean(data));
    if (data) this.take(data, name);
  }

  take(data, name) {
    if (this.draft.session !== name) {
      if (!cropDrafts.has(name)) cropDrafts.set(name, new Draft(name, KEYFRAMES));
      this.draft = cropDrafts.get(name);
    }
    this.draft.editable = this.editable;
    this.draft.send = (edit) => this.wb.send("framing", edit);
    const { revision, ack, keyframes } = data;
    this.draft.offer({ revision, ack, items: keyframes }, Boolean(this.preview));
    this.fit();
    const url = data.path_url;
    fetchBytes(url, "The path of the crop")
      .then((bytes) => {
        if (this.data?.path_url !== url || this.wb.gone) return;
        this.path = { url, start: data.start, values: new Float32Array(bytes) };
        this.wb.refresh();
      })
      .catch((error) => this.wb.picture.tell(error.message));
  }

  /** Once for each clip, as soon as the times are known: the timeline shows the clip and not the whole video. */
  fit() {
    if (!this.data || !this.wb.times || this.fitted === this.name) return;
    this.fitted = this.name;
    this.fitClip();
  }

  get editable() {
    return this.data !== null && this.wb.wants("framing");
  }

  // Where the crop is

  /** The crop in a frame: `{x, y, width, height}` in 0..1 of the picture; null outside of the clip. */
  rectAt(frame) {
    if (!this.data || !this.holds(frame)) return null;
    const key = this.preview?.key.frame === frame ? this.preview.key : this.settled ? null : this.keyAt(frame);
    if (key) return this.rectOf(key);
    const at = this.path ? 4 * (frame - this.path.start) : -1;
    if (at < 0 || at >= this.path.values.length) return null;
    const [x, y, width, height] = this.path.values.subarray(at, at + 4);
    return { x, y, width, height };
  }

  rectOf({ x, y, zoom }) {
    const [width, height] = this.data.window.map((side) => side / zoom);
    return {
      x: clamp(x, width / 2, 1 - width / 2) - width / 2,
      y: clamp(y, height / 2, 1 - height / 2) - height / 2,
      width,
      height,
    };
  }

  /** The keyframe of a crop in this frame, with its middle moved by shares of the picture and its zoom changed. */
  keyOf(frame, rect, { dx = 0, dy = 0, factor = 1 } = {}) {
    const zoom = clamp((this.data.window[0] / rect.width) * factor, 1, MAX_ZOOM);
    const placed = this.rectOf({ x: rect.x + rect.width / 2 + dx, y: rect.y + rect.height / 2 + dy, zoom });
    const round = (value) => Math.round(value * 1e5) / 1e5;
    return makeKeyframe(
      frame,
      clamp(round(placed.x + placed.width / 2), 0, 1),
      clamp(round(placed.y + placed.height / 2), 0, 1),
      Math.max(1, round(zoom)),
    );
  }

  holds(frame) {
    return frame >= this.data.start && frame <= this.data.end;
  }

  keyAt(frame) {
    return this.items.find((key) => key.frame === frame) ?? null;
  }

  /** Whether the path is the one that goes through the keyframes as they are. */
  get settled() {
    return !this.preview && !this.draft.waiting && this.path?.url === this.data.path_url;
  }

  get items() {
    if (!this.preview) return this.draft.items;
    const { key, instead } = this.preview;
    return withKeyframe(
      this.draft.items.filter(({ frame }) => frame !== instead),
      key,
    );
  }

  // What is done to it

  show(key, instead = null) {
    this.preview = { key, instead };
    this.wb.timeline.draw();
    this.wb.picture.draw();
  }

  /** Several of these in a row, as of a wheel, are one edit. */
  soon(change) {
    const { wb } = this;
    if (wb.shuttle.moving) return wb.shuttle.stop();
    const { frame } = wb.player;
    const rect = this.rectAt(frame);
    if (!rect) return this.outside();
    if (this.preview && this.preview.key.frame !== frame) this.flush();
    this.show(this.keyOf(frame, rect, change));
    clearTimeout(this.flushing);
    this.flushing = setTimeout(() => this.flush(), FLUSH_MS);
    return undefined;
  }

  /** What was shown becomes an edit. */
  flush() {
    clearTimeout(this.flushing);
    if (!this.preview) return;
    const { key, instead } = this.preview;
    const { items } = this;
    this.preview = null;
    if (!this.commit(items, `Keyframe ${instead === null ? "set at" : "moved to"} ${this.words(key.frame)}`))
      this.draft.settle();
  }

  commit(items, text) {
    const changed = this.draft.commit(items);
    if (changed) this.wb.say(text);
    this.wb.refresh();
    return changed;
  }

  /** Whatever was dragged goes back. */
  cancel() {
    const dragged = this.window.drag ?? this.marks.drag;
    this.window.drag = this.marks.drag = null;
    if (!dragged) return false;
    this.preview = null;
    this.draft.settle();
    this.wb.player.seek(dragged.home);
    this.wb.refresh();
    return true;
  }

  set() {
    const { frame } = this.wb.player;
    this.flush();
    const rect = this.rectAt(frame);
    if (!rect) this.outside();
    else if (this.keyAt(frame)) this.wb.say("There is a keyframe in this frame.");
    else this.commit(withKeyframe(this.items, this.keyOf(frame, rect)), `Keyframe set at ${this.words(frame)}`);
  }

  drop(frame = this.wb.player.frame) {
    this.flush();
    if (!this.keyAt(frame)) return this.wb.say("There is no keyframe in this frame.");
    const left = this.items.filter((key) => key.frame !== frame);
    return this.commit(left, `Keyframe at ${this.words(frame)} deleted`);
  }

  clear() {
    this.flush();
    if (!this.commit([], "All keyframes of the clip deleted")) this.wb.say("There are no keyframes.");
  }

  /** Between its neighbours and within the clip; Python hears of it with the next `flush`. */
  moveInTime(from, to) {
    const key = this.draft.items.find(({ frame }) => frame === from);
    if (!key) return;
    const others = this.draft.items.map(({ frame }) => frame).filter((frame) => frame !== from);
    const first = Math.max(this.data.start, ...others.filter((frame) => frame < from).map((frame) => frame + 1));
    const last = Math.min(this.data.end, ...others.filter((frame) => frame > from).map((frame) => frame - 1));
    this.show(makeKeyframe(clamp(to, first, last), key.x, key.y, key.zoom), from);
  }

  neighbour(by) {
    const { frame } = this.wb.player;
    const frames = this.items.map((key) => key.frame);
    const next = by > 0 ? frames.find((one) => one > frame) : frames.findLast((one) => one < frame);
    if (next === undefined) return this.wb.say(by > 0 ? "No keyframe follows" : "No keyframe before");
    return this.goTo(next);
  }

  goTo(frame) {
    this.flush();
    this.wb.shuttle.stop();
    this.wb.player.seek(frame);
    this.wb.say(`Keyframe at ${this.words(frame)}`);
  }

  undo() {
    this.flush();
    this.retraced(this.draft.undo(), "Nothing to undo", "Undone");
  }

  redo() {
    this.flush();
    this.retraced(this.draft.redo(), "Nothing to redo", "Done again");
  }

  retraced(key, nothing, text) {
    if (key === undefined) return this.wb.say(nothing);
    if (key) this.wb.player.seek(key.frame);
    this.wb.say(text);
    return this.wb.refresh();
  }

  fitClip() {
    const { times, view, timeline } = this.wb;
    view.fit(times.at(this.data.start), times.end(this.data.end));
    timeline.draw();
  }

  outside() {
    this.wb.say("This frame is not in the clip.");
  }

  words(frame) {
    return `${clock(this.wb.times.at(frame))}, frame ${frame}`;
  }

  tick() {
    return this.data !== null && this.draft.tick();
  }

  draw() {
    this.window.draw();
    this.marks.read();
  }

  destroy() {
    this.draft.send = () => {};
  }
}
