/** What keys and buttons do to the intervals. Marks are the frame that is shown. */
class Marking {
  constructor(wb) {
    this.wb = wb;
  }

  /** The selected true interval; with `orUnder` else the one under the playhead. */
  chosen(orUnder = false) {
    const { wb } = this;
    const selected = wb.selected?.kind === "truth" ? wb.selectedItem() : null;
    const frame = wb.player.frame;
    const holds = (one) => one.start <= frame && frame <= one.end;
    if (!orUnder) return selected && this.plain(selected);
    if (selected && holds(selected)) return this.plain(selected);
    return wb.draft.items.find(holds) ?? (selected && this.plain(selected));
  }

  plain(one) {
    return findInterval(this.wb.draft.items, one);
  }

  done(result, text, edge = null) {
    if (!result) return false;
    return this.wb.commit(result, text, edge);
  }

  in() {
    const { wb } = this;
    const frame = wb.player.frame;
    const one = this.chosen();
    if (one && frame <= one.end && !wb.mark) {
      const result = withTrimmed(wb.draft.items, one, frame, one.end, wb.times.n);
      return this.done(result, "starts now", "start");
    }
    wb.mark = { start: frame, label: wb.label };
    wb.select(null);
    wb.say(`In at ${clock(wb.times.at(frame))}, frame ${frame}`);
    return wb.timeline.draw(false);
  }

  out() {
    const { wb } = this;
    const frame = wb.player.frame;
    if (wb.mark) {
      const { start, label } = wb.mark;
      wb.mark = null;
      const [from, to] = [Math.min(start, frame), Math.max(start, frame)];
      return this.done(withAdded(wb.draft.items, makeInterval(from, to, label)), "added");
    }
    const one = this.chosen();
    if (one && frame >= one.start)
      return this.done(withTrimmed(wb.draft.items, one, one.start, frame, wb.times.n), "ends now", "end");
    return wb.say("Mark the start with I first.");
  }

  split() {
    const one = this.chosen(true);
    const result = one && withSplit(this.wb.draft.items, one, this.wb.player.frame);
    if (!result) return this.wb.say("The playhead is not inside an interval.");
    return this.done(result, "split; now selected:");
  }

  merge() {
    const one = this.chosen(true);
    const result = one && withMerged(this.wb.draft.items, one);
    if (!result) return this.wb.say(one ? "No interval with this label follows." : "Select an interval first.");
    return this.done(result, "merged:");
  }

  remove() {
    const { wb } = this;
    const one = this.chosen();
    if (!one) return wb.say("Select a true interval first.");
    return wb.commit(
      { items: without(wb.draft.items, one), one: null },
      `${one.label} ${wb.times.range(one.start, one.end)} deleted`,
    );
  }

  relabel(label) {
    const { wb } = this;
    wb.setLabel(label);
    const one = this.chosen();
    if (!one) return wb.say(`New intervals are called ${label}`);
    return this.done(withLabel(wb.draft.items, one, label), "is now");
  }

  nextLabel() {
    const names = this.wb.labelNames();
    const now = this.chosen()?.label ?? this.wb.label;
    this.relabel(names[(names.indexOf(now) + 1) % names.length]);
  }

  /** Moves the selected edge, or the whole interval, by frames; the video shows the edge. */
  nudge(by) {
    const { wb } = this;
    const one = this.chosen();
    if (!one) return wb.say("Select a true interval first.");
    const { edge } = wb.selected;
    const { items } = wb.draft;
    const result =
      edge === "start"
        ? withTrimmed(items, one, Math.min(one.start + by, one.end), one.end, wb.times.n)
        : edge === "end"
          ? withTrimmed(items, one, one.start, Math.max(one.end + by, one.start), wb.times.n)
          : withMoved(items, one, by, wb.times.n);
    wb.shuttle.stop();
    wb.player.seek(edge === "end" ? result.one.end : result.one.start);
    return this.done(result, edge ? `${edge} moved:` : "moved to", edge);
  }

  edge(edge) {
    const { wb } = this;
    const one = this.chosen();
    if (!one) return wb.say("Select a true interval first.");
    wb.selected.edge = wb.selected.edge === edge ? null : edge;
    if (wb.selected.edge) wb.player.seek(edge === "start" ? one.start : one.end);
    wb.say(wb.selected.edge ? `${edge === "start" ? "Start" : "End"} selected` : "Whole interval selected");
    return wb.timeline.draw();
  }

  /** A found event becomes a true interval. */
  takeOver() {
    const { wb } = this;
    const one = wb.selected?.kind === "found" ? wb.selectedItem() : null;
    if (!one) return wb.selectUnder();
    const result = withAdded(wb.draft.items, makeInterval(one.start, one.end, one.label));
    if (this.done(result, "taken over:")) return undefined;
    return wb.say("This is among the true intervals already.");
  }

  undo() {
    this.retraced(this.wb.draft.undo(), "Nothing to undo", "Undone");
  }

  redo() {
    this.retraced(this.wb.draft.redo(), "Nothing to redo", "Done again");
  }

  retraced(one, nothing, text) {
    const { wb } = this;
    if (one === undefined) return wb.say(nothing);
    wb.documentChanged();
    wb.select(one && { ...one, kind: "truth" });
    wb.say(text);
    return wb.refresh();
  }

  /** While a number is held down during play an interval grows. */
  hold(label, key) {
    const { wb } = this;
    wb.setLabel(label);
    wb.select(null);
    wb.mark = { start: wb.player.frame, label, key };
    wb.say(`${label} begins`);
    wb.timeline.draw(false);
  }

  release() {
    const { wb } = this;
    const { start, label } = wb.mark;
    const end = wb.player.frame;
    wb.mark = null;
    if (end < start) return wb.timeline.draw(false);
    return this.done(withAdded(wb.draft.items, makeInterval(start, end, label)), "added");
  }
}

const findInterval = (items, one) => items.find((other) => intervalKey(other) === intervalKey(one)) ?? null;
