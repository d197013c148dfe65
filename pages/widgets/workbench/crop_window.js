const CORNERS = ["nw", "ne", "sw", "se"];
const WHEEL_CROP = 1.0012;
const CROP_WORDS = "Crop window. Shift and the arrow keys move it, Alt and the arrow keys change its size.";

/** The crop over the picture, to be dragged, and beside it what is cut out. */
class CropWindow {
  constructor(wb, framing) {
    this.wb = wb;
    this.framing = framing;
    this.drag = null;
    this.element = element(
      "div",
      { class: "crop-window", role: "group", tabindex: "0", "aria-label": CROP_WORDS },
      ...CORNERS.map((corner) => element("i", { class: `corner ${corner}`, "data-corner": corner })),
    );
    this.area = element("div", { class: "crop-area", hidden: "" }, this.element);
    this.canvas = element("canvas", { role: "img", "aria-label": "What the clip shows" });
    this.result = element("div", { class: "result", hidden: "" }, this.canvas);
    const on = (target, name, then, options) =>
      target.addEventListener(name, then, { signal: wb.listening.signal, ...options });
    on(this.element, "pointerdown", (event) => this.down(event));
    on(this.element, "pointermove", (event) => this.move(event));
    on(this.element, "pointerup", (event) => this.up(event));
    on(this.element, "pointercancel", () => framing.cancel());
    // A click on the picture plays; the one at the end of a drag does not.
    on(this.element, "click", (event) => this.moved && event.stopPropagation());
    on(wb.picture.element, "wheel", (event) => this.wheel(event), { passive: false });
  }

  down(event) {
    const { wb, framing } = this;
    this.moved = false;
    const rect = framing.rectAt(wb.player.frame);
    if (!framing.editable || !rect || event.button !== 0) return;
    event.preventDefault(); // of selecting; the focus is set here
    this.element.focus({ preventScroll: true });
    framing.flush();
    wb.shuttle.stop();
    this.element.setPointerCapture(event.pointerId);
    const { corner } = event.target.dataset;
    this.drag = { x: event.clientX, y: event.clientY, home: wb.player.frame, rect, corner };
  }

  move(event) {
    const { wb, framing, drag } = this;
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    this.moved ||= Math.abs(dx) + Math.abs(dy) >= MOVED_PX;
    if (!this.moved) return;
    const { width, height } = wb.picture.box;
    const change = drag.corner ? { factor: this.factor(event) } : { dx: dx / width, dy: dy / height };
    framing.show(framing.keyOf(wb.player.frame, drag.rect, change));
  }

  /** A corner that is dragged to the middle makes the crop small. */
  factor(event) {
    const { rect } = this.drag;
    const { box } = this.wb.picture;
    const stage = this.wb.picture.element.getBoundingClientRect();
    const share = (at, low, size, start, side) => Math.abs((at - low) / size - (start + side / 2)) / (side / 2);
    const across = share(event.clientX, stage.left + box.x, box.width, rect.x, rect.width);
    const down = share(event.clientY, stage.top + box.y, box.height, rect.y, rect.height);
    return 1 / Math.max(across, down, 1e-3);
  }

  up() {
    if (!this.drag) return;
    this.drag = null;
    this.framing.flush();
    this.wb.picture.draw();
  }

  wheel(event) {
    if (!this.framing.editable) return;
    event.preventDefault();
    if (!this.drag) this.framing.soon({ factor: WHEEL_CROP ** (-event.deltaY * (event.deltaMode === 1 ? 16 : 1)) });
  }

  /** By the frame that is on the screen, as the skeletons are. */
  draw() {
    const { wb, framing } = this;
    const { shown } = wb.player;
    const rect = wb.times && !wb.player.error ? framing.rectAt(shown) : null;
    this.result.hidden = !framing.data;
    this.area.hidden = !rect;
    this.canvas.hidden = !rect;
    if (!rect) return;
    const { box } = wb.picture;
    const place = (target, x, y, width, height) =>
      Object.assign(target.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    place(this.area, box.x, box.y, box.width, box.height);
    place(
      this.element,
      rect.x * box.width,
      rect.y * box.height,
      rect.width * box.width,
      rect.height * box.height,
    );
    const { classList } = this.element;
    classList.toggle("still", !framing.editable);
    classList.toggle("dragging", Boolean(this.drag && this.moved));
    classList.toggle("keyed", Boolean(framing.keyAt(shown)));
    this.drawResult(rect);
  }

  drawResult(rect) {
    const { video } = this.wb.player;
    const [across, down] = [rect.width * video.videoWidth, rect.height * video.videoHeight];
    const { clientWidth: w, clientHeight: h } = this.result;
    if (!across || !down || !w || !h) return;
    const scale = Math.min(w / across, h / down);
    const pen = fitCanvas(this.canvas, across * scale, down * scale);
    const corner = [rect.x * video.videoWidth, rect.y * video.videoHeight];
    if (pen) pen.drawImage(video, ...corner, across, down, 0, 0, across * scale, down * scale);
  }
}
