const SNAP_PX = 7;

/**
 * What can be dragged. Each kind is `{begin, move, end, click, cancel}`: `click` in place of `end` if the pointer did
 * not move, unless the drag is `eager`.
 */
class Drags {
  constructor(wb) {
    this.wb = wb;
  }

  /** The boundary between frames under the pointer, drawn to edges and the playhead nearby; Ctrl holds it off. */
  boundary(x, event, drag, own) {
    const { wb } = this;
    const { times, view } = wb;
    const free = times.boundary(clamp(view.seconds(x), 0, view.duration));
    wb.snapped = null;
    if (event?.ctrlKey) return free;
    let [best, distance] = [free, SNAP_PX];
    const consider = (k) => {
      const away = Math.abs(view.x(k < times.n ? times.at(k) : times.duration) - x);
      if (away < distance) [best, distance, wb.snapped] = [k, away, k];
    };
    consider(drag.home);
    consider(drag.home + 1);
    for (const items of [wb.draft.items, wb.found, ...wb.layers.map((layer) => layer.items)])
      for (const one of items)
        if (!own || intervalKey(one) !== intervalKey(own)) {
          consider(one.start);
          consider(one.end + 1);
        }
    return best;
  }

  seekTo(x) {
    this.wb.player.seek(this.wb.times.shownAt(clamp(this.wb.view.seconds(x), 0, this.wb.view.duration)));
  }

  scrub() {
    const { wb } = this;
    let playing = false;
    return {
      eager: true,
      begin: (x) => {
        playing = wb.shuttle.moving;
        wb.shuttle.stop();
        this.seekTo(x);
      },
      move: (x) => this.seekTo(x),
      end: () => playing && wb.player.play(),
    };
  }

  pan() {
    const { wb } = this;
    const from = wb.view.from;
    return {
      move: (x) => {
        const start = from - ((x - wb.drag.x) / wb.view.width) * wb.view.span;
        wb.view.set(start, start + wb.view.span);
        wb.timeline.draw();
      },
    };
  }

  overview(x) {
    const { wb } = this;
    const { view } = wb;
    const seconds = (at) => (at / view.width) * view.duration;
    const inside = seconds(x) >= view.from && seconds(x) <= view.to;
    const grip = inside ? seconds(x) - view.from : view.span / 2;
    return {
      move: (at) => {
        if (view.whole) wb.player.seek(wb.times.shownAt(seconds(at)));
        view.set(seconds(at) - grip, seconds(at) - grip + view.span);
        wb.timeline.draw();
      },
      click: (at) => {
        wb.player.seek(wb.times.shownAt(clamp(seconds(at), 0, view.duration)));
        if (!inside) view.set(seconds(at) - grip, seconds(at) - grip + view.span);
      },
    };
  }

  threshold() {
    const { wb } = this;
    const before = wb.threshold;
    return {
      move: (_x, y) => {
        const lane = wb.timeline.lane("curve");
        const data = wb.curveData();
        const share = (lane.top + lane.height - 5 - y) / (lane.height - 10);
        wb.setThreshold(data.low + share * (data.high - data.low), false);
      },
      end: () => wb.setThreshold(wb.threshold, true),
      cancel: () => wb.setThreshold(before, true),
    };
  }

  range(x) {
    const { wb } = this;
    const before = wb.range;
    return {
      move: (at, _y, event) => {
        const [a, b] = [this.boundary(x, event, wb.drag), this.boundary(at, event, wb.drag)].sort((p, q) => p - q);
        wb.range = { start: Math.min(a, wb.times.n - 1), end: clamp(b - 1, a, wb.times.n - 1) };
        wb.timeline.draw();
      },
      end: () => wb.setRange(wb.range),
      cancel: () => {
        wb.range = before;
      },
      click: () => wb.setRange(null),
    };
  }

  new(x) {
    const { wb } = this;
    const { times } = wb;
    return {
      begin: () => wb.shuttle.stop(),
      move: (at, _y, event) => {
        const anchor = this.boundary(x, event, wb.drag);
        const [a, b] = [anchor, this.boundary(at, event, wb.drag)].sort((p, q) => p - q);
        const seed = makeInterval(Math.min(anchor, times.n - 1), Math.min(anchor, times.n - 1), wb.label);
        const [first, last] = reach(wb.draft.items, seed, times.n);
        const start = clamp(a, first, last);
        const end = clamp(b - 1, start, last);
        wb.preview = withAdded(wb.draft.items, makeInterval(start, end, wb.label));
        wb.previewChanged();
        wb.player.seek(at < x ? start : end);
      },
      end: () => wb.commitPreview("added"),
      click: (at) => {
        wb.select(null);
        this.seekTo(at);
      },
    };
  }

  trim(old, edge) {
    const { wb } = this;
    return {
      begin: () => {
        wb.shuttle.stop();
        wb.player.seek(edge === "start" ? old.start : old.end);
      },
      move: (x, _y, event) => {
        const k = this.boundary(x, event, wb.drag, old);
        const [start, end] =
          edge === "start" ? [Math.min(k, old.end), old.end] : [old.start, Math.max(k - 1, old.start)];
        wb.preview = withTrimmed(wb.draft.items, old, start, end, wb.times.n);
        wb.previewChanged();
        wb.player.seek(edge === "start" ? wb.preview.one.start : wb.preview.one.end);
      },
      end: () => wb.commitPreview("trimmed to", edge),
    };
  }

  move(old, grabbed) {
    const { wb } = this;
    const { times, view } = wb;
    return {
      begin: () => wb.shuttle.stop(),
      move: (x, _y, event) => {
        const left = view.x(times.at(old.start)) + x - grabbed;
        const right = view.x(times.end(old.end)) + x - grabbed;
        const byStart = this.boundary(left, event, wb.drag, old) - old.start;
        const startSnapped = wb.snapped;
        const byEnd = this.boundary(right, event, wb.drag, old) - old.end - 1;
        const by = startSnapped === null && wb.snapped !== null ? byEnd : byStart;
        wb.snapped = startSnapped ?? wb.snapped;
        wb.preview = withMoved(wb.draft.items, old, by, times.n);
        wb.previewChanged();
      },
      end: () => wb.commitPreview("moved to"),
      click: (x) => this.seekTo(x),
    };
  }
}
