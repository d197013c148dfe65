const CROP_MARGIN = 6;

/** Along which way the crop has more room to move: 0 across, 1 down. */
const cropAxis = ({ window }) => (window[1] < window[0] ? 1 : 0);
const cropY = (lane, share) => lane.top + CROP_MARGIN + share * (lane.height - 2 * CROP_MARGIN);

/** The stretch of the clip, and in it what the crop holds and its middle, as time goes on. */
function drawCrop(pen, lane, wb) {
  drawBack(pen, lane, wb);
  const { framing, view, times } = wb;
  const { colours } = wb.palette;
  const { start, end } = framing.data;
  const [side, size] = cropAxis(framing.data) ? ["y", "height"] : ["x", "width"];
  const [from, to] = [Math.max(start, times.shownAt(view.from)), Math.min(end, times.shownAt(view.to))];
  const step = Math.max(1, Math.floor((to - from) / (2 * view.width)));
  const points = [];
  for (let frame = from; frame <= to; frame += step) {
    const rect = framing.rectAt(frame);
    if (rect) points.push([view.x(times.at(frame)), rect[side], rect[size]]);
  }
  pen.save();
  pen.beginPath();
  pen.roundRect(0, lane.top, view.width, lane.height, 3);
  pen.clip();
  pen.fillStyle = pen.strokeStyle = colours.accent;
  pen.globalAlpha = 0.16;
  pen.beginPath();
  for (const [x, low] of points) pen.lineTo(x, cropY(lane, low));
  for (const [x, low, long] of points.toReversed()) pen.lineTo(x, cropY(lane, low + long));
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.beginPath();
  for (const [x, low, long] of points) pen.lineTo(x, cropY(lane, low + long / 2));
  pen.stroke();
  pen.fillStyle = colours.shade;
  const [left, right] = [view.x(times.at(start)), view.x(times.end(end))];
  pen.fillRect(0, lane.top, Math.max(0, left), lane.height);
  pen.fillRect(right, lane.top, Math.max(0, view.width - right), lane.height);
  pen.restore();
}

LANE_HEIGHTS.crop = 64;
LANE_DRAWINGS.crop = drawCrop;

/** The keyframes on the timeline, as buttons: each can be gone to, moved in time and deleted, by mouse and by key. */
class CropMarks {
  constructor(wb, framing) {
    this.wb = wb;
    this.framing = framing;
    this.drag = null;
    this.buttons = new Map();
    this.element = element("div", { class: "crop-marks", role: "group", "aria-label": "Keyframes of the crop" });
    const on = (name, then, options) =>
      this.element.addEventListener(name, then, { signal: wb.listening.signal, ...options });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", () => this.up());
    on("pointercancel", () => framing.cancel());
    on("click", (event) => this.click(event));
    on("keydown", (event) => this.key(event));
    on("wheel", (event) => wb.gestures.wheel(event), { passive: false });
  }

  frameOf(event) {
    const button = event.target.closest("button");
    return button ? Number(button.dataset.frame) : null;
  }

  down(event) {
    const frame = this.frameOf(event);
    this.moved = false;
    if (frame === null || event.button !== 0 || !this.framing.editable) return;
    this.framing.flush();
    event.target.setPointerCapture(event.pointerId);
    this.drag = { frame, x: event.clientX, home: this.wb.player.frame, button: event.target };
  }

  move(event) {
    const { wb, drag } = this;
    if (!drag) return;
    this.moved ||= Math.abs(event.clientX - drag.x) >= MOVED_PX;
    if (!this.moved) return;
    wb.shuttle.stop();
    const x = event.clientX - wb.timeline.track.getBoundingClientRect().left;
    this.moveTo(drag.button, drag.frame, wb.times.nearest(clamp(wb.view.seconds(x), 0, wb.view.duration)));
  }

  up() {
    if (!this.drag) return;
    this.drag = null;
    this.framing.flush();
  }

  /** The button stays the same while its keyframe moves, so that it keeps pointer and focus. */
  moveTo(button, from, to) {
    this.framing.moveInTime(from, to);
    const { frame } = this.framing.preview.key;
    this.buttons.delete(Number(button.dataset.frame));
    button.dataset.frame = frame;
    this.buttons.set(frame, button);
    this.wb.player.seek(frame);
  }

  click(event) {
    const frame = this.frameOf(event);
    if (frame === null || this.moved) return;
    this.framing.goTo(frame);
    this.wb.timeline.draw();
  }

  /** With the focus on a keyframe. */
  key(event) {
    const frame = this.frameOf(event);
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (frame === null || !this.framing.editable || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      this.framing.drop(frame);
      this.wb.focus();
    } else if (by) {
      this.framing.flush();
      this.moveTo(event.target, frame, frame + by * (event.shiftKey ? 10 : 1));
      this.framing.flush();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Beside the lanes, and as often. */
  place() {
    const { wb, framing } = this;
    const lane = wb.timeline.lane("crop");
    this.element.hidden = !lane;
    if (!lane) return;
    Object.assign(this.element.style, { top: `${lane.top}px`, height: `${lane.height}px` });
    const { items } = framing;
    const wanted = new Set(items.map(({ frame }) => frame));
    for (const [frame, button] of this.buttons)
      if (!wanted.has(frame)) {
        button.remove();
        this.buttons.delete(frame);
      }
    const axis = cropAxis(framing.data);
    for (const key of items) {
      const rect = framing.rectOf(key);
      const middle = axis ? rect.y + rect.height / 2 : rect.x + rect.width / 2;
      const button = this.button(key.frame);
      button.style.left = `${wb.view.x(wb.times.at(key.frame))}px`;
      button.style.top = `${cropY(lane, middle) - lane.top}px`;
      button.setAttribute("aria-label", `Keyframe at ${framing.words(key.frame)}`);
    }
    this.read();
  }

  button(frame) {
    if (!this.buttons.has(frame)) {
      const button = element("button", { type: "button", "data-keys": "own", "data-frame": frame });
      const after = [...this.buttons.keys()].filter((one) => one > frame);
      this.element.insertBefore(button, after.length ? this.buttons.get(Math.min(...after)) : null);
      this.buttons.set(frame, button);
    }
    return this.buttons.get(frame);
  }

  /** Which of them is at the frame on the screen. */
  read() {
    const { frame } = this.wb.player;
    for (const [at, button] of this.buttons) button.setAttribute("aria-current", String(at === frame));
  }
}
