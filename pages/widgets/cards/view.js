// All cards: which are seen and in what order, what keys and buttons do, and what goes to Python.

const MAX_LOADED = 4; // videos; each holds a decoder
const RESEND_MS = 4000;
const FILTERS = { all: 'All', open: 'Undecided', keep: 'Kept', reject: 'Rejected' };
const ORDERS = {
  confidence: (a, b) => (b.confidence ?? -1) - (a.confidence ?? -1) || a.start - b.start,
  uncertain: (a, b) => !!a.verdict - !!b.verdict || (a.doubt ?? 99) - (b.doubt ?? 99) || a.start - b.start,
  time: (a, b) => a.start - b.start,
  stars: (a, b) => b.stars - a.stars || ORDERS.confidence(a, b),
};

class View {
  cards = new Map(); // by id, in the order in which they are shown
  undone = []; // what was before each decision, the oldest first
  playing = [];
  closed = false;

  constructor(root, data, send) {
    this.session = data.session;
    this.root = root;
    this.send = send;
    this.data = { cards: [] };
    this.unsaved = new Unsaved(data.session);
    this.prefs = { filter: 'all', order: 'confidence', advance: true, ...read('trickline-review-view') };
    for (const name of ['grid', 'told', 'filters', 'order', 'advance', 'undo', 'help', 'sheet', 'none', 'late']) {
      this[name] = root.querySelector(`.${name}`);
    }
    this.listeners = new AbortController();
    const on = (target, name, act) => target.addEventListener(name, act, { signal: this.listeners.signal });
    this.filters.replaceChildren(
      ...Object.entries(FILTERS).map(([name, title]) => button(title, () => this.prefer({ filter: name }), name)),
    );
    this.order.value = this.prefs.order;
    this.advance.checked = this.prefs.advance;
    on(this.order, 'change', () => this.prefer({ order: this.order.value }));
    on(this.advance, 'change', () => this.prefer({ advance: this.advance.checked }));
    on(this.undo, 'click', () => this.back());
    on(this.help, 'click', () => this.sheet.showModal());
    on(this.sheet, 'click', (event) => event.target === this.sheet && this.sheet.close());
    on(this.sheet.querySelector('button'), 'click', () => this.sheet.close());
    on(root, 'keydown', (event) => this.key(event));
    this.seen = new IntersectionObserver((entries) => entries.forEach((entry) => entry.target.card.inView(entry)), {
      root: this.grid,
      rootMargin: '200px',
    });
    this.timer = setInterval(() => this.remind(), 1000);
    if (this.unsaved.all.size) this.say();
  }

  close() {
    this.closed = true;
    this.listeners.abort();
    clearInterval(this.timer);
    this.seen.disconnect();
    for (const card of this.cards.values()) card.close();
    this.grid.replaceChildren();
  }

  // New data from Python.
  take(data, send) {
    this.send = send;
    const before = this.data;
    this.data = data;
    this.root.classList.toggle('dark', isDark(this.root));
    this.unsaved.acknowledged(data.ack ?? []);
    const same = before.cards.length === data.cards.length && data.cards.every((facts) => this.cards.has(facts.id));
    for (const [id, card] of this.cards) {
      if (data.cards.some((facts) => facts.id === id)) continue;
      card.close();
      this.cards.delete(id);
    }
    for (const facts of data.cards) {
      const shown = { ...facts, ...this.unsaved.all.get(facts.id) };
      const known = this.cards.get(facts.id);
      if (known) known.take(shown, data);
      else this.cards.set(facts.id, new Card(this, shown, data));
    }
    if (!same) this.sort();
    this.layout();
    const wish = data.focus && data.focus.serial !== before.focus?.serial && this.cards.get(data.focus.id);
    if (wish && this.shown.includes(wish)) wish.focus();
    if (data.note && data.note.serial !== before.note?.serial) this.tell(data.note.text);
  }

  sort() {
    const order = ORDERS[this.prefs.order] ?? ORDERS.confidence;
    const sorted = [...this.cards.values()].sort((a, b) => order(a.facts, b.facts));
    this.cards = new Map(sorted.map((card) => [card.facts.id, card]));
  }

  prefer(change) {
    this.prefs = { ...this.prefs, ...change };
    try {
      localStorage.setItem('trickline-review-view', JSON.stringify(this.prefs));
    } catch {
      // the choice then lasts as long as the page
    }
    if ('order' in change) this.sort();
    this.layout();
  }

  // What a lower threshold would find is asked about where the most uncertain come first, and is no part of the rest.
  get there() {
    return [...this.cards.values()].filter(({ facts }) => !facts.below || this.prefs.order === 'uncertain');
  }

  get shown() {
    const { filter } = this.prefs;
    return this.there.filter(({ facts }) => filter === 'all' || facts.verdict === (filter === 'open' ? '' : filter));
  }

  // Put the cards that are to be seen into the page, without moving those that are there.
  layout() {
    const { shown, there } = this;
    for (const card of this.cards.values()) if (!shown.includes(card)) card.away();
    shown.forEach((card, place) => {
      if (this.grid.children[place] !== card.row) this.grid.insertBefore(card.row, this.grid.children[place] ?? null);
      card.row.setAttribute('aria-rowindex', place + 1);
      card.here();
    });
    this.current = shown.includes(this.current) ? this.current : shown[0];
    for (const card of shown) card.tabbable(card === this.current);
    this.grid.setAttribute('aria-rowcount', shown.length);
    const count = (verdict) => there.filter(({ facts }) => facts.verdict === verdict).length;
    const counts = { all: there.length, open: count(''), keep: count('keep'), reject: count('reject') };
    for (const each of this.filters.children) {
      each.textContent = `${FILTERS[each.name]} ${counts[each.name]}`;
      each.setAttribute('aria-pressed', this.prefs.filter === each.name);
    }
    this.none.hidden = shown.length > 0;
    const below = this.cards.size - there.length;
    const rest = there.length ? `${there.length} under All.` : below && `Sort by most uncertain first to see ${below}.`;
    this.none.textContent = rest ? `Nothing here. ${rest}` : 'Nothing to review.';
  }

  // --- decisions

  decide(card, change, { undoing = false } = {}) {
    const { id, start, end, label, verdict, stars } = card.facts;
    const after = { verdict, stars, ...change };
    const held = card.row.contains(this.root.getRootNode().activeElement);
    const next = this.after(card);
    if (after.verdict !== verdict || after.stars !== stars) {
      if (!undoing) this.undone.push({ id, verdict, stars });
      this.unsaved.put(id, { start, end, label, ...after });
      card.take({ ...card.facts, ...after }, this.data);
      this.layout();
      this.say();
    }
    const open = this.there.filter(({ facts }) => !facts.verdict).length;
    this.tell(`${card.facts.at}: ${words(after)}. ${open} undecided.`);
    const movesOn = 'verdict' in change && !undoing && this.prefs.advance;
    if (held && (movesOn || !this.shown.includes(card))) (next ?? this.current)?.focus();
  }

  after(card) {
    const { shown } = this;
    const place = shown.indexOf(card);
    return shown[place + 1] ?? (this.prefs.filter === 'all' ? undefined : shown[place - 1]);
  }

  back() {
    const last = this.undone.pop();
    if (!last) return this.send.trigger('undo', performance.now()); // decisions of before this view
    const card = this.cards.get(last.id);
    if (!card) return this.back();
    this.decide(card, { verdict: last.verdict, stars: last.stars }, { undoing: true });
    if (this.shown.includes(card)) card.focus();
  }

  say() {
    this.send.decisions(this.unsaved.message());
  }

  // Messages get lost: say it again until Python answers.
  remind() {
    const waiting = this.unsaved.all.size;
    const late = waiting > 0 && performance.now() - this.unsaved.sentAt > RESEND_MS;
    const text = late ? `${waiting} not saved yet; kept in this browser` : '';
    if (this.late.textContent !== text) this.late.textContent = text;
    if (!late) return;
    this.unsaved.seq += 1;
    this.say();
  }

  tell(sentence) {
    this.told.textContent = sentence;
  }

  // --- keys

  key(event) {
    if (this.sheet.open || event.target.matches('select, input')) return;
    const key = event.key.toLowerCase();
    const undo = key === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    if ((event.ctrlKey || event.metaKey || event.altKey) && !undo) return;
    const onButton = event.target.matches('button') && [' ', 'enter'].includes(key);
    const act = undo ? () => this.back() : !onButton && this.action(key);
    // R would run the page again, and C clear its cache.
    if (act || key === 'c') event.stopPropagation();
    if (!act) return;
    event.preventDefault();
    act();
  }

  action(key) {
    if (key === 'u') return () => this.back();
    if (key === '?') return () => this.sheet.showModal();
    const card = this.current;
    if (!card) return null;
    if ('012345'.includes(key)) return () => this.decide(card, { stars: Number(key) });
    const { shown } = this;
    const go = (step) => () => shown[clamp(shown.indexOf(card) + step, 0, shown.length - 1)].focus();
    return {
      k: () => this.decide(card, { verdict: 'keep' }),
      r: () => this.decide(card, { verdict: 'reject' }),
      backspace: () => this.decide(card, { verdict: '' }),
      e: () => this.pick(card, 'edit'),
      enter: () => this.pick(card, 'open'),
      ' ': () => card.toggle(),
      arrowleft: go(-1),
      arrowright: go(1),
      arrowup: go(-this.columns),
      arrowdown: go(this.columns),
      home: go(-shown.length),
      end: go(shown.length),
    }[key];
  }

  get columns() {
    const [first, ...rest] = this.shown;
    const next = rest.findIndex((card) => card.row.offsetTop > first.row.offsetTop + 1);
    return next < 0 ? rest.length + 1 : next + 1;
  }

  pick(card, action) {
    this.picked = card.facts.id;
    for (const each of this.cards.values()) each.mark();
    const { id, start, end, label } = card.facts;
    this.send.trigger('picked', { id, start, end, label, action });
  }

  // Only few videos are loaded, those that played last.
  plays(card) {
    this.playing = [card, ...this.playing.filter((other) => other !== card)];
    for (const old of this.playing.splice(MAX_LOADED)) old.unload();
  }
}
