const THRESHOLD_EVERY_MS = 60;
const THRESHOLD_ECHO_MS = 1500;

/** The part of the workbench that knows the curves, the threshold on one of them, and the range brushed on them. */
class Signals extends Events {
  constructor() {
    super();
    Object.assign(this, { curveName: "", threshold: null, range: null });
    this.curves = new CurveStore(() => this.curveChanged());
  }

  curveInfo() {
    return this.data.curves.find(({ name }) => name === this.curveName) ?? null;
  }

  curveEntry() {
    const info = this.curveInfo();
    return info ? this.curves.get(info) : { data: null, note: "" };
  }

  curveData() {
    return this.curveEntry().data;
  }

  get showsThreshold() {
    return this.threshold !== null && this.threshold !== undefined && this.curveName === "probability";
  }

  chooseCurve(name) {
    this.curveName = name;
    this.curveChanged();
    this.say(`Curve ${this.curveInfo().title}`);
  }

  nextCurve() {
    const names = this.data.curves.map(({ name }) => name);
    if (names.length) this.chooseCurve(names[(names.indexOf(this.curveName) + 1) % names.length]);
  }

  curveChanged() {
    if (this.gone) return;
    this.timeline.draw();
    this.frameChanged();
  }

  toThreshold() {
    if (this.data.curves.some(({ name }) => name === "probability") && this.threshold !== null)
      this.chooseCurve("probability");
    this.timeline.drawNow();
    if (this.timeline.handle.hidden) this.say("There is no threshold to set here.");
    else this.timeline.handle.focus();
  }

  takeThreshold(value) {
    const echoes = performance.now() < (this.thresholdUntil ?? 0) && value !== this.threshold;
    if (this.threshold === null || (value !== this.pythonThreshold && !this.drag && !echoes)) this.threshold = value;
    this.pythonThreshold = value;
  }

  sendThreshold() {
    this.thresholdUntil = performance.now() + THRESHOLD_ECHO_MS;
    this.send("threshold", { value: this.threshold, seq: this.nextSeq() });
  }

  setRange(range) {
    this.range = range;
    this.send("range", range);
    this.say(range ? `Range ${this.times.range(range.start, range.end)}` : "No range");
    this.refresh();
  }

  rangeEdge(edge) {
    const frame = this.player.frame;
    const range = this.range ?? { start: frame, end: frame };
    this.setRange(
      edge === "start"
        ? { start: frame, end: Math.max(frame, range.end) }
        : { start: Math.min(frame, range.start), end: frame },
    );
  }

  setThreshold(value, final) {
    this.threshold = Math.round(clamp(value, 0, 1) * 1000) / 1000;
    this.timeline.draw();
    const now = performance.now();
    clearTimeout(this.late);
    const wait = THRESHOLD_EVERY_MS - (now - (this.sentAt ?? -Infinity));
    if (!final && wait > 0) this.late = setTimeout(() => this.setThreshold(this.threshold, false), wait);
    else {
      this.sentAt = now;
      this.sendThreshold();
    }
    if (final) this.say(`Threshold ${this.threshold.toFixed(2)}`);
  }

  thresholdKey(event) {
    const step = event.shiftKey ? 0.1 : 0.01;
    const by = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: 0.1, PageDown: -0.1 }[
      event.key
    ];
    if (event.key === "Escape") return this.focus();
    if (by === undefined) return undefined;
    event.preventDefault();
    event.stopPropagation();
    return this.setThreshold(this.threshold + by, true);
  }
}
