const DRAWS_KEPT = 60;

/** The canvases of the timeline and what stands beside them. Lanes below, playhead and what moves with it above. */
class Timeline {
  constructor(wb) {
    this.wb = wb;
    this.gutter = element("div", { class: "gutter" });
    this.base = element("canvas", { "aria-hidden": "true" });
    this.top = element("canvas", { class: "top", "aria-hidden": "true" });
    this.handle = element("div", {
      class: "threshold",
      role: "slider",
      tabindex: "0",
      "aria-label": "Threshold",
      "aria-valuemin": "0",
      "aria-valuemax": "1",
      "aria-valuenow": "0",
      "data-keys": "own",
    });
    this.track = element(
      "div",
      { class: "track", role: "slider", tabindex: "0", "aria-label": "Timeline", "aria-valuemin": "0", "aria-valuenow": "0" },
      this.base,
      this.top,
    );
    this.element = element(
      "div",
      { class: "timeline", role: "group", "aria-label": "Timeline lanes" },
      this.gutter,
      this.track,
      this.handle,
    );
    this.select = element("select", { class: "curves", "aria-label": "Curve" });
    this.select.addEventListener("change", () => {
      wb.chooseCurve(this.select.value);
      wb.focus();
    });
    this.reading = element("span", { class: "reading" });
    this.unit = element("span", { class: "unit" });
    this.scale = [element("span", { class: "scale" }), element("span", { class: "scale" })];
    this.layout = { lanes: [], height: 0 };
    this.drawMs = [];
    this.stale = { base: true, top: true };
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.track);
  }

  lane(kind) {
    return this.layout.lanes.find((lane) => lane.kind === kind);
  }

  laneAt(y) {
    return this.layout.lanes.find((lane) => y >= lane.top - 2 && y <= lane.top + lane.height + 2);
  }

  /** `all`: the lanes too, and not only the playhead. Drawn once for each picture of the screen. */
  draw(all = true) {
    this.stale.base ||= all;
    this.stale.top = true;
    this.coming ??= requestAnimationFrame(() => {
      this.coming = null;
      this.drawNow();
    });
  }

  drawNow() {
    const { wb } = this;
    if (!wb.times) return;
    const width = this.track.clientWidth;
    if (!width) return;
    wb.view.width = width;
    const begun = performance.now();
    if (this.stale.base) {
      this.layout = layLanes(wb);
      this.track.style.height = `${this.layout.height}px`;
      this.drawLanes(width);
      this.stale.base = false;
      this.drawMs.push(performance.now() - begun);
      if (this.drawMs.length > DRAWS_KEPT) this.drawMs.shift();
      this.placeGutter();
      wb.framing.marks.place();
    }
    this.drawTop(width);
    this.stale.top = false;
  }

  drawLanes(width) {
    const pen = fitCanvas(this.base, width, this.layout.height);
    if (pen) for (const lane of this.layout.lanes) LANE_DRAWINGS[lane.kind](pen, lane, this.wb);
  }

  drawTop(width) {
    const { wb, layout } = this;
    const pen = fitCanvas(this.top, width, layout.height);
    if (!pen) return;
    const { colours } = wb.palette;
    const { view, times } = wb;
    const frame = wb.player.frame;
    this.drawMark(pen, frame);
    const line = (x, colour, from = 0) => {
      pen.fillStyle = colour;
      pen.fillRect(x, from, 1, layout.height - from);
    };
    const ruler = this.lane("ruler");
    if (wb.hover !== null && !wb.drag) {
      line(Math.round(view.x(wb.hover)), colours.line, ruler.top);
      this.drawFlag(pen, view.x(wb.hover), clock(wb.hover), colours.panel, colours.text, ruler);
    }
    if (wb.snapped !== null) line(Math.round(view.x(times.at(wb.snapped))), colours.accent, ruler.top);
    const whole = this.lane("overview");
    pen.fillStyle = colours.playhead;
    pen.fillRect(Math.round((times.at(frame) / view.duration) * width) - 1, whole.top, 2, whole.height);
    const x = view.x(times.at(frame));
    if (x < -1 || x > width + 1) return;
    const frameWidth = view.x(times.end(frame)) - x;
    if (frameWidth > 3) {
      pen.fillStyle = colours.playhead;
      pen.globalAlpha = 0.16;
      pen.fillRect(x, ruler.top, frameWidth, layout.height - ruler.top);
      pen.globalAlpha = 1;
    }
    pen.fillStyle = colours.back;
    pen.fillRect(Math.round(x) - 2, ruler.top, 4, layout.height - ruler.top);
    pen.fillStyle = colours.playhead;
    pen.fillRect(Math.round(x) - 1, ruler.top, 2, layout.height - ruler.top);
    this.drawFlag(pen, x, clock(times.at(frame)), colours.playhead, colours.back, ruler);
  }

  drawFlag(pen, x, text, back, ink, ruler) {
    pen.font = `600 ${FONT} ${this.wb.font}`;
    const width = pen.measureText(text).width + 10;
    const left = clamp(x - width / 2, 0, this.wb.view.width - width);
    pen.fillStyle = back;
    pen.beginPath();
    pen.roundRect(left, ruler.top, width, ruler.height - 1, 3);
    pen.fill();
    pen.fillStyle = ink;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillText(text, left + 5, ruler.top + ruler.height / 2);
  }

  /** The interval that was begun and grows with the playhead. */
  drawMark(pen, frame) {
    const { wb } = this;
    const lane = this.lane("truth");
    if (!wb.mark || !lane) return;
    const [start, end] = wb.mark.start <= frame ? [wb.mark.start, frame] : [wb.mark.start, wb.mark.start];
    const x = wb.view.x(wb.times.at(start));
    pen.strokeStyle = wb.labelColour(wb.mark.label);
    pen.fillStyle = wb.labelColour(wb.mark.label);
    pen.lineWidth = 2;
    pen.globalAlpha = 0.35;
    const box = [x, lane.top + 1, Math.max(3, wb.view.x(wb.times.end(end)) - x), lane.height - 2];
    pen.fillRect(...box);
    pen.globalAlpha = 1;
    pen.strokeRect(...box);
  }

  placeGutter() {
    const { wb, layout } = this;
    const signature = JSON.stringify([
      layout.lanes.map(({ kind, title, top, height }) => [kind, title, top, height]),
      wb.framing.data && cropAxis(wb.framing.data),
    ]);
    if (signature !== this.placed) {
      this.placed = signature;
      this.gutter.replaceChildren();
      for (const lane of layout.lanes) {
        const row = element("div", { class: `name ${lane.kind}`, style: `top:${lane.top}px;height:${lane.height}px` });
        if (lane.kind === "overview") row.append(wb.transport.zoom);
        else if (lane.kind === "curve") row.append(this.select, this.reading, this.unit, ...this.scale);
        else if (lane.kind === "crop") row.append(element("span", {}, lane.title), ...this.ends());
        else if (lane.title) row.append(element("span", { title: lane.title }, lane.title));
        this.gutter.append(row);
      }
    }
    this.fillSelect();
    this.placeThreshold();
    const data = wb.curveData();
    this.scale[0].textContent = data && !data.empty ? shortNumber(data.high) : "";
    this.scale[1].textContent = data && !data.empty ? shortNumber(data.low) : "";
  }

  /** What above and below mean in the lane of the crop. */
  ends() {
    const names = cropAxis(this.wb.framing.data) ? ["top", "bottom"] : ["left", "right"];
    return names.map((name) => element("span", { class: "end" }, name));
  }

  fillSelect() {
    const { curves } = this.wb.data;
    const signature = JSON.stringify(curves.map(({ name, title }) => [name, title]));
    if (signature !== this.filled) {
      this.filled = signature;
      this.select.replaceChildren(...curves.map(({ name, title }) => element("option", { value: name }, title)));
    }
    this.select.value = this.wb.curveName;
    this.unit.textContent = this.wb.curveInfo()?.unit ?? "";
  }

  placeThreshold() {
    const { wb } = this;
    const lane = this.lane("curve");
    const data = wb.curveData();
    const shown = Boolean(wb.showsThreshold && wb.wants("threshold") && lane && data);
    this.handle.hidden = !shown;
    if (!shown) return;
    this.handle.style.top = `${curveY(lane, data)(wb.threshold)}px`;
    this.handle.textContent = wb.threshold.toFixed(2);
    this.handle.setAttribute("aria-valuenow", wb.threshold.toFixed(2));
  }

  /** What depends on the frame alone. */
  read(frame, value) {
    this.track.setAttribute("aria-valuemax", this.wb.times.n - 1);
    this.track.setAttribute("aria-valuenow", frame);
    this.track.setAttribute("aria-valuetext", `${clock(this.wb.times.at(frame))}, frame ${frame}`);
    this.reading.textContent = Number.isNaN(value) ? "–" : shortNumber(value);
  }

  destroy() {
    this.resized.disconnect();
    cancelAnimationFrame(this.coming);
  }
}

function shortNumber(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** An element with attributes and children; texts are set as texts, and a colour from outside as nothing but a colour. */
function element(name, { colour, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (colour) made.style.setProperty("--colour", colour);
  made.append(...children);
  return made;
}
