const NUDGE = 0.005;
const SMALLEST = 0.01;
const MOVED_PX = 4;
const CORNERS = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] };
const ROUND = 1e4;

/** A box round one person: dragged out, moved, pulled at its corners, typed in, or put round somebody who is seen. */
class BoxTool {
  constructor(still) {
    this.still = still;
    this.drag = null;
    this.preview = null;
    this.person = -1;
    this.element = document.createElement("div");
    this.element.className = "box";
    for (const corner of Object.keys(CORNERS)) {
      const handle = document.createElement("i");
      handle.dataset.corner = corner;
      this.element.append(handle);
    }
    still.marks.append(this.element);
    this.numbers = [...still.root.querySelectorAll(".numbers input")];
    this.numbers.forEach((input, side) => still.on(input, "change", () => this.typed(input, side)));
    still.help =
      "Drag a box round one player, or click on somebody who is seen. Keys: ← → frame, Page ↑ ↓ second, N next person, " +
      "Shift+arrows move the box, Alt+arrows change its size, Delete clears.";
  }

  /** Where the box is in the frame that is shown; null where it belongs to another one. */
  get here() {
    const { value, player } = this.still;
    return this.preview ?? (value && value.frame === player.frame ? value.box : null);
  }

  down(event) {
    const [x, y] = this.still.placeOf(event);
    const corner = event.target.dataset?.corner;
    const { here } = this;
    this.drag = { from: [x, y], at: [event.clientX, event.clientY], box: here, corner };
    if (!corner && here && holds(here, x, y)) this.drag.moves = true;
  }

  move(event) {
    const { drag } = this;
    const far = Math.abs(event.clientX - drag.at[0]) + Math.abs(event.clientY - drag.at[1]);
    drag.moved ||= far >= MOVED_PX;
    if (!drag.moved) return;
    const [x, y] = this.still.placeOf(event);
    const [x0, y0] = drag.from;
    if (drag.moves) this.preview = this.moved(drag.box, x - x0, y - y0);
    else if (drag.corner) {
      const box = [...drag.box];
      const [across, down] = CORNERS[drag.corner];
      box[across] = x;
      box[down] = y;
      this.preview = this.upright(box);
    } else this.preview = this.upright([x0, y0, x, y]);
    this.still.draw();
  }

  up(event) {
    const { drag, preview } = this;
    this.cancel();
    if (preview && Math.min(preview[2] - preview[0], preview[3] - preview[1]) >= SMALLEST) this.commit(preview);
    else if (!drag.moved && !drag.moves && !drag.corner) this.clicked(event);
    this.still.draw();
  }

  cancel() {
    this.drag = this.preview = null;
  }

  /** The box of whom was clicked on, the smallest where several stand in front of each other. */
  clicked(event) {
    const [x, y] = this.still.placeOf(event);
    const [hit] = peopleIn(this.still)
      .filter(({ box }) => holds(box, x, y))
      .sort((a, b) => areaOf(a.box) - areaOf(b.box));
    if (hit) this.commit(hit.box);
    else this.still.say("Nobody was seen there: drag a box round the player.");
  }

  nextPerson() {
    const people = peopleIn(this.still);
    if (!people.length) return this.still.say("Nobody is seen in this frame.");
    this.person = (this.person + 1) % people.length;
    return this.commit(people[this.person].box);
  }

  enter() {
    if (!this.here) this.commit([0.4, 0.3, 0.6, 0.7]);
  }

  remove() {
    this.still.commit(null);
    this.still.say("Box cleared.");
  }

  nudge(dx, dy, size) {
    const { here } = this;
    if (!here) return this.still.say("There is no box in this frame: Enter draws one.");
    return this.commit(size ? this.upright([here[0], here[1], here[2] + dx * NUDGE, here[3] + dy * NUDGE])
      : this.moved(here, dx * NUDGE, dy * NUDGE));
  }

  /** Left, top, width and height in percent. */
  typed(input, side) {
    const share = Number(input.value) / 100;
    const box = this.here;
    if (!box || !Number.isFinite(share)) return this.still.draw();
    const [x1, y1, x2, y2] = box;
    const [width, height] = [x2 - x1, y2 - y1];
    return this.commit([
      () => this.moved(box, share - x1, 0),
      () => this.moved(box, 0, share - y1),
      () => this.upright([x1, y1, x1 + Math.max(SMALLEST, share), y1 + height]),
      () => this.upright([x1, y1, x1 + width, y1 + Math.max(SMALLEST, share)]),
    ][side]());
  }

  moved([x1, y1, x2, y2], dx, dy) {
    const [across, down] = [clamp(dx, -x1, 1 - x2), clamp(dy, -y1, 1 - y2)];
    return [x1 + across, y1 + down, x2 + across, y2 + down];
  }

  upright([x1, y1, x2, y2]) {
    const inside = (value) => clamp(value, 0, 1);
    return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)].map(inside);
  }

  commit(box) {
    const rounded = box.map((side) => Math.round(side * ROUND) / ROUND);
    if (rounded[2] - rounded[0] < SMALLEST || rounded[3] - rounded[1] < SMALLEST) return;
    this.still.commit({ frame: this.still.player.frame, box: rounded });
  }

  draw() {
    const { here } = this;
    const box = here ?? this.still.value?.box;
    this.element.hidden = !box;
    this.element.classList.toggle("elsewhere", !here);
    if (box) {
      const [x1, y1, x2, y2] = box;
      const style = { left: x1, top: y1, width: x2 - x1, height: y2 - y1 };
      for (const [side, share] of Object.entries(style)) this.element.style[side] = `${100 * share}%`;
    }
    const values = here ? [here[0], here[1], here[2] - here[0], here[3] - here[1]] : [];
    this.numbers.forEach((input, side) => {
      input.disabled = !here;
      if (input !== input.getRootNode().activeElement || this.drag) input.value = here ? (100 * values[side]).toFixed(1) : "";
    });
  }

  words() {
    const { value } = this.still;
    if (!value) return this.still.help;
    return this.here
      ? "This player is followed from this frame on. Pull the corners, drag the box, or type its place."
      : "Only one box: drawing here replaces the other.";
  }
}
