const TAB_KEY = "trickline:tab";
const ORPHAN_MS = 10_000;

const randomId = () => Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");

/** What browsers may refuse (private windows, full disk) costs the safety net and nothing else. */
function storage(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/**
 * Edits that the server has not confirmed, in the browser's own storage: a restart, a reload or a crash loses none.
 * One list for each document, by editor, since several tabs may edit it.
 */
class Unsaved {
  constructor(session) {
    this.key = `trickline:unsaved:${session}`;
    this.tab = storage(() => sessionStorage.getItem(TAB_KEY)) ?? randomId();
    storage(() => sessionStorage.setItem(TAB_KEY, this.tab));
  }

  all() {
    return storage(() => JSON.parse(localStorage.getItem(this.key))) ?? {};
  }

  write(records) {
    storage(() =>
      Object.keys(records).length
        ? localStorage.setItem(this.key, JSON.stringify(records))
        : localStorage.removeItem(this.key),
    );
  }

  put(edit) {
    this.write({ ...this.all(), [edit.editor]: { ...edit, tab: this.tab, at: Date.now() } });
  }

  drop(editor) {
    const { [editor]: _gone, ...others } = this.all();
    this.write(others);
  }

  /** An edit to take care of: this tab's from before a reload, or that of a tab that is no more. */
  find(ack) {
    for (const record of Object.values(this.all())) {
      if (ack && ack[0] === record.editor && ack[1] >= record.seq) this.drop(record.editor);
      else if (record.tab === this.tab || Date.now() - record.at > ORPHAN_MS) return record;
    }
    return null;
  }
}
