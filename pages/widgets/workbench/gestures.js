const EDGE_PX = 6;
const MOVED_PX = 3;
const WHEEL_ZOOM = 1.0018;

/** What the pointer does on the timeline. One thing at a time: `wb.drag`, with `move`, `end` and `cancel`. */
class Gestures {
  constructor(wb) {
    this.wb = wb;
    this.drags = new Drags(wb);
    const { track, handle } = wb.timeline;
    const on = (target, name, then, options) =>
      target.addEventListener(name, then, { signal: wb.listening.signal, ...options });
    on(track, "pointerdown", (event) => this.down(event));
    on(track, "pointermove", (event) => this.move(event));
    on(track, "pointerup", (event) => this.up(event));
    on(track, "pointercancel", () => this.cancel());
    on(track, "pointerleave", () => this.hover(null));
    on(track, "dblclick", (event) => this.doubleClick(event));
    on(track, "wheel", (event) => this.wheel(event), { passive: false });
    on(track, "auxclick", (event) => event.preventDefault());
    on(handle, "pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      this.begin(event, this.drags.threshold());
    });
    on(handle, "pointermove", (event) => this.move(event));
    on(handle, "pointerup", (event) => this.up(event));
    on(handle, "pointercancel", () => this.cancel());
    on(handle, "keydown", (event) => wb.thresholdKey(event));
  }

  place(event) {
    const box = this.wb.timeline.track.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    const { wb } = this;
    if (!wb.times || wb.drag || event.button > 1) return;
    const [x, y] = this.place(event);
    const lane = wb.timeline.laneAt(y);
    if (!lane) return;
    if (event.button === 1) event.preventDefault();
    wb.timeline.track.setPointerCapture(event.pointerId);
    this.begin(event, this.choose(event, lane, x, y));
  }

  choose(event, lane, x, y) {
    const { wb } = this;
    if (lane.kind === "overview") return this.drags.overview(x);
    if (event.button === 1 || event.altKey) return this.drags.pan();
    if (lane.kind === "curve" && event.shiftKey) return this.drags.range(x);
    if (lane.kind === "curve" && this.onThreshold(lane, y)) return this.drags.threshold();
    const hit = this.hit(lane, x, y);
    if (hit && lane.kind !== "layer") wb.pick(hit.one, { go: false, edge: hit.part === "inside" ? null : hit.part });
    if (lane.kind !== "truth" || !wb.editable) return this.drags.scrub();
    if (!hit) return this.drags.new(x);
    const one = findInterval(wb.draft.items, hit.one);
    if (!one) return this.drags.scrub();
    return hit.part === "inside" ? this.drags.move(one, x) : this.drags.trim(one, hit.part);
  }

  begin(event, drag) {
    const { wb } = this;
    [drag.x, drag.y] = this.place(event);
    drag.home = wb.player.frame;
    drag.moved = false;
    wb.drag = drag;
    drag.begin?.(drag.x);
    wb.timeline.draw(false);
  }

  move(event) {
    const { wb } = this;
    const [x, y] = this.place(event);
    const { drag } = wb;
    if (!drag) return this.hover(x, y);
    drag.moved ||= Math.abs(x - drag.x) + Math.abs(y - drag.y) >= MOVED_PX;
    if (!drag.moved && !drag.eager) return undefined;
    drag.move?.(x, y, event);
    drag.last = x;
    return undefined;
  }

  up(event) {
    const { wb } = this;
    const { drag } = wb;
    if (!drag) return;
    const [x] = this.place(event);
    wb.drag = null;
    wb.snapped = null;
    if (drag.moved || drag.eager) drag.end?.(x);
    else drag.click?.(x);
    this.finish();
  }

  cancel() {
    const { drag } = this.wb;
    if (!drag) return false;
    this.wb.drag = null;
    this.wb.snapped = null;
    this.wb.preview = null;
    drag.cancel?.();
    this.wb.player.seek(drag.home);
    this.wb.documentChanged();
    this.finish();
    return true;
  }

  finish() {
    if (this.wb.draft.settle()) this.wb.documentChanged();
    this.wb.refresh();
  }

  hover(x, y) {
    const { wb } = this;
    if (!wb.times || wb.drag) return;
    const lane = x === null ? null : wb.timeline.laneAt(y);
    wb.hover = lane && lane.kind !== "overview" ? clamp(wb.view.seconds(x), 0, wb.view.duration) : null;
    wb.timeline.track.style.cursor = lane ? this.cursor(lane, x, y) : "default";
    wb.timeline.draw(false);
  }

  cursor(lane, x, y) {
    if (lane.kind === "overview") return this.wb.view.whole ? "pointer" : "grab";
    if (lane.kind === "curve" && this.onThreshold(lane, y)) return "ns-resize";
    const hit = this.hit(lane, x, y);
    if (lane.kind !== "truth" || !this.wb.editable) return hit ? "pointer" : "default";
    return !hit ? "crosshair" : hit.part === "inside" ? "grab" : "ew-resize";
  }

  onThreshold(lane, y) {
    const { wb } = this;
    const data = wb.curveData();
    return Boolean(
      data && wb.showsThreshold && wb.wants("threshold") && Math.abs(curveY(lane, data)(wb.threshold) - y) <= EDGE_PX,
    );
  }

  /** The interval under the pointer, and which part of it. */
  hit(lane, x, y) {
    if (!lane.items) return null;
    const { wb } = this;
    const can = lane.kind === "truth" && wb.editable;
    let best = null;
    lane.items.forEach((one, i) => {
      const box = intervalBox(wb, lane, i);
      const inside = Math.min(EDGE_PX, box.width / 4);
      if (y < box.y - 2 || y > box.y + box.height + 2 || x < box.x - EDGE_PX || x > box.x + box.width + EDGE_PX) return;
      const [toStart, toEnd] = [x - box.x, box.x + box.width - x];
      const outside = toStart < 0 || toEnd < 0;
      const part = can && toStart < inside ? "start" : can && toEnd < inside ? "end" : "inside";
      const far =
        (outside ? 10 : 0) + Math.min(Math.abs(toStart), Math.abs(toEnd)) / 1000 - (wb.isSelected(one) ? 1 : 0);
      if ((!outside || part !== "inside" || box.width < 8) && (!best || far < best.far)) best = { one, part, far };
    });
    return best;
  }

  doubleClick(event) {
    const { wb } = this;
    const [x, y] = this.place(event);
    const lane = wb.timeline.laneAt(y);
    const hit = lane && this.hit(lane, x, y);
    if (!hit) return;
    wb.pick(hit.one, { go: false });
    wb.loopSelected(true);
  }

  wheel(event) {
    const { wb } = this;
    if (!wb.times) return;
    event.preventDefault();
    const [x] = this.place(event);
    const size = event.deltaMode === 1 ? 16 : 1;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const amount = (sideways ? event.deltaX || event.deltaY : event.deltaY) * size;
    if (sideways) wb.view.pan((amount / wb.view.width) * wb.view.span);
    else wb.view.zoom(WHEEL_ZOOM ** amount, x);
    wb.timeline.draw();
  }
}
