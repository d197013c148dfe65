const RING_MS = 900;
const PEOPLE_STORED = "trickline:people";

/** The video with the people drawn over it, and the clicks on it. */
class Picture {
  constructor(wb) {
    this.wb = wb;
    this.video = element("video", { playsinline: "", preload: "auto", tabindex: "-1", "aria-label": "Video" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.note = element("p", { class: "note", role: "alert", hidden: "" });
    this.element = element("div", { class: "stage" }, this.video, this.canvas, this.note);
    this.showsPeople = storage(() => localStorage.getItem(PEOPLE_STORED)) !== "off";
    this.skeletons = null;
    this.ring = null;
    this.person = -1;
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.element);
    this.element.addEventListener("click", (event) => this.click(event));
  }

  setSkeletons(source) {
    const key = source ? `${source.url} ${source.frames_url}` : "";
    if (key === this.key) return;
    this.key = key;
    this.skeletons = source ? new Skeletons(source, () => this.draw()) : null;
    this.ring = null;
  }

  togglePeople() {
    this.showsPeople = !this.showsPeople;
    storage(() => localStorage.setItem(PEOPLE_STORED, this.showsPeople ? "on" : "off"));
    this.draw();
  }

  /** Where the picture lies within the stage: letterboxed. */
  get box() {
    const { clientWidth: w, clientHeight: h } = this.element;
    const { width, height } = this.wb.data.footage;
    const scale = Math.min(w / width, h / height) || 0;
    return { x: (w - width * scale) / 2, y: (h - height * scale) / 2, width: width * scale, height: height * scale };
  }

  people() {
    return this.showsPeople && this.skeletons && !this.wb.player.error ? this.skeletons.at(this.wb.player.shown) : [];
  }

  draw() {
    this.coming ??= requestAnimationFrame(() => {
      this.coming = null;
      const pen = fitCanvas(this.canvas, this.element.clientWidth, this.element.clientHeight);
      if (!pen) return;
      drawPeople(pen, this.people(), this.box);
      if (this.ring) this.drawRing(pen);
      this.wb.framing.draw();
    });
  }

  drawRing(pen) {
    const { box } = this;
    pen.strokeStyle = CHOSEN;
    pen.lineWidth = 3;
    pen.beginPath();
    pen.arc(box.x + this.ring.x * box.width, box.y + this.ring.y * box.height, 18, 0, 7);
    pen.stroke();
  }

  click(event) {
    const { wb, box } = this;
    wb.focus();
    const stage = this.element.getBoundingClientRect();
    const [x, y] = [(event.clientX - stage.left - box.x) / box.width, (event.clientY - stage.top - box.y) / box.height];
    if (x < 0 || x > 1 || y < 0 || y > 1) return;
    if (wb.wants("subject") && this.showsPeople && this.skeletons) this.choose(x, y);
    else wb.shuttle.toggle();
  }

  choose(x, y) {
    this.ring = { x, y };
    clearTimeout(this.ringing);
    this.ringing = setTimeout(() => {
      this.ring = null;
      this.draw();
    }, RING_MS);
    this.draw();
    this.wb.send("subject", { frame: this.wb.player.frame, x, y, seq: this.wb.nextSeq() });
    this.wb.say("This person is followed from here");
  }

  /** The same by key: from left to right, one further each time. */
  nextPerson() {
    const { wb } = this;
    if (!wb.wants("subject")) return wb.say("Nobody can be chosen here.");
    const places = this.people()
      .map(({ points }) => placeOf(points))
      .filter(Boolean)
      .sort((a, b) => a[0] - b[0]);
    if (!places.length) return wb.say("Nobody is seen in this frame.");
    this.person = (this.person + 1) % places.length;
    return this.choose(...places[this.person]);
  }

  tell(text) {
    this.note.hidden = !text;
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  destroy() {
    this.resized.disconnect();
    cancelAnimationFrame(this.coming);
    clearTimeout(this.ringing);
  }
}
