const MIN_SPAN_FRAMES = 12;
const FIT_MARGIN = 0.25;

/** The stretch of time that the timeline shows, `from` to `to` seconds over `width` pixels. */
class View {
  constructor() {
    this.from = 0;
    this.to = 1;
    this.duration = 1;
    this.width = 1;
    this.least = 0.4;
  }

  setTimes(times) {
    this.duration = times.duration;
    this.least = Math.min(times.duration, (MIN_SPAN_FRAMES * times.duration) / times.n);
    this.set(0, this.duration);
  }

  get span() {
    return this.to - this.from;
  }

  get whole() {
    return this.span >= this.duration * 0.999;
  }

  x(seconds) {
    return ((seconds - this.from) / this.span) * this.width;
  }

  seconds(x) {
    return this.from + (x / this.width) * this.span;
  }

  set(from, to) {
    const span = clamp(to - from, this.least, this.duration);
    this.from = clamp(from, 0, this.duration - span);
    this.to = this.from + span;
  }

  /** `factor` below 1 comes nearer; the time under `x` stays where it is. */
  zoom(factor, x) {
    const at = this.seconds(x);
    const span = clamp(this.span * factor, this.least, this.duration);
    const from = at - (x / this.width) * span;
    this.set(from, from + span);
  }

  pan(seconds) {
    this.set(this.from + seconds, this.to + seconds);
  }

  fit(from, to) {
    const room = Math.max((to - from) * FIT_MARGIN, this.least / 2);
    this.set(from - room, to + room);
  }

  /** Turns the page when the playhead leaves it. Returns whether it did. */
  follow(seconds) {
    if (seconds >= this.from && seconds <= this.from + this.span * 0.98) return false;
    if (this.whole) return false;
    const before = this.from;
    const ahead = seconds > this.to && seconds < this.to + this.span;
    const from = ahead || seconds > this.from ? seconds - this.span * 0.08 : seconds - this.span * 0.6;
    this.set(from, from + this.span);
    return this.from !== before;
  }
}
