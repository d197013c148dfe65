const KEYS_STORED = "trickline:keys";
const KEY_SIGNS = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Delete: "Del",
  Backspace: "⌫",
  PageUp: "Page ↑",
  PageDown: "Page ↓",
  Enter: "↵",
};

/** A pressed key with its modifiers, as `Ctrl+Shift+z`. Signs stand for themselves, whatever it takes to type them. */
function combination(event) {
  let key = event.key === " " ? "Space" : event.key;
  if (["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Process", "Unidentified"].includes(key))
    return null;
  const typed = event.getModifierState?.("AltGraph");
  if (key.length === 1) key = key.toLowerCase();
  const parts = [];
  if ((event.ctrlKey || event.metaKey) && !typed) parts.push("Ctrl");
  if (event.altKey && !typed) parts.push("Alt");
  if (event.shiftKey && (key.length > 1 || /\p{L}/u.test(key))) parts.push("Shift");
  return [...parts, key].join("+");
}

const keyText = (combo) =>
  combo
    .split(/\+(?=.)/)
    .map((part) => KEY_SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" ");

/** Which key does what, and the listening for it. */
class Keys {
  constructor(wb) {
    this.wb = wb;
    this.changed = storage(() => JSON.parse(localStorage.getItem(KEYS_STORED))) ?? {};
    this.map();
    const on = (name, then) => wb.root.addEventListener(name, then, { signal: wb.listening.signal });
    on("keydown", (event) => this.down(event));
    on("keyup", (event) => this.up(event));
    on("focusout", (event) => {
      if (this.wb.mark?.key && !wb.root.contains(event.relatedTarget)) this.wb.marking.release();
    });
  }

  map() {
    this.cropping = this.wb.framing.editable;
    this.actions = new Map();
    const ids = [...ACTIONS.keys()].filter((id) => !CROPPING.has(id));
    for (const id of this.cropping ? [...ids, ...CROPPING] : ids)
      for (const combo of this.own(id)) this.actions.set(combo, id);
  }

  own(id) {
    const changed = Object.hasOwn(this.changed, id) ? this.changed[id] : null;
    return Array.isArray(changed) ? changed : ACTIONS.get(id).keys;
  }

  /** The keys that do it now. */
  of(id) {
    return this.own(id).filter((combo) => this.actions.get(combo) === id);
  }

  shown(id) {
    const [first] = this.of(id);
    return first ? keyText(first) : "";
  }

  /** Returns the name of the action that has no key any more, if there is one. */
  remap(id, combo) {
    // A key of the crop may be one of the others as well.
    const rivals = [...ACTIONS.keys()].filter((one) => one !== id && CROPPING.has(one) === CROPPING.has(id));
    const loser = rivals.find((one) => this.own(one).includes(combo));
    if (loser) this.changed[loser] = this.own(loser).filter((one) => one !== combo);
    this.changed[id] = [combo];
    this.keep();
    return loser && !this.own(loser).length ? ACTIONS.get(loser).name : null;
  }

  reset() {
    this.changed = {};
    this.keep();
  }

  keep() {
    storage(() => localStorage.setItem(KEYS_STORED, JSON.stringify(this.changed)));
    this.map();
    this.wb.transport.title(this);
  }

  down(event) {
    if (event.defaultPrevented) return;
    // Streamlit listens on the page: r would run the script again, c would offer to clear its cache.
    event.stopPropagation();
    const target = event.composedPath()[0];
    if (this.wb.help.isOpen || (target.dataset?.keys === "own" && event.key.startsWith("Arrow"))) return;
    if (target.tagName === "SELECT" || target.tagName === "INPUT") {
      if (event.key === "Escape") this.wb.focus();
      return;
    }
    const combo = combination(event);
    if (!combo || (target.tagName === "BUTTON" && (combo === "Space" || combo === "Enter"))) return;
    if (this.act(combo, event)) event.preventDefault();
  }

  act(combo, event) {
    const { wb } = this;
    if (combo === "Escape") return wb.escape();
    const id = this.actions.get(combo);
    if (id) {
      if (!event.repeat || REPEATING.has(id)) wb.run(id);
      return true;
    }
    const label = wb.editable && !event.ctrlKey && !event.altKey && wb.labelOfKey(event);
    if (label) {
      if (event.repeat) return true;
      if (wb.shuttle.moving && !wb.mark) wb.marking.hold(label, event.code);
      else if (!wb.mark) wb.marking.relabel(label);
      return true;
    }
    return combo === "r" || combo === "c";
  }

  up(event) {
    event.stopPropagation();
    const { mark } = this.wb;
    if (mark?.key && mark.key === event.code) this.wb.marking.release();
  }
}
