const PALETTE_NAMES = [
  "back",
  "panel",
  "text",
  "quiet",
  "line",
  "true",
  "found",
  "wrong",
  "playhead",
  "curve",
  "accent",
  "shade",
  "oninterval",
];

/** The colours of the canvases: the style sheet's, for the light or the dark background that the page has just now. */
class Palette {
  constructor(root, changed) {
    this.root = root;
    this.probe = document.createElement("i");
    this.probe.className = "probe";
    this.probe.setAttribute("aria-hidden", "true");
    root.append(this.probe);
    // The style sheet gives the probe a transition of a millisecond: its event tells that the theme has changed.
    this.probe.addEventListener("transitionend", () => this.read() && changed());
    this.read();
  }

  /** Whether anything changed. */
  read() {
    const [r, g, b] = this.channels(getComputedStyle(this.probe).backgroundColor);
    this.root.dataset.tone = 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light";
    const before = JSON.stringify(this.colours);
    this.colours = {};
    for (const name of PALETTE_NAMES) {
      this.probe.style.color = `var(--wb-${name})`;
      this.colours[name] = getComputedStyle(this.probe).color;
    }
    this.hatches = new Map();
    this.inks = new Map();
    return JSON.stringify(this.colours) !== before;
  }

  channels(colour) {
    const numbers = (colour.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
    return colour.startsWith("color(") ? numbers.slice(0, 3).map((n) => n * 255) : numbers.slice(0, 3);
  }

  /** Black or white, whichever can be read on a colour from outside. */
  readableOn(colour) {
    if (!this.inks.has(colour)) {
      this.probe.style.color = "";
      this.probe.style.color = colour;
      const [r, g, b] = this.channels(getComputedStyle(this.probe).color);
      this.inks.set(colour, 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#0b0d11" : "#ffffff");
    }
    return this.inks.get(colour);
  }

  hatch(context, colour) {
    if (!this.hatches.has(colour)) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const pen = tile.getContext("2d");
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.beginPath();
      for (const shift of [-8, 0, 8]) {
        pen.moveTo(shift - 2, 10);
        pen.lineTo(shift + 10, -2);
      }
      pen.stroke();
      this.hatches.set(colour, context.createPattern(tile, "repeat"));
    }
    return this.hatches.get(colour);
  }
}

/** Makes a canvas as fine as the screen; returns its pen in CSS pixels, or null if it has no size. */
function fitCanvas(canvas, width, height) {
  const ratio = globalThis.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (!w || !h) return null;
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}
