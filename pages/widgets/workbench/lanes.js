const LANE_HEIGHTS = { overview: 24, ruler: 18, thumbs: 46, curve: 84, truth: 26, layer: 16, found: 26 };
const LANE_GAP = 5;
const TICKS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const TICK_ROOM = 76;
const MIN_INTERVAL_PX = 2;
const FONT = "12px";

/** Rows for intervals that share frames: `rows[i]` of item i, and how many there are. */
function stackRows(items) {
  const ends = [];
  const rows = items.map((one) => {
    const free = ends.findIndex((end) => end < one.start);
    const row = free < 0 ? ends.length : free;
    ends[row] = one.end;
    return row;
  });
  return { rows, count: Math.max(1, ends.length) };
}

/** The lanes from top to bottom with their places in pixels, and the height of all. */
function layLanes(wb) {
  const lanes = [{ kind: "overview" }, { kind: "ruler" }];
  if (wb.data.footage.thumbs) lanes.push({ kind: "thumbs" });
  if (wb.data.curves.length) lanes.push({ kind: "curve" });
  if (wb.framing.data) lanes.push({ kind: "crop", title: "Crop" });
  if (wb.hasTruth) lanes.push({ kind: "truth", title: "True", items: wb.truth });
  for (const { name, items } of wb.layers) lanes.push({ kind: "layer", title: name, items });
  lanes.push({ kind: "found", title: "Found", items: wb.found });
  let top = 0;
  for (const lane of lanes) {
    lane.stack = lane.items && stackRows(lane.items);
    const rows = lane.stack ? lane.stack.count : 1;
    lane.top = top;
    lane.height = rows === 1 ? LANE_HEIGHTS[lane.kind] : Math.min(rows, 6) * (lane.kind === "layer" ? 12 : 18);
    lane.rowHeight = lane.height / Math.min(rows, 6);
    top += lane.height + (lane.kind === "ruler" ? 2 : LANE_GAP);
  }
  return { lanes, height: top - LANE_GAP };
}

/** Where an interval lies in its lane: x and width, y and height. Both of its frames are inside. */
function intervalBox(wb, lane, i) {
  const one = lane.items[i];
  const x = wb.view.x(wb.times.at(one.start));
  const width = Math.max(MIN_INTERVAL_PX, wb.view.x(wb.times.end(one.end)) - x);
  const row = Math.min(lane.stack.rows[i], 5);
  return { x, width, y: lane.top + row * lane.rowHeight + 1, height: lane.rowHeight - 2 };
}

function drawBack(pen, lane, wb) {
  pen.fillStyle = wb.palette.colours.panel;
  pen.beginPath();
  pen.roundRect(0, lane.top, wb.view.width, lane.height, 3);
  pen.fill();
}

/** The whole video: the curve's outline, all intervals, and the stretch that the other lanes show. */
function drawOverview(pen, lane, wb) {
  drawBack(pen, lane, wb);
  const { colours } = wb.palette;
  const { width, duration } = wb.view;
  const x = (seconds) => (seconds / duration) * width;
  const curve = wb.curveData();
  if (curve) {
    const y = (value) =>
      lane.top + lane.height - 2 - clamp((value - curve.low) / (curve.high - curve.low), 0, 1) * (lane.height - 6);
    drawCurveLine(pen, wb, curve, 0, wb.times.n, x, y, width, colours.quiet, 1);
  }
  const mark = (items, colour, y, height) => {
    for (const one of items) {
      pen.fillStyle = typeof colour === "function" ? colour(one) : colour;
      const left = x(wb.times.at(one.start));
      pen.fillRect(left, y, Math.max(2, x(wb.times.end(one.end)) - left), height);
    }
  };
  mark(wb.truth, (one) => wb.labelColour(one.label), lane.top + 2, 4);
  mark(wb.found, (one) => (one.state === "wrong" ? colours.wrong : colours.found), lane.top + lane.height - 6, 4);
  if (wb.view.whole) return;
  const [left, right] = [x(wb.view.from), x(wb.view.to)];
  pen.fillStyle = colours.shade;
  pen.fillRect(0, lane.top, left, lane.height);
  pen.fillRect(right, lane.top, width - right, lane.height);
  pen.strokeStyle = colours.text;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.roundRect(left + 0.75, lane.top + 0.75, Math.max(4, right - left - 1.5), lane.height - 1.5, 3);
  pen.stroke();
}

function drawRuler(pen, lane, wb) {
  const { view, times, palette } = wb;
  const wanted = (view.span / view.width) * TICK_ROOM;
  const step = TICKS_S.find((one) => one >= wanted) ?? TICKS_S.at(-1);
  pen.font = `${FONT} ${wb.font}`;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  for (let tick = Math.floor(view.from / step); tick * step <= view.to; tick++) {
    const x = Math.round(view.x(tick * step)) + 0.5;
    pen.fillStyle = palette.colours.line;
    pen.fillRect(x - 0.5, lane.top + lane.height - 7, 1, 7);
    pen.fillStyle = palette.colours.quiet;
    const text = clock(tick * step + 1e-6);
    pen.fillText(step < 1 ? text.slice(0, -1) : text.slice(0, -3), x + 4, lane.top + lane.height / 2);
  }
  const first = times.shownAt(view.from);
  const last = times.shownAt(view.to);
  if ((last - first) * 6 > view.width) return;
  pen.fillStyle = palette.colours.line;
  for (let frame = first; frame <= last; frame++)
    pen.fillRect(view.x(times.at(frame)), lane.top + lane.height - 3, 1, 3);
}

function drawThumbs(pen, lane, wb) {
  drawBack(pen, lane, wb);
  const { thumbs } = wb.data.footage;
  const sprite = wb.sprite();
  if (!sprite || !thumbs.times_s.length) return;
  const width = (lane.height * thumbs.width) / thumbs.height;
  // Slots hold to the time and not to the window, so that pictures do not flicker while the window moves.
  const slot = (width / wb.view.width) * wb.view.span;
  pen.save();
  pen.beginPath();
  pen.roundRect(0, lane.top, wb.view.width, lane.height, 3);
  pen.clip();
  for (let at = Math.floor(wb.view.from / slot) * slot; at < wb.view.to; at += slot) {
    if (at >= wb.view.duration) break;
    const wanted = at + slot / 2;
    const after = Math.min(countUpTo(thumbs.times_s, wanted), thumbs.times_s.length - 1);
    const nearer = after > 0 && wanted - thumbs.times_s[after - 1] < thumbs.times_s[after] - wanted ? after - 1 : after;
    const [column, row] = [nearer % thumbs.columns, Math.floor(nearer / thumbs.columns)];
    const { width: w, height: h } = thumbs;
    pen.drawImage(sprite, column * w, row * h, w, h, wb.view.x(at), lane.top, width + 0.5, lane.height);
  }
  pen.restore();
}

/** A line through samples, with the whole height between the least and the greatest value where samples are many. */
function drawCurveLine(pen, wb, curve, from, to, x, y, width, colour, lineWidth) {
  pen.strokeStyle = colour;
  pen.lineWidth = lineWidth;
  pen.lineJoin = "round";
  pen.beginPath();
  let drawing = false;
  curve.walk(from, to, width * 2, (frame, low, high, isGap) => {
    if (isGap) drawing = false;
    if (Number.isNaN(low)) return;
    const [at, bottom] = [x(wb.times.at(frame)), y(low)];
    if (drawing) pen.lineTo(at, bottom);
    else pen.moveTo(at, bottom);
    if (high !== low) pen.lineTo(at, y(high));
    drawing = true;
  });
  pen.stroke();
}

function drawCurve(pen, lane, wb) {
  drawBack(pen, lane, wb);
  const { colours } = wb.palette;
  const { view } = wb;
  if (wb.range) {
    const left = view.x(wb.times.at(wb.range.start));
    pen.fillStyle = colours.accent;
    pen.globalAlpha = 0.16;
    pen.fillRect(left, lane.top, Math.max(1, view.x(wb.times.end(wb.range.end)) - left), lane.height);
    pen.globalAlpha = 1;
  }
  const { data, note } = wb.curveEntry();
  pen.font = `${FONT} ${wb.font}`;
  pen.textBaseline = "middle";
  if (note) {
    pen.fillStyle = colours.quiet;
    pen.textAlign = "left";
    pen.fillText(note, 10, lane.top + lane.height / 2);
  }
  if (!data || data.empty) return;
  const y = curveY(lane, data);
  pen.save();
  pen.beginPath();
  pen.rect(0, lane.top, view.width, lane.height);
  pen.clip();
  const draw = (colour, width) =>
    drawCurveLine(
      pen,
      wb,
      data,
      wb.times.shownAt(view.from),
      wb.times.shownAt(view.to),
      (s) => view.x(s),
      y,
      view.width,
      colour,
      width,
    );
  draw(colours.curve, 1.5);
  if (wb.showsThreshold) {
    const at = y(wb.threshold);
    pen.save();
    pen.beginPath();
    pen.rect(0, lane.top, view.width, at - lane.top);
    pen.clip();
    draw(colours.found, 2);
    pen.restore();
    pen.strokeStyle = colours.found;
    pen.lineWidth = 1;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(0, Math.round(at) + 0.5);
    pen.lineTo(view.width, Math.round(at) + 0.5);
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.restore();
}

/** From a value to its height in the lane. */
function curveY(lane, data) {
  return (value) =>
    lane.top + lane.height - 5 - ((value - data.low) / (data.high - data.low || 1)) * (lane.height - 10);
}

function drawIntervals(pen, lane, wb) {
  drawBack(pen, lane, wb);
  lane.items.forEach((one, i) => {
    const box = intervalBox(wb, lane, i);
    if (box.x + box.width < 0 || box.x > wb.view.width) return;
    if (lane.kind === "found") drawFound(pen, one, box, wb);
    else drawTrue(pen, one, box, wb, lane.kind === "layer");
    drawName(pen, one, box, wb, lane.kind);
    if (wb.isSelected(one)) drawSelection(pen, box, wb);
  });
}

function shape(pen, { x, y, width, height }) {
  pen.beginPath();
  pen.roundRect(x + 0.5, y + 0.5, Math.max(1, width - 1), height - 1, Math.min(3, width / 3));
}

function drawTrue(pen, one, box, wb, quiet) {
  const colour = wb.labelColour(one.label);
  shape(pen, box);
  pen.fillStyle = colour;
  pen.globalAlpha = one.state === "missed" ? 0.12 : quiet ? 0.55 : 0.9;
  pen.fill();
  pen.globalAlpha = 1;
  if (one.state !== "missed") return;
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.setLineDash([4, 3]);
  pen.stroke();
  pen.setLineDash([]);
}

function drawFound(pen, one, box, wb) {
  const { colours } = wb.palette;
  const wrong = one.state === "wrong";
  shape(pen, box);
  pen.fillStyle = wrong ? wb.palette.hatch(pen, colours.wrong) : colours.found;
  pen.globalAlpha = wrong ? 0.8 : 0.2 + 0.75 * (one.confidence ?? 1);
  pen.fill();
  pen.globalAlpha = 1;
  pen.strokeStyle = wrong ? colours.wrong : colours.found;
  pen.lineWidth = 1;
  pen.stroke();
}

function drawName(pen, one, box, wb, kind) {
  const left = Math.max(box.x, 0) + 6;
  const room = Math.min(box.x + box.width, wb.view.width) - left - 4;
  if (room < 12 || box.height < 12) return;
  pen.font = `${FONT} ${wb.font}`;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  const sure = kind === "found" && one.confidence !== null ? one.confidence.toFixed(2) : "";
  const text = [`${one.label} ${sure}`.trim(), one.label].find((words) => pen.measureText(words).width <= room);
  if (!text) return;
  const faint = one.state === "missed" || one.state === "wrong" || (kind === "found" && (one.confidence ?? 1) < 0.45);
  const y = box.y + box.height / 2 + 0.5;
  if (one.state === "wrong") {
    pen.lineWidth = 4;
    pen.strokeStyle = wb.palette.colours.panel;
    pen.strokeText(text, left, y);
  }
  pen.fillStyle = faint
    ? wb.palette.colours.text
    : kind === "found"
      ? wb.palette.colours.oninterval
      : wb.textOn(one.label);
  pen.fillText(text, left, y);
}

function drawSelection(pen, box, wb) {
  const { colours } = wb.palette;
  pen.strokeStyle = colours.text;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.roundRect(box.x - 1, box.y - 0.5, box.width + 2, box.height + 1, 4);
  pen.stroke();
  const edge = wb.selected?.edge;
  if (!edge) return;
  pen.fillStyle = colours.text;
  pen.fillRect(edge === "start" ? box.x - 3 : box.x + box.width - 2, box.y - 1, 5, box.height + 2);
}

const LANE_DRAWINGS = {
  overview: drawOverview,
  ruler: drawRuler,
  thumbs: drawThumbs,
  curve: drawCurve,
  truth: drawIntervals,
  layer: drawIntervals,
  found: drawIntervals,
};
