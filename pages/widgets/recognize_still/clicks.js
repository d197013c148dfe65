const AIM_STEP = 0.01;
const MOST_CLICKS = 20;

/** Clicks on who is to be outlined, and on what is not: all of one frame. */
class ClickTool {
  constructor(still) {
    this.still = still;
    this.person = -1;
    this.aim = [0.5, 0.5];
    this.outside = false;
    this.cross = document.createElement("div");
    this.cross.className = "aim";
    this.points = document.createElement("div");
    still.marks.append(this.points, this.cross);
    this.choices = [...still.root.querySelectorAll(".choice button")];
    this.choices.forEach((button) => still.on(button, "click", () => this.choose(button.value === "outside")));
    still.on(still.root.querySelector(".back-one"), "click", () => this.back());
    still.help =
      "Click on the person; again for another one, or for the board. Keys: ← → frame, Page ↑ ↓ second, N next person, " +
      "Shift+arrows aim, Enter clicks, X excludes.";
  }

  get here() {
    const { value, player } = this.still;
    return value && value.frame === player.frame ? value.clicks : null;
  }

  choose(outside) {
    this.outside = outside;
    this.still.draw();
  }

  down(event) {
    const [x, y] = this.still.placeOf(event);
    this.add(x, y, event.altKey !== this.outside);
  }

  move() {}

  up() {}

  cancel() {}

  enter() {
    this.add(...this.aim, this.outside);
  }

  nextPerson() {
    const people = peopleIn(this.still);
    if (!people.length) return this.still.say("Nobody is seen in this frame.");
    this.person = (this.person + 1) % people.length;
    return this.add(...people[this.person].place, this.outside);
  }

  nudge(dx, dy) {
    this.aim = [clamp(this.aim[0] + dx * AIM_STEP, 0, 1), clamp(this.aim[1] + dy * AIM_STEP, 0, 1)];
    this.still.draw();
  }

  add(x, y, outside) {
    const { still, here } = this;
    if (outside && !here?.some(([, , inside]) => inside)) return still.say("Click on the person first.");
    if (here?.length >= MOST_CLICKS) return still.say("That are clicks enough.");
    const round = (share) => Math.round(share * 1e4) / 1e4;
    const { frame } = still.player;
    const moved = still.value && !here;
    this.aim = [x, y];
    still.commit({ frame, clicks: [...(here ?? []), [round(x), round(y), !outside]] });
    if (moved) still.say("The clicks in the other frame are gone: all are made in one frame.");
  }

  back() {
    const { value } = this.still;
    if (!value) return;
    const left = value.clicks.slice(0, -1);
    this.still.commit(left.some(([, , inside]) => inside) ? { ...value, clicks: left } : null);
  }

  remove() {
    this.back();
  }

  draw() {
    const clicks = this.still.value?.clicks ?? [];
    this.points.className = this.here ? "points" : "points elsewhere";
    this.points.replaceChildren(
      ...clicks.map(([x, y, inside]) => {
        const point = document.createElement("i");
        point.className = inside ? "point" : "point outside";
        point.textContent = inside ? "+" : "−";
        Object.assign(point.style, { left: `${100 * x}%`, top: `${100 * y}%` });
        return point;
      }),
    );
    Object.assign(this.cross.style, { left: `${100 * this.aim[0]}%`, top: `${100 * this.aim[1]}%` });
    for (const button of this.choices)
      button.setAttribute("aria-pressed", String((button.value === "outside") === this.outside));
    this.still.root.querySelector(".back-one").disabled = !clicks.length;
  }

  words() {
    const { value } = this.still;
    if (!value) return this.still.help;
    const outside = value.clicks.filter(([, , inside]) => !inside).length;
    const told = `${value.clicks.length - outside} clicked on${outside ? `, ${outside} excluded` : ""} in frame ${value.frame}.`;
    return `${told} They are followed to both ends of the clip. Exclude what is outlined by mistake.`;
  }
}
