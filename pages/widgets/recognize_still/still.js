const SECOND_KEYS = { PageUp: -1, PageDown: 1 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TOOLS = { box: BoxTool, clicks: ClickTool };
const shownBefore = new Map(); // by name, the frame that was shown last
const stills = new Map();

/** A frame of a video, chosen by scrubbing, with a box or clicks on it. The browser has the newest of what is drawn. */
class Still {
  constructor(root) {
    this.root = root;
    this.listening = new AbortController();
    this.find = (selector) => root.querySelector(selector);
    [this.stage, this.frame, this.marks, this.canvas] = [".stage", ".frame", ".marks", "canvas"].map(this.find);
    [this.scrub, this.time, this.number, this.told] = [".scrub", ".time", ".number", ".told"].map(this.find);
    Object.assign(this, { times: null, value: null, seq: 0, name: null, note: "" });
    this.player = new Player(this.find("video"), () => this.draw(), () => this.draw());
    this.tool = new TOOLS[root.dataset.kind](this);
    this.on(this.frame, "pointerdown", (event) => this.down(event));
    this.on(this.frame, "pointermove", (event) => this.held && this.tool.move(event));
    this.on(this.frame, "pointerup", (event) => this.up(event));
    this.on(this.frame, "pointercancel", () => this.cancel());
    this.on(this.scrub, "input", () => this.go(Number(this.scrub.value)));
    this.on(this.find(".earlier"), "click", () => this.step(-1));
    this.on(this.find(".later"), "click", () => this.step(1));
    this.on(this.find(".clear"), "click", () => this.commit(null));
    this.on(this.find(".there"), "click", () => this.value && this.go(this.value.frame));
    this.on(root, "keydown", (event) => this.key(event));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.frame);
  }

  on(target, name, then) {
    target.addEventListener(name, then, { signal: this.listening.signal });
  }

  update(data, setStateValue) {
    this.data = data;
    this.setStateValue = setStateValue;
    const { footage, first, last } = data;
    this.frame.style.setProperty("--shape", String(footage.width / footage.height));
    Object.assign(this.scrub, { min: first, max: last });
    if (this.name !== data.name) {
      this.remember();
      this.name = data.name;
      this.value = data.value;
      this.tool.cancel();
      const start = clamp(shownBefore.get(data.name) ?? data.value?.frame ?? first, first, last);
      this.open(footage, start);
    } else if (this.src !== footage.src) this.open(footage, this.player.frame);
    // A stretch that was made shorter leaves out what was drawn outside of it, in Python too.
    const outside = (at) => at < first || at > last;
    if (this.value && outside(this.value.frame)) this.value = null;
    if (outside(this.player.frame)) this.go(this.player.frame);
    if (this.peopleUrl !== footage.skeletons?.url) {
      this.peopleUrl = footage.skeletons?.url;
      this.skeletons = footage.skeletons ? new Skeletons(footage.skeletons, () => this.draw()) : null;
    }
    this.draw();
  }

  open(footage, frame) {
    if (this.src === footage.src && this.times) {
      this.player.seek(frame);
      return;
    }
    this.src = footage.src;
    this.player.load(footage.src, frame);
    fetchBytes(footage.times_url, "The times of the frames")
      .then((bytes) => {
        if (this.gone || this.data.footage.times_url !== footage.times_url) return;
        this.times = new Times(new Float64Array(bytes), footage.duration_s);
        this.player.setTimes(this.times);
        this.draw();
      })
      .catch((error) => this.say(error.message));
  }

  remember() {
    if (this.name && this.times) shownBefore.set(this.name, this.player.frame);
  }

  go(frame) {
    this.note = "";
    this.player.seek(clamp(frame, this.data.first, this.data.last));
  }

  step(by) {
    this.go(this.player.frame + by);
  }

  /** Where the pointer is, 0..1 of the picture. */
  placeOf(event) {
    const box = this.frame.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width, 0, 1), clamp((event.clientY - box.top) / box.height, 0, 1)];
  }

  down(event) {
    if (event.button !== 0 || !this.times || this.held) return;
    event.preventDefault(); // of selecting; the focus is set here
    this.stage.focus({ preventScroll: true });
    this.frame.setPointerCapture(event.pointerId);
    this.held = true;
    this.note = "";
    this.tool.down(event);
  }

  up(event) {
    if (!this.held) return;
    this.held = false;
    this.tool.up(event);
  }

  cancel() {
    this.held = false;
    this.tool.cancel();
    this.draw();
  }

  /** What is drawn now: shown at once, and then told to Python. */
  commit(value) {
    this.value = value;
    this.note = "";
    this.seq += 1;
    this.setStateValue("mark", { name: this.name, seq: this.seq, value });
    this.draw();
  }

  say(text) {
    this.note = text;
    this.draw();
  }

  key(event) {
    if (event.target.tagName === "INPUT" && event.key !== "Escape") return;
    if (event.ctrlKey || event.metaKey || !this.times) return;
    if (!this.run(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Whether the key means something here. */
  run({ key, shiftKey, altKey, target }) {
    const arrow = ARROWS[key];
    const letter = key.toLowerCase();
    if (arrow && (shiftKey || altKey)) this.tool.nudge(...arrow, altKey);
    else if (arrow && arrow[0]) this.step(arrow[0]);
    else if (key === "," || key === ".") this.step(key === "." ? 1 : -1);
    else if (key in SECOND_KEYS) this.go(this.times.shownAt(this.times.at(this.player.frame) + SECOND_KEYS[key]));
    else if (key === "Home" || key === "End") this.go(key === "Home" ? this.data.first : this.data.last);
    else if (key === "Enter" && target === this.stage) this.tool.enter();
    else if (letter === "n") this.tool.nextPerson();
    else if (letter === "x" && this.tool.choose) this.tool.choose(!this.tool.outside);
    else if ((key === "Delete" || key === "Backspace") && this.value) this.tool.remove();
    else if (key === "Escape" && this.held) this.cancel();
    // Streamlit would take these for its own while something here has the focus.
    else return target === this.stage && ["r", "c"].includes(letter);
    return true;
  }

  draw() {
    this.coming ??= requestAnimationFrame(() => {
      this.coming = null;
      if (this.gone || !this.data) return;
      this.tool.draw();
      this.drawPeople();
      const { frame } = this.player;
      this.scrub.value = String(frame);
      const at = this.times ? clock(this.times.at(frame)) : "";
      this.scrub.setAttribute("aria-valuetext", `${at}, frame ${frame}`);
      this.time.textContent = at;
      this.number.textContent = `f ${frame}`;
      const elsewhere = this.value !== null && this.value.frame !== frame;
      const there = this.find(".there");
      there.hidden = !elsewhere;
      if (elsewhere) there.textContent = `Go to frame ${this.value.frame}, where it was drawn`;
      this.find(".clear").disabled = this.value === null;
      const text = this.player.error || this.note || this.tool.words();
      if (this.told.textContent !== text) this.told.textContent = text;
      this.told.classList.toggle("wrong", Boolean(this.player.error));
    });
  }

  drawPeople() {
    const { clientWidth, clientHeight } = this.frame;
    const pen = fitCanvas(this.canvas, clientWidth, clientHeight);
    if (!pen || this.root.dataset.kind !== "box" || this.player.error) return;
    const people = peopleIn(this).map(({ points }) => ({ chosen: false, points }));
    drawPeople(pen, people, { x: 0, y: 0, width: clientWidth, height: clientHeight });
  }

  destroy() {
    this.remember();
    this.gone = true;
    this.listening.abort();
    this.resized.disconnect();
    cancelAnimationFrame(this.coming);
    this.player.destroy();
  }
}

/** Streamlit calls this at the mount and after each run of the script with new data. */
export default function ({ data, key, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".still");
  let still = stills.get(key);
  if (!still || still.root !== root) {
    still?.destroy();
    still = new Still(root);
    root.still = still;
    stills.set(key, still);
  }
  still.update(data, setStateValue);
  return () => {
    if (stills.get(key) !== still) return;
    stills.delete(key);
    still.destroy();
  };
}
