const CHUNKS_KEPT = 12;
const RETRY_MS = 3000;
const PERSON = 35;
const UNSEEN = 65535;
const CHOSEN = "#ffb000"; // footage looks the same in both themes
const BONES = [
  [5, 6],
  [5, 7],
  [7, 9],
  [6, 8],
  [8, 10],
  [5, 11],
  [6, 12],
  [11, 12],
  [11, 13],
  [13, 15],
  [12, 14],
  [14, 16],
  [0, 5],
  [0, 6],
];

/** Who was seen in a frame, fetched chunk by chunk around the playhead. The format is told in skeletons.py. */
class Skeletons {
  constructor(source, changed) {
    this.source = source;
    this.changed = changed;
    this.chunks = new Map();
    this.frames = null;
    this.note = "";
    fetchBytes(source.frames_url, "The skeletons")
      .then((bytes) => {
        this.frames = new Int32Array(bytes);
        this.gap = typicalGap(this.frames, this.frames.length) * 3;
        changed();
      })
      .catch((error) => {
        this.note = error.message;
      });
  }

  /** The people in the sampled frame at or before `frame`: `[{chosen, points: Uint16Array}]`. */
  at(frame) {
    if (!this.frames) return [];
    const sample = countUpTo(this.frames, frame) - 1;
    if (sample < 0 || frame - this.frames[sample] > this.gap) return [];
    const number = Math.floor(sample / this.source.chunk);
    const chunk = this.chunk(number);
    const within = sample - number * this.source.chunk;
    if (within > this.source.chunk * 0.6) this.chunk(number + 1);
    if (!chunk || within >= chunk.m) return [];
    const people = [];
    for (let person = chunk.before[within]; person < chunk.before[within + 1]; person++) {
      const start = person * PERSON;
      people.push({ chosen: chunk.people[start] === 1, points: chunk.people.subarray(start + 1, start + PERSON) });
    }
    return people;
  }

  chunk(number) {
    if (number * this.source.chunk >= this.frames.length) return null;
    const kept = this.chunks.get(number);
    if (kept) {
      this.chunks.delete(number);
      this.chunks.set(number, kept);
      return kept.people ? kept : null;
    }
    const coming = {};
    this.chunks.set(number, coming);
    if (this.chunks.size > CHUNKS_KEPT) this.chunks.delete(this.chunks.keys().next().value);
    fetchBytes(`${this.source.url}/${number}`, "The skeletons")
      .then((bytes) => {
        const m = new Uint32Array(bytes, 0, 1)[0];
        const before = new Uint32Array(bytes, 4, m + 1);
        Object.assign(coming, { m, before, people: new Uint16Array(bytes, 4 * (m + 2)) });
        this.changed();
      })
      .catch((error) => {
        this.note = error.message;
        setTimeout(() => this.chunks.delete(number), RETRY_MS);
      });
    return null;
  }
}

/** The place of somebody, to choose him by: the middle of his hips or of what is seen; 0..1 of the frame, or null. */
function placeOf(points) {
  const seen = [];
  for (let joint = 0; joint < 17; joint++)
    if (points[2 * joint] !== UNSEEN) seen.push([points[2 * joint] / 65534, points[2 * joint + 1] / 65534, joint]);
  const hips = seen.filter(([, , joint]) => joint === 11 || joint === 12);
  const used = hips.length ? hips : seen;
  if (!used.length) return null;
  return [0, 1].map((axis) => used.reduce((sum, point) => sum + point[axis], 0) / used.length);
}

/** Draws people onto the picture, which lies at `box` (x, y, width, height): thin, and the chosen one bold. */
function drawPeople(pen, people, box) {
  const order = [...people].sort((a, b) => a.chosen - b.chosen);
  for (const { chosen, points } of order) {
    const at = (joint) =>
      points[2 * joint] === UNSEEN
        ? null
        : [box.x + (points[2 * joint] / 65534) * box.width, box.y + (points[2 * joint + 1] / 65534) * box.height];
    const path = new Path2D();
    for (const [a, b] of BONES) {
      const [from, to] = [at(a), at(b)];
      if (!from || !to) continue;
      path.moveTo(...from);
      path.lineTo(...to);
    }
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = "rgb(0 0 0 / 55%)";
    pen.lineWidth = chosen ? 5.5 : 2.5;
    pen.stroke(path);
    pen.strokeStyle = chosen ? CHOSEN : "rgb(255 255 255 / 65%)";
    pen.lineWidth = chosen ? 3 : 1.2;
    pen.stroke(path);
    if (!chosen) continue;
    pen.fillStyle = "#fff";
    for (let joint = 5; joint < 17; joint++) {
      const place = at(joint);
      if (!place) continue;
      pen.beginPath();
      pen.arc(...place, 2.2, 0, 7);
      pen.fill();
    }
  }
}
