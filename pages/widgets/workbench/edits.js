/**
 * What can be done to a list of intervals. An interval is a frozen `{start, end, label}`, both ends inside; a list is in
 * order, and no two of one label share a frame. Nothing here changes a list: each function gives a new one, with the
 * interval to select, or null if there is nothing to do.
 */
const makeInterval = (start, end, label) => Object.freeze({ start, end, label });
const intervalKey = (one) => `${one.start},${one.end},${one.label}`;
const inOrder = (items) =>
  [...items].sort((a, b) => a.start - b.start || a.end - b.end || (a.label < b.label ? -1 : 1));
const without = (items, one) => items.filter((other) => intervalKey(other) !== intervalKey(one));

/** Those of one label that share frames become one. */
function withAdded(items, one) {
  let { start, end } = one;
  const rest = items.filter((other) => {
    if (other.label !== one.label || other.end < start || other.start > end) return true;
    start = Math.min(start, other.start);
    end = Math.max(end, other.end);
    return false;
  });
  const grown = start !== one.start || end !== one.end;
  const added = makeInterval(start, end, one.label);
  if (grown && rest.some((other) => other.label === one.label && other.end >= start && other.start <= end))
    return withAdded(rest, added);
  return { items: inOrder([...rest, added]), one: added };
}

/** How far an interval may reach without running into another of its label: `[first, last]` frame. */
function reach(items, one, n) {
  let [first, last] = [0, n - 1];
  for (const other of items) {
    if (other.label !== one.label || intervalKey(other) === intervalKey(one)) continue;
    if (other.end < one.start) first = Math.max(first, other.end + 1);
    if (other.start > one.end) last = Math.min(last, other.start - 1);
  }
  return [first, last];
}

/** In place of `old` an interval from `start` to `end`, stopped by its neighbours and never shorter than a frame. */
function withTrimmed(items, old, start, end, n) {
  const [first, last] = reach(items, old, n);
  const from = clamp(start, first, last);
  const one = makeInterval(from, clamp(end, from, last), old.label);
  return { items: inOrder([...without(items, old), one]), one };
}

function withMoved(items, old, by, n) {
  const [first, last] = reach(items, old, n);
  const shift = clamp(by, first - old.start, last - old.end);
  return withTrimmed(items, old, old.start + shift, old.end + shift, n);
}

function withSplit(items, old, frame) {
  if (frame <= old.start || frame > old.end) return null;
  const parts = [makeInterval(old.start, frame - 1, old.label), makeInterval(frame, old.end, old.label)];
  return { items: inOrder([...without(items, old), ...parts]), one: parts[1] };
}

function withMerged(items, old) {
  const next = items.find((other) => other.label === old.label && other.start > old.end);
  if (!next) return null;
  return withAdded(without(without(items, old), next), makeInterval(old.start, next.end, old.label));
}

function withLabel(items, old, label) {
  return old.label === label ? null : withAdded(without(items, old), makeInterval(old.start, old.end, label));
}

/** What changed, as a step that can be taken back even after others changed the list. */
function stepBetween(before, after, key = intervalKey) {
  const [was, is] = [new Set(before.map(key)), new Set(after.map(key))];
  return {
    removed: before.filter((one) => !is.has(key(one))),
    added: after.filter((one) => !was.has(key(one))),
  };
}

function withStep(items, { removed, added }) {
  let list = removed.reduce((left, one) => without(left, one), items);
  for (const one of added) list = withAdded(list, one).items;
  return list;
}

/** What a draft has to know of intervals: how they are sent, what tells two apart, their order and their steps. */
const INTERVALS = {
  make: ([start, end, label]) => makeInterval(start, end, label),
  row: ({ start, end, label }) => [start, end, label],
  key: intervalKey,
  inOrder,
  withStep,
};
