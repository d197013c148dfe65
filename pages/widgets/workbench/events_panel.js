const STATE_WORDS = { hit: "found rightly", wrong: "false alarm", missed: "missed" };

/** All events beside the video, to go to and to judge. */
class EventsPanel {
  constructor(wb) {
    this.wb = wb;
    this.filter = this.choice("Show", [
      ["all", "All events"],
      ["truth", "True"],
      ["found", "Found"],
      ["check", "To check"],
    ]);
    this.sort = this.choice("Sort by", [
      ["time", "By time"],
      ["confidence", "By confidence"],
    ]);
    this.count = element("span", { class: "count" });
    this.list = element("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Events" });
    this.labels = element("div", { class: "labels", role: "group", "aria-label": "Label" });
    this.element = element(
      "div",
      { class: "panel" },
      element("div", { class: "head" }, this.filter, this.sort, this.count),
      this.list,
      this.labels,
    );
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-index]");
      if (!row) return;
      this.wb.pick(this.shown[Number(row.dataset.index)]);
      if (event.target.closest(".take")) this.wb.marking.takeOver();
      this.wb.focus();
    });
  }

  choice(name, options) {
    const select = element(
      "select",
      { "aria-label": name },
      ...options.map(([value, text]) => element("option", { value }, text)),
    );
    select.addEventListener("change", () => {
      this.draw();
      this.wb.focus();
    });
    return select;
  }

  /** The events as listed: filtered and sorted. */
  listed() {
    const { wb } = this;
    const wanted = this.filter.value;
    const open = (one) =>
      one.state === "wrong" ||
      one.state === "missed" ||
      (wb.editable && one.kind === "found" && !one.state && !one.labelled);
    const all = [...wb.truth, ...wb.found].filter(
      (one) => wanted === "all" || one.kind === wanted || (wanted === "check" && open(one)),
    );
    const byTime = (a, b) => a.start - b.start || (a.kind < b.kind ? 1 : -1);
    return all.sort(
      this.sort.value === "time" ? byTime : (a, b) => (b.confidence ?? 2) - (a.confidence ?? 2) || byTime(a, b),
    );
  }

  draw() {
    const { wb } = this;
    if (!wb.times) return;
    this.shown = this.listed();
    const signature = JSON.stringify([
      this.shown.map((one) => [one.kind, intervalKey(one), one.confidence, one.state, one.labelled]),
      wb.editable,
      wb.times.n,
    ]);
    if (signature !== this.drawn) {
      this.drawn = signature;
      this.list.replaceChildren(...this.shown.map((one, i) => this.row(one, i)));
      if (!this.shown.length) this.list.append(element("p", { class: "nothing" }, this.emptyText()));
      this.count.textContent = String(this.shown.length);
    }
    this.mark();
    this.drawLabels();
  }

  emptyText() {
    if (this.filter.value !== "all") return "Nothing of this kind.";
    return this.wb.editable ? "No events yet. Drag on the lane True, or press I and O." : "No events.";
  }

  row(one, i) {
    const { times } = this.wb;
    const words = one.state ? STATE_WORDS[one.state] : one.kind === "found" && one.labelled ? "labelled" : "";
    const confidence = one.confidence === null || one.confidence === undefined ? "" : one.confidence.toFixed(2);
    const right = one.state === "hit";
    const spoken = [
      one.kind === "truth" ? "true" : "found",
      one.label,
      times.range(one.start, one.end),
      confidence && `confidence ${confidence}`,
      words,
    ];
    return element(
      "div",
      {
        class: `event ${one.kind} ${one.state}`,
        role: "option",
        id: `event-${i}`,
        "data-index": i,
        "aria-label": spoken.filter(Boolean).join(", "),
      },
      element("i", { class: "glyph", colour: one.kind === "truth" && this.wb.labelColour(one.label) }),
      element("span", { class: "time" }, `${clock(times.at(one.start))}–${clock(times.end(one.end))}`),
      element("span", { class: "label", title: one.label }, one.label),
      element(
        "span",
        { class: "confidence", title: right ? words : "" },
        right ? `${confidence} ✓`.trim() : confidence,
      ),
      element("span", { class: "state" }, right ? "" : words),
    );
  }

  /** The selected row, with its sentence. */
  mark() {
    const { wb } = this;
    const index = this.shown.findIndex((one) => wb.isSelected(one));
    const row = index < 0 ? null : this.list.children[index];
    const why = index < 0 ? "" : this.shown[index].why;
    const take = index >= 0 && wb.editable && this.shown[index].kind === "found";
    const signature = `${index} ${why} ${take}`;
    if (row === this.marked && signature === this.markedAs) return;
    this.marked?.classList.remove("selected");
    this.marked?.removeAttribute("aria-selected");
    this.marked?.querySelector(".more")?.remove();
    this.marked = row;
    this.markedAs = signature;
    if (!row) {
      this.list.removeAttribute("aria-activedescendant");
      return;
    }
    row.classList.add("selected");
    row.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", row.id);
    const one = this.shown[index];
    const more = element(
      "div",
      { class: "more" },
      element(
        "span",
        { class: "frames" },
        `frames ${one.start}–${one.end}, ${(wb.times.end(one.end) - wb.times.at(one.start)).toFixed(2)} s`,
      ),
    );
    if (why) more.append(element("p", {}, why));
    if (take) more.append(element("button", { type: "button", class: "take" }, "Take over as true"));
    row.append(more);
    const [top, bottom] = [row.offsetTop - this.list.offsetTop, row.offsetTop - this.list.offsetTop + row.offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top - 8;
    else if (bottom > this.list.scrollTop + this.list.clientHeight)
      this.list.scrollTop = bottom - this.list.clientHeight + 8;
  }

  drawLabels() {
    const { wb } = this;
    const labels = wb.editable ? wb.data.labels : [];
    const now = wb.selected?.kind === "truth" ? (wb.selectedItem()?.label ?? wb.label) : wb.label;
    const signature = JSON.stringify([labels, now]);
    this.labels.hidden = labels.length === 0;
    if (signature === this.labelled) return;
    this.labelled = signature;
    this.labels.replaceChildren(
      ...labels.map((label) => {
        const button = element(
          "button",
          {
            type: "button",
            class: "label-chip",
            "aria-pressed": String(label.name === now),
            colour: wb.labelColour(label.name),
          },
          element("i", { class: "glyph" }),
          element("span", {}, label.name),
        );
        if (label.key) button.append(element("kbd", {}, label.key));
        button.addEventListener("click", () => {
          wb.marking.relabel(label.name);
          wb.focus();
        });
        return button;
      }),
    );
  }
}
