const RESEND_MS = 1000;
const PATIENCE_MS = 2500;
const RESEND_AT_MOST_MS = 8000;
const UNDO_KEPT = 500;

/**
 * The list that is edited here, and how it reaches Python. Streamlit may drop all but the last of quick messages, so
 * the whole list is sent each time, numbered, until the server confirms that number. While it has not, lists from
 * Python are not taken over: they do not know the newest edit yet.
 */
class Draft {
  constructor(session, kind = INTERVALS) {
    this.session = session;
    this.kind = kind;
    this.unsaved = new Unsaved(session);
    this.editor = randomId();
    this.seq = 0;
    this.base = 0;
    this.items = [];
    this.waiting = null;
    this.offered = null;
    this.done = [];
    this.undone = [];
    this.adopted = false;
    this.editable = false;
    this.send = () => {};
  }

  /** A document from Python. `busy`: something is being dragged. Returns whether the list is another one now. */
  offer(document, busy) {
    // Two runs of the script may overlap, and the older one's answer come last.
    if (this.adopted && document.revision < this.base) return false;
    this.ack = document.ack;
    if (!this.adopted && this.editable) this.recover(document.ack);
    if (this.waiting && document.ack?.[0] === this.editor && document.ack[1] >= this.waiting.seq) this.confirmed();
    this.offered = null;
    if (this.waiting) return false;
    if (busy) {
      this.offered = document;
      return false;
    }
    return this.adopt(document);
  }

  adopt(document) {
    const { make, key, inOrder } = this.kind;
    const items = inOrder(document.items.map(make));
    const same = items.length === this.items.length && items.every((one, i) => key(one) === key(this.items[i]));
    this.base = document.revision;
    this.adopted = true;
    this.offered = null;
    if (!same) this.items = items;
    return !same;
  }

  /** After a drag that changed nothing. */
  settle() {
    return this.offered && !this.waiting ? this.adopt(this.offered) : false;
  }

  confirmed() {
    this.unsaved.drop(this.editor);
    this.waiting = null;
  }

  recover(ack) {
    const record = this.unsaved.find(ack);
    if (!record || !Array.isArray(record.items)) return false;
    this.editor = record.editor;
    this.seq = record.seq;
    this.base = record.base;
    this.items = this.kind.inOrder(record.items.map(this.kind.make));
    this.adopted = true;
    this.waiting = {
      seq: record.seq,
      base: record.base,
      rows: record.items,
      since: performance.now(),
      sentAt: -Infinity,
      times: record.again + 1 || 0,
      tries: 0,
    };
    return true;
  }

  /** One edit: one step of undo. */
  commit(items, step = stepBetween(this.items, items, this.kind.key)) {
    if (!step.removed.length && !step.added.length) return false;
    this.done.push(step);
    if (this.done.length > UNDO_KEPT) this.done.shift();
    this.undone = [];
    this.put(items);
    return true;
  }

  put(items) {
    this.items = items;
    this.offered = null;
    this.seq += 1;
    const rows = items.map(this.kind.row);
    const since = this.waiting?.since ?? performance.now();
    this.waiting = { seq: this.seq, base: this.base, rows, since, sentAt: -Infinity, times: 0, tries: 0 };
    this.pass();
  }

  undo() {
    return this.retrace(this.done, this.undone);
  }

  redo() {
    return this.retrace(this.undone, this.done);
  }

  /** The item that came back, `null` if one only went away, `undefined` if there was no step. */
  retrace(from, to) {
    const step = from.pop();
    if (!step) return undefined;
    const before = this.items;
    const items = this.kind.withStep(before, { removed: step.added, added: step.removed });
    to.push(stepBetween(before, items, this.kind.key));
    this.put(items);
    return to.at(-1).added[0] ?? null;
  }

  pass() {
    const { seq, base, rows, times } = this.waiting;
    const edit = { editor: this.editor, seq, base, items: rows };
    this.unsaved.put({ ...edit, again: times });
    this.waiting.sentAt = performance.now();
    this.waiting.times += 1;
    this.waiting.tries += 1;
    // Streamlit calls Python only for a value that differs from the last.
    this.send({ ...edit, again: times });
  }

  /** Now and then: what was not confirmed is sent again, less often with each time. Returns whether to redraw. */
  tick() {
    if (!this.editable || !this.adopted) return false;
    if (!this.waiting) return this.recover(this.ack);
    const patience = Math.min(RESEND_MS * 2 ** Math.max(0, this.waiting.tries - 1), RESEND_AT_MOST_MS);
    if (performance.now() - this.waiting.sentAt >= patience) this.pass();
    return false;
  }

  get state() {
    if (!this.waiting) return "saved";
    return performance.now() - this.waiting.since < PATIENCE_MS ? "saving" : "waiting";
  }
}
