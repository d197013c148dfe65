// Storage may be full or forbidden: the page then holds alone what was decided.
function storage(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

// What this browser decided and Python has not confirmed yet.
class Unsaved {
  editor = Math.random().toString(36).slice(2);
  seq = 0;
  all = new Map();

  constructor(session) {
    this.prefix = `trickline-review ${session} `;
    const keys = storage(() => Object.keys(localStorage).filter((one) => one.startsWith(this.prefix))) ?? [];
    for (const key of keys) {
      for (const [id, decision] of Object.entries(read(key) ?? {})) this.put(id, decision);
      storage(() => localStorage.removeItem(key));
    }
    this.store();
  }

  put(id, decision) {
    this.all.set(id, { ...decision, seq: ++this.seq });
    this.store();
  }

  acknowledged([editor, seq] = []) {
    if (editor !== this.editor) return;
    for (const [id, decision] of this.all) if (decision.seq <= seq) this.all.delete(id);
    this.store();
  }

  message() {
    this.sentAt = performance.now();
    const decisions = [...this.all].map(([id, { seq, ...decision }]) => [id, decision]);
    return { editor: this.editor, seq: this.seq, decisions: Object.fromEntries(decisions) };
  }

  store() {
    storage(() =>
      this.all.size
        ? localStorage.setItem(this.prefix + this.editor, JSON.stringify(Object.fromEntries(this.all)))
        : localStorage.removeItem(this.prefix + this.editor),
    );
  }
}
