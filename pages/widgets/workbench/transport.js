const ICONS = {
  play: "M6 4l10 6-10 6z",
  pause: "M6.5 4v12M13.5 4v12",
  prevFrame: "M13 5l-6 5 6 5M5 5v10",
  nextFrame: "M7 5l6 5-6 5M15 5v10",
  prevEvent: "M16 5l-5 5 5 5M9 5l-5 5 5 5",
  nextEvent: "M4 5l5 5-5 5M11 5l5 5-5 5",
  loop: "M4 9V8a3 3 0 013-3h9M13 2l3 3-3 3M16 11v1a3 3 0 01-3 3H4M7 18l-3-3 3-3",
  in: "M8 4H5v12h3M9 10h7M13 7l3 3-3 3",
  out: "M12 4h3v12h-3M11 10H4M7 7l-3 3 3 3",
  split: "M10 3v14M7 10H2M4.5 7.5L2 10l2.5 2.5M13 10h5M15.5 7.5L18 10l-2.5 2.5",
  merge: "M2 10h6M5.5 7.5L8 10l-2.5 2.5M18 10h-6M14.5 7.5L12 10l2.5 2.5M2 4v12M18 4v12",
  remove: "M4 6h12M8 6V4h4v2M6 6l1 11h6l1-11",
  undo: "M4 8h8a4 4 0 010 8H8M7 5L4 8l3 3",
  redo: "M16 8H8a4 4 0 000 8h4M13 5l3 3-3 3",
  setKey: "M8 6l5 5-5 5-5-5zM16 2v6M13 5h6",
  dropKey: "M8 6l5 5-5 5-5-5zM13 5h6",
  prevKey: "M12 5l5 5-5 5-5-5zM3 5v10",
  nextKey: "M8 5l5 5-5 5-5-5zM17 5v10",
  zoomIn: "M4 10h12M10 4v12",
  zoomOut: "M4 10h12",
  fitAll: "M3 6V3h4M17 6V3h-4M3 14v3h4M17 14v3h-4",
  people: "M10 7a2 2 0 100-4 2 2 0 000 4zM10 8v5M6 10h8M10 13l-3 5M10 13l3 5",
  sound: "M3 8h3l4-4v12l-4-4H3zM13 7a4 4 0 010 6",
  mute: "M3 8h3l4-4v12l-4-4H3zM13 8l4 4M17 8l-4 4",
};

/** Buttons, readouts and the state of saving, between the video and the timeline. */
class Transport {
  constructor(wb) {
    this.wb = wb;
    this.buttons = new Map();
    this.time = element("span", { class: "time" }, "0:00.00");
    this.frame = element("span", { class: "frame" }, "f 0");
    this.speed = element("span", { class: "speed" }, "×1");
    this.looping = element("span", { class: "looping" });
    this.saved = element("span", { class: "saved", role: "status" });
    const group = (name, ...children) =>
      element("div", { class: "group", role: "group", "aria-label": name }, ...children);
    this.slow = this.button("slow", "Slow motion", "¼×");
    this.editing = group(
      "Edit",
      ...["in", "out", "split", "merge", "remove", "undo", "redo"].map((id) => this.button(id)),
    );
    this.cropping = group(
      "Crop",
      ...["prevKey", "setKey", "dropKey", "nextKey"].map((id) => this.button(id)),
      this.button("undoKey", "Undo", icon(ICONS.undo)),
      this.button("redoKey", "Redo", icon(ICONS.redo)),
      this.button("clearKeys", "Delete all keyframes of this clip", "Clear keyframes"),
    );
    this.element = element(
      "div",
      { class: "bar" },
      group("Play", ...["prevEvent", "prevFrame", "play", "nextFrame", "nextEvent"].map((id) => this.button(id))),
      element("div", { class: "readout", "aria-hidden": "true" }, this.time, this.frame, this.speed, this.looping),
      group("Speed", this.slow, this.button("loop"), this.button("sound"), this.button("people")),
      this.editing,
      this.cropping,
      element("div", { class: "space" }, this.saved),
      this.button("help", "Keys", "?"),
    );
    this.zoom = group("Zoom", ...["zoomOut", "zoomIn", "fitAll"].map((id) => this.button(id)));
  }

  button(id, name = ACTIONS.get(id).name, text = null) {
    const button = element("button", { type: "button", "aria-label": name, "data-action": id });
    if (text) button.append(text);
    else button.append(icon(ICONS[id]));
    button.addEventListener("click", (event) => {
      this.wb.run(id);
      // With the mouse the keys go on to be those of the workbench; Tab and Enter stay on the button.
      if (event.detail && id !== "help") this.wb.focus();
    });
    this.buttons.set(id, button);
    return button;
  }

  /** Names with their keys, as those may be changed. */
  title(keys) {
    for (const [id, button] of this.buttons) {
      const key = keys.shown(id);
      button.title = key ? `${ACTIONS.get(id).name} (${key})` : ACTIONS.get(id).name;
    }
  }

  press(id, on) {
    this.buttons.get(id).setAttribute("aria-pressed", String(on));
  }

  /** What depends on the frame. */
  read() {
    const { wb } = this;
    const frame = wb.player.frame;
    this.time.textContent = clock(wb.times.at(frame));
    this.frame.textContent = `f ${frame}`;
  }

  draw() {
    const { wb } = this;
    const moving = wb.shuttle.moving;
    const play = this.buttons.get("play");
    if (this.moving !== moving) {
      this.moving = moving;
      play.replaceChildren(icon(moving ? ICONS.pause : ICONS.play, !moving));
      play.setAttribute("aria-label", moving ? "Pause" : "Play");
    }
    const speed = wb.shuttle.speed;
    this.speed.textContent = `${speed < 0 ? "−" : ""}×${Math.abs(speed)}`;
    this.speed.classList.toggle("on", speed !== 1);
    this.looping.textContent = wb.player.loop ? "loop" : "";
    this.press("slow", speed === SLOW);
    this.press("loop", Boolean(wb.player.loop));
    const { muted } = wb.player.video;
    if (this.muted !== muted) {
      this.muted = muted;
      this.buttons.get("sound").replaceChildren(icon(muted ? ICONS.mute : ICONS.sound));
      this.press("sound", !muted);
    }
    this.press("people", wb.showsPeople);
    this.buttons.get("people").hidden = !wb.skeletons;
    this.editing.hidden = !wb.editable;
    this.cropping.hidden = !wb.framing.editable;
    const { draft: keyframes, items } = wb.framing;
    this.buttons.get("undoKey").disabled = !keyframes.done.length;
    this.buttons.get("redoKey").disabled = !keyframes.undone.length;
    this.buttons.get("clearKeys").disabled = !items.length;
    this.buttons.get("undo").disabled = !wb.draft.done.length;
    this.buttons.get("redo").disabled = !wb.draft.undone.length;
    this.drawSaved();
  }

  drawSaved() {
    const { wb } = this;
    const state = wb.framing.editable ? wb.framing.draft.state : wb.editable ? wb.draft.state : "";
    if (this.saved.dataset.state === state) return;
    this.saved.dataset.state = state;
    this.saved.textContent = {
      "": "",
      saved: "saved",
      saving: "saving…",
      waiting: "not saved yet: waiting for the server",
    }[state];
  }
}

function icon(path, filled = false) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  if (filled) line.setAttribute("class", "filled");
  svg.append(line);
  return svg;
}
