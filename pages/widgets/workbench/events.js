const DEFAULT_LABEL = "trick";

/** The part of the workbench that knows the intervals: what is true, what was found, and which of them is selected. */
class Events {
  constructor() {
    Object.assign(this, { truth: [], found: [], layers: [], selected: null, preview: null, mark: null });
    this.draft = new Draft("");
    this.editable = false;
    this.label = DEFAULT_LABEL;
  }

  get hasTruth() {
    return Boolean(this.data.document || this.data.truth.length);
  }

  /** After any change of the list: what is true, what of it was missed, and which found events are among it. */
  documentChanged() {
    if (!this.data) return;
    const { document, truth, missed } = this.data;
    const items = this.preview?.items ?? this.draft.items;
    this.truth = document
      ? items.map((one) => {
          const why = missed.find(
            (other) => other.label === one.label && 2 * sharedFrames(one, other) > other.end - other.start,
          );
          return { ...one, kind: "truth", state: why ? "missed" : "", why: why?.why ?? "" };
        })
      : inOrder(truth.map((one) => ({ ...one, kind: "truth" })));
    for (const one of this.found)
      one.labelled = this.truth.some((other) => other.label === one.label && sharedFrames(one, other) > 0);
    if (this.selected && !this.selectedItem()) this.selected = null;
    this.timeline.draw();
  }

  previewChanged() {
    this.selected = { ...this.selected, kind: "truth", key: intervalKey(this.preview.one) };
    this.documentChanged();
  }

  commitPreview(text, edge = null) {
    const { preview } = this;
    this.preview = null;
    if (preview) this.commit(preview, text, edge);
    this.documentChanged();
  }

  /** One edit. Returns whether anything changed. */
  commit({ items, one }, text, edge = null) {
    const changed = this.draft.commit(items);
    this.documentChanged();
    this.select(one && { ...one, kind: "truth" }, edge);
    if (changed) this.say(one ? `${one.label} ${text} ${this.times.range(one.start, one.end)}` : text);
    this.refresh();
    return changed;
  }

  isSelected(one) {
    return this.selected?.kind === one.kind && this.selected.key === intervalKey(one);
  }

  selectedItem() {
    return [...this.truth, ...this.found].find((one) => this.isSelected(one)) ?? null;
  }

  select(one, edge = null) {
    this.selected = one && { kind: one.kind, key: intervalKey(one), edge };
    this.panel.draw();
    this.timeline.draw();
  }

  /** Selection by the user: Python hears of it. */
  pick(one, { go = true, edge = null } = {}) {
    const again = this.isSelected(one);
    this.select(one, edge);
    if (go) this.goTo(one);
    if (!again)
      this.send("picked", { kind: one.kind, start: one.start, end: one.end, label: one.label, seq: this.nextSeq() });
  }

  goTo(one) {
    this.player.seek(one.start);
    const [from, to] = [this.times.at(one.start), this.times.end(one.end)];
    if (to > this.view.to || from < this.view.from) this.view.set(...this.centred(from, to));
    this.timeline.draw();
  }

  centred(from, to) {
    const span = Math.max(this.view.span, to - from);
    return [(from + to - span) / 2, (from + to + span) / 2];
  }

  neighbour(by) {
    const events = this.panel.listed().sort((a, b) => a.start - b.start || (a.kind < b.kind ? 1 : -1));
    const at = events.findIndex((one) => this.isSelected(one));
    const frame = this.player.frame;
    const next =
      at >= 0 && events[at].start === frame
        ? events[at + by]
        : by > 0
          ? events.find((one) => one.start > frame)
          : events.findLast((one) => one.start < frame);
    if (!next) return this.say(by > 0 ? "No event follows" : "No event before");
    this.pick(next);
    return this.say(
      `${next.kind === "truth" ? "True" : "Found"} ${next.label}, ${this.times.range(next.start, next.end)}`,
    );
  }

  selectUnder() {
    const frame = this.player.frame;
    const under = [...this.truth, ...this.found].filter((one) => one.start <= frame && frame <= one.end);
    const at = under.findIndex((one) => this.isSelected(one));
    if (!under.length) return this.say("Nothing is under the playhead");
    const one = under[(at + 1) % under.length];
    this.pick(one, { go: false });
    return this.say(
      `${one.kind === "truth" ? "True" : "Found"} ${one.label} selected, ${this.times.range(one.start, one.end)}`,
    );
  }

  labelNames() {
    return this.data?.labels.length ? this.data.labels.map(({ name }) => name) : [DEFAULT_LABEL];
  }

  setLabel(label) {
    this.label = label;
    this.panel.draw();
  }

  labelOfKey(event) {
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
    const labels = this.data.labels;
    return (
      labels.find(({ key }) => key && (key === event.key || key === digit)) ??
      (labels.length ? null : digit === "1" && { name: DEFAULT_LABEL })
    )?.name;
  }

  labelColour(name) {
    return this.data.labels.find((label) => label.name === name)?.colour || this.palette.colours.true;
  }

  textOn(name) {
    return this.palette.readableOn(this.labelColour(name));
  }
}

const sharedFrames = (a, b) => Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start) + 1);
