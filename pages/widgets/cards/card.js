// One card: the picture, its loop, and what is decided on it.

const MARKS = { '': 'Found', keep: '✓ Kept', reject: '✕ Rejected' };
const BELOW = 'Not found: below the threshold';

class Card {
  wanted = new Set(); // why it should play: hovered, focused

  constructor(view, facts, data) {
    this.view = view;
    this.row = element('div', 'row');
    this.row.role = 'row';
    this.row.card = this;
    this.cell = element('div', 'card');
    this.cell.role = 'gridcell';
    this.picture = element('div', 'picture');
    this.image = element('img', 'still');
    this.image.alt = '';
    this.state = element('span', 'state');
    this.sure = element('span', 'sure');
    this.when = element('span', 'when');
    this.bar = element('i', 'bar');
    this.open = button('', () => view.pick(this, 'open'), 'show');
    this.picture.append(this.image, this.state, this.sure, this.when, this.bar, this.open);
    this.name = element('span', 'name');
    this.frames = element('span', 'frames');
    this.why = element('p', 'why');
    this.clip = element('span', 'clip');
    this.stars = [1, 2, 3, 4, 5].map((count) =>
      button('★', () => view.decide(this, { stars: this.facts.stars === count ? 0 : count }), 'star'),
    );
    this.keep = button('Keep', () => this.verdict('keep'), 'keep');
    this.reject = button('Reject', () => this.verdict('reject'), 'reject');
    this.keep.ariaKeyShortcuts = 'K';
    this.reject.ariaKeyShortcuts = 'R';
    const [head, rating, stars, acts] = ['head', 'rating', 'stars', 'acts'].map((name) => element('div', name));
    head.append(this.name, this.frames);
    stars.append(...this.stars);
    rating.append(stars, this.clip);
    acts.append(this.keep, this.reject);
    this.cell.append(this.picture, head, this.why, rating, acts);
    this.row.append(this.cell);
    this.row.addEventListener('pointerenter', () => this.want('hovered', true));
    this.row.addEventListener('pointerleave', () => this.want('hovered', false));
    this.row.addEventListener('focusin', () => this.focused());
    this.row.addEventListener('focusout', (event) => {
      if (!this.row.contains(event.relatedTarget)) this.want('focused', false);
    });
    this.take(facts, data);
  }

  take(facts, data) {
    const moved = this.facts && (this.facts.from_s !== facts.from_s || this.facts.last_s !== facts.last_s);
    if (this.src && this.src !== data.src) this.unload();
    this.src = data.src;
    if (this.still && this.still !== `${data.stills}/${facts.still}`) this.image.removeAttribute('src');
    this.still = `${data.stills}/${facts.still}`;
    this.facts = facts;
    this.when.textContent = facts.at;
    this.name.textContent = facts.label;
    this.frames.textContent = facts.frames;
    this.why.textContent = facts.why;
    this.why.title = facts.why;
    this.clip.textContent = facts.clip;
    this.sure.textContent = facts.confidence === null ? facts.origin : facts.confidence.toFixed(2);
    const unfound = facts.below && !facts.verdict;
    this.state.textContent = unfound ? BELOW : MARKS[facts.verdict];
    this.row.className = `row ${facts.verdict || 'undecided'}${unfound ? ' below' : ''}`;
    this.keep.ariaPressed = facts.verdict === 'keep';
    this.reject.ariaPressed = facts.verdict === 'reject';
    this.keep.ariaLabel = `Keep ${facts.at}`;
    this.reject.ariaLabel = `Reject ${facts.at}`;
    this.open.ariaLabel = `Show the clip of ${facts.at}`;
    this.stars.forEach((star, place) => {
      star.classList.toggle('on', place < facts.stars);
      star.ariaPressed = place < facts.stars;
      star.ariaLabel = `${place + 1} ${place ? 'stars' : 'star'} for ${facts.at}`;
    });
    const sure = facts.confidence === null ? facts.origin : `confidence ${facts.confidence.toFixed(2)}`;
    const said = unfound ? BELOW.toLowerCase() : words(facts);
    this.cell.ariaLabel = `${facts.label}, ${facts.at}, ${facts.frames}, ${sure}, ${said}. ${facts.why}`;
    this.mark();
    if (moved && this.video) this.rewind();
  }

  verdict(pressed) {
    this.view.decide(this, { verdict: this.facts.verdict === pressed ? '' : pressed });
  }

  mark() {
    this.cell.ariaSelected = (this.view.picked ?? this.view.data.picked) === this.facts.id;
  }

  tabbable(yes) {
    for (const target of [this.cell, this.keep, this.reject, ...this.stars]) target.tabIndex = yes ? 0 : -1;
    this.open.tabIndex = -1; // Enter on the card does the same
  }

  focus() {
    this.view.current?.tabbable(false);
    this.view.current = this;
    this.tabbable(true);
    this.cell.focus({ preventScroll: true });
    this.row.scrollIntoView({ block: 'nearest' });
  }

  focused() {
    if (this.view.current !== this) {
      this.view.current?.tabbable(false);
      this.view.current = this;
      this.tabbable(true);
    }
    this.want('focused', true);
  }

  here() {
    if (this.isHere) return;
    this.isHere = true;
    this.view.seen.observe(this.row);
  }

  away() {
    if (!this.isHere) return;
    this.isHere = false;
    this.view.seen.unobserve(this.row);
    this.row.remove();
    this.wanted.clear();
    this.unload();
  }

  close() {
    this.away();
    if (this.image.src) URL.revokeObjectURL(this.image.src);
  }

  inView({ isIntersecting }) {
    if (!isIntersecting) return this.unload();
    if (!this.image.hasAttribute('src')) this.draw();
  }

  // The bytes come without saying that they are a picture.
  async draw() {
    const { still } = this;
    try {
      const answer = await fetch(still);
      if (!answer.ok || still !== this.still || !this.isHere) return;
      if (this.image.src) URL.revokeObjectURL(this.image.src);
      this.image.src = URL.createObjectURL(new Blob([await answer.blob()], { type: 'image/jpeg' }));
    } catch {
      // the server is gone for a moment; scrolling back to the card tries again
    }
  }

  // --- the loop

  want(why, yes) {
    if (yes) this.wanted.add(why);
    else this.wanted.delete(why);
    if (!this.wanted.size) return this.pause();
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) this.play();
  }

  toggle() {
    if (this.video && !this.video.paused) this.pause();
    else this.play();
  }

  play() {
    if (!this.video) this.load();
    this.view.plays(this);
    this.video.play().catch(() => {}); // it was paused before it could begin
  }

  pause() {
    this.video?.pause();
  }

  load() {
    const video = (this.video = document.createElement('video'));
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.disableRemotePlayback = true;
    video.preload = 'auto';
    video.tabIndex = -1;
    video.ariaHidden = 'true';
    video.src = this.src;
    video.addEventListener('loadedmetadata', () => this.rewind());
    video.addEventListener('seeked', () => video.classList.add('ready'), { once: true });
    video.addEventListener('ended', () => this.rewind());
    video.addEventListener('error', () => (this.picture.dataset.error = 'This browser cannot play the footage'));
    const frame = (_, { mediaTime }) => {
      if (this.video !== video) return;
      const { from_s, last_s } = this.facts;
      this.bar.style.scale = `${clamp((mediaTime - from_s) / (last_s - from_s || 1), 0, 1)} 1`;
      // The last frame is on screen: what comes behind it is not in the clip.
      if (mediaTime >= last_s - 0.0005 && !video.paused) this.rewind();
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    this.image.after(video);
  }

  rewind() {
    this.video.currentTime = this.facts.from_s + this.view.data.inside_s;
    if (this.wanted.size && this.video.ended) this.video.play().catch(() => {});
  }

  unload() {
    const { video } = this;
    this.video = null;
    this.bar.style.scale = '0 1';
    this.view.playing = this.view.playing.filter((other) => other !== this);
    if (!video) return;
    video.removeAttribute('src'); // lets go of the connection and the decoder
    video.load();
    video.remove();
  }
}
