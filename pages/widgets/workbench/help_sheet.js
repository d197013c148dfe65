/** The sheet of keys: each can be changed by a click on it and the new key. */
class HelpSheet {
  constructor(wb) {
    this.wb = wb;
    this.note = element("p", { class: "note", role: "status" });
    this.groups = element("div", { class: "groups" });
    const close = element("button", { type: "button", autofocus: "" }, "Close");
    const reset = element("button", { type: "button" }, "Reset all keys");
    close.addEventListener("click", () => this.dialog.close());
    reset.addEventListener("click", () => {
      wb.keys.reset();
      this.fill("All keys are as at first.");
    });
    this.dialog = element(
      "dialog",
      { class: "help", "aria-label": "Keys" },
      element("div", { class: "help-head" }, element("h2", {}, "Keys"), this.note, reset, close),
      this.groups,
    );
    this.dialog.addEventListener("keydown", (event) => this.down(event));
    this.dialog.addEventListener("close", () => {
      this.asking = null;
      wb.focus();
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  get isOpen() {
    return this.dialog.open;
  }

  open() {
    this.fill("Click a key to change it.");
    this.dialog.showModal();
  }

  fill(note) {
    this.note.textContent = note;
    const groups = new Map();
    for (const action of ACTIONS.values()) {
      if (EDITING.has(action.id) && !this.wb.editable) continue;
      if (CROPPING.has(action.id) && !this.wb.framing.editable) continue;
      if (!groups.has(action.group)) groups.set(action.group, element("section", {}, element("h3", {}, action.group)));
      groups.get(action.group).append(this.row(action));
    }
    if (this.wb.editable) {
      const fixed = (name, key) =>
        element("div", { class: "key-row" }, element("span", {}, name), element("kbd", {}, key));
      groups.get("Edit").append(fixed("Label: relabel, or hold while playing", "1–9"));
    }
    groups
      .get("View")
      .append(
        element("div", { class: "key-row" }, element("span", {}, "Cancel, deselect"), element("kbd", {}, "Esc")),
        element(
          "p",
          {},
          "Mouse: wheel zooms, Shift and wheel pans, Alt or middle button drags the window, Shift and drag on the curve brushes a range, double click loops. Ctrl holds off snapping.",
        ),
      );
    const mouse = "Mouse: drag the crop in the picture; wheel or a corner changes its size.";
    groups.get("Crop")?.append(element("p", {}, mouse));
    const { Play, Events, Edit, Crop, View } = Object.fromEntries(groups);
    this.groups.replaceChildren(element("div", {}, Play, Events), ...[Edit, Crop].filter(Boolean), View);
  }

  row(action) {
    const keys = this.wb.keys.of(action.id);
    const text = keys.map(keyText).join("  or  ") || "–";
    const button = element(
      "button",
      { type: "button", class: "key", "aria-label": `${action.name}: ${text}. Change` },
      text,
    );
    button.addEventListener("click", () => {
      this.asking = action.id;
      button.textContent = "press a key";
    });
    return element("div", { class: "key-row" }, element("span", {}, action.name), button);
  }

  down(event) {
    event.stopPropagation();
    if (!this.asking) return;
    const combo = combination(event);
    if (!combo) return;
    event.preventDefault();
    const id = this.asking;
    this.asking = null;
    if (combo === "Escape") return this.fill("Nothing was changed.");
    if (/^[1-9]$/.test(combo) || combo === "Tab") return this.fill("This key has its fixed use.");
    const loser = this.wb.keys.remap(id, combo);
    return this.fill(`${ACTIONS.get(id).name}: ${keyText(combo)}${loser ? `. No key is left for: ${loser}` : ""}`);
  }
}
