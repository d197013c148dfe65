const PADDED = [0.25, 0.12]; // of a body's width and height: keypoints lie within it
const LEAST = 0.02;

/** A box as `[x1, y1, x2, y2]` that holds a body and lies in the picture; null where nothing of it is seen. */
function boxOf(points) {
  const places = [[], []];
  for (let joint = 0; joint < 17; joint++)
    if (points[2 * joint] !== UNSEEN)
      for (const axis of [0, 1]) places[axis].push(points[2 * joint + axis] / 65534);
  if (!places[0].length) return null;
  const sides = places.map((along, axis) => {
    const [low, high] = [Math.min(...along), Math.max(...along)];
    const more = Math.max(LEAST, (high - low) * PADDED[axis]);
    return [clamp(low - more, 0, 1), clamp(high + more, 0, 1)];
  });
  return [sides[0][0], sides[1][0], sides[0][1], sides[1][1]];
}

const holds = ([x1, y1, x2, y2], x, y) => x >= x1 && x <= x2 && y >= y1 && y <= y2;
const areaOf = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** Who is seen in the frame that is shown, from left to right: `[{place, box, points}]`. */
function peopleIn(still) {
  return (still.skeletons?.at(still.player.shown) ?? [])
    .map(({ points }) => ({ place: placeOf(points), box: boxOf(points), points }))
    .filter(({ place, box }) => place && box)
    .sort((a, b) => a.place[0] - b.place[0]);
}
