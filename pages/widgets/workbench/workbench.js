const TICK_MS = 500;

/** What outlives a mount: the drafts by document, the place in each video, the wishes that were granted. */
const drafts = new Map();
const places = new Map();
const granted = new Map();

/** One mounted workbench: what it shows, and what its parts ask of each other. */
class Workbench extends Signals {
  constructor(root, key) {
    super();
    this.root = root;
    this.key = key;
    this.listening = new AbortController();
    Object.assign(this, { data: null, times: null, hover: null, snapped: null, drag: null, seq: 0 });
    this.palette = new Palette(root, () => this.refresh());
    this.font = getComputedStyle(root).fontFamily;
    this.picture = new Picture(this);
    this.player = new Player(
      this.picture.video,
      () => this.frameChanged(),
      (note) => this.stateChanged(note),
    );
    this.shuttle = new Shuttle(this.player);
    this.view = new View();
    this.framing = new Framing(this);
    this.marking = new Marking(this);
    this.timeline = new Timeline(this);
    this.panel = new EventsPanel(this);
    this.transport = new Transport(this);
    this.help = new HelpSheet(this);
    this.live = element("div", { class: "live", "aria-live": "polite" });
    this.picture.element.append(this.framing.window.area);
    this.timeline.element.append(this.framing.marks.element);
    root.append(
      element("div", { class: "upper" }, this.picture.element, this.panel.element, this.framing.window.result),
      this.transport.element,
      this.timeline.element,
      this.live,
      this.help.dialog,
    );
    this.gestures = new Gestures(this);
    this.keys = new Keys(this);
    this.transport.title(this.keys);
    this.fitting = new ResizeObserver(() => this.fitHeight());
    this.fitting.observe(document.documentElement);
    this.ticking = setInterval(() => this.tick(), TICK_MS);
    this.stateChanged();
  }

  // What comes from Python

  update(data, setStateValue) {
    const { footage } = data;
    const before = this.data;
    this.data = data;
    this.setStateValue = setStateValue;
    this.fitHeight();
    if (before?.footage.src !== footage.src || before?.footage.times_url !== footage.times_url)
      this.open(footage, before?.session === data.session && before.footage.n_frames === footage.n_frames);
    this.picture.setSkeletons(footage.skeletons);
    this.openDraft(data);
    this.framing.update(data.framing, data.session);
    if (this.keys.cropping !== this.framing.editable) {
      this.keys.map();
      this.transport.title(this.keys);
    }
    this.found = inOrder(data.found.map((one) => ({ ...one, kind: "found" })));
    this.layers = data.layers.map(({ name, items }) => ({
      name,
      items: inOrder(items.map(([start, end, label]) => ({ start, end, label, kind: "layer", state: "" }))),
    }));
    this.curves.retry();
    if (data.curve && data.curve !== before?.curve) this.curveName = data.curve;
    if (!data.curves.some(({ name }) => name === this.curveName)) this.curveName = data.curves[0]?.name ?? "";
    this.takeThreshold(data.threshold);
    if (!this.labelNames().includes(this.label)) this.label = this.labelNames()[0];
    this.documentChanged();
    this.grant(data.show);
    this.refresh();
  }

  /** `same`: the video is known by another URL now, as when its proxy is ready or the server was restarted. */
  open(footage, same) {
    this.remember();
    const place = places.get(same ? this.src : footage.src);
    this.times = null;
    this.player.times = null;
    Object.assign(this, {
      src: footage.src,
      selected: null,
      mark: null,
      range: null,
      hover: null,
      preview: null,
      drag: null,
    });
    this.shuttle.stopBackward();
    this.player.load(footage.src, place?.frame ?? 0);
    this.picture.tell("");
    fetchBytes(footage.times_url, "The times of the frames")
      .then((bytes) => {
        if (this.data.footage.times_url !== footage.times_url || this.gone) return;
        this.times = new Times(new Float64Array(bytes), footage.duration_s);
        this.view.setTimes(this.times);
        if (place) this.view.set(place.from, place.to);
        this.player.setTimes(this.times);
        this.documentChanged();
        this.framing.fit();
        this.grant(this.data.show);
        this.refresh();
      })
      .catch((error) => this.picture.tell(error.message));
  }

  /** So that coming back to a page shows what was shown. */
  remember() {
    if (this.times && this.src)
      places.set(this.src, { frame: this.player.frame, from: this.view.from, to: this.view.to });
  }

  openDraft({ session, document, editable }) {
    if (this.draft.session !== session) {
      this.gestures.cancel();
      this.mark = null;
      if (!drafts.has(session)) drafts.set(session, new Draft(session));
      this.draft = drafts.get(session);
    }
    this.editable = Boolean(editable && document);
    this.draft.editable = this.editable;
    this.draft.send = (edit) => this.send("edit", edit);
    if (document) this.draft.offer(document, Boolean(this.drag));
  }

  grant(show) {
    if (!show || !this.times || granted.get(this.key) === show.serial) return;
    granted.set(this.key, show.serial);
    const end = show.end ?? show.start;
    this.player.setLoop(show.loop ? { start: show.start, end } : null);
    this.player.seek(show.start);
    const match = [...this.found, ...this.truth].find((one) => one.start === show.start && one.end === end);
    if (match) this.select(match);
    const [from, to] = [this.times.at(show.start), this.times.end(end)];
    if (from < this.view.from || to > this.view.to) this.view.fit(from, to);
    if (show.play) this.player.play();
  }

  // What goes to Python

  wants(name) {
    return Boolean(this.data?.wants.includes(name));
  }

  nextSeq() {
    this.seq = Math.max(this.seq + 1, Date.now());
    return this.seq;
  }

  send(name, value) {
    if (this.wants(name) && !this.gone) this.setStateValue(name, value);
  }

  tick() {
    if (this.draft.tick()) this.documentChanged();
    if (this.framing.tick()) this.refresh();
    this.transport.drawSaved();
  }

  sprite() {
    const { thumbs } = this.data.footage;
    if (thumbs && this.spriteUrl !== thumbs.url) {
      this.spriteUrl = thumbs.url;
      this.image = new Image();
      this.image.onload = () => this.timeline.draw();
      this.image.src = thumbs.url;
    }
    return thumbs && this.image.complete && this.image.naturalWidth ? this.image : null;
  }

  // Playing and looking

  step(by) {
    this.shuttle.stop();
    this.player.seek(this.player.frame + by);
  }

  jump(seconds) {
    if (!this.times) return;
    this.shuttle.stopBackward();
    this.player.seek(this.times.nearest(this.times.at(this.player.frame) + seconds));
  }

  loopSelected(on = !this.player.loop) {
    const one = this.selectedItem();
    if (!on || !one) {
      this.player.setLoop(null);
      return this.say(on ? "Select an interval to loop it." : "Loop off");
    }
    this.player.setLoop({ start: one.start, end: one.end });
    this.player.seek(one.start);
    this.player.play();
    return this.say(`Loop ${this.times.range(one.start, one.end)}`);
  }

  toggleSound() {
    const { video } = this.player;
    video.muted = !video.muted;
    this.say(video.muted ? "Sound off" : "Sound on");
  }

  get skeletons() {
    return this.picture.skeletons;
  }

  get showsPeople() {
    return this.picture.showsPeople;
  }

  togglePeople() {
    this.picture.togglePeople();
    this.transport.draw();
  }

  nextPerson() {
    this.picture.nextPerson();
  }

  zoom(factor) {
    if (factor === Infinity) this.view.set(0, this.view.duration);
    else {
      const x = this.view.x(this.times.at(this.player.frame));
      this.view.zoom(factor, x >= 0 && x <= this.view.width ? x : this.view.width / 2);
    }
    this.timeline.draw();
  }

  zoomSelected() {
    const one = this.selectedItem() ?? this.range;
    if (!one) return this.say("Select an interval first.");
    this.view.fit(this.times.at(one.start), this.times.end(one.end));
    return this.timeline.draw();
  }

  pan(windows) {
    this.view.pan(windows * this.view.span);
    this.timeline.draw();
  }

  run(id) {
    if (!this.times || (EDITING.has(id) && !this.editable) || (CROPPING.has(id) && !this.framing.editable)) return;
    ACTIONS.get(id).run(this);
    this.transport.draw();
  }

  /** One thing at a time, the nearest first. */
  escape() {
    if (this.gestures.cancel() || this.framing.cancel()) this.say("Cancelled");
    else if (this.mark) {
      this.mark = null;
      this.say("Mark dropped");
      this.timeline.draw(false);
    } else if (this.player.loop) this.loopSelected(false);
    else if (this.range) this.setRange(null);
    else if (this.selected) this.select(null);
    else return false;
    return true;
  }

  // Drawing

  frameChanged() {
    if (!this.times || !this.data || this.gone) return;
    const turned = !this.drag && this.view.follow(this.times.at(this.player.frame));
    this.timeline.draw(turned);
    this.picture.draw();
    this.transport.read();
    this.timeline.read(this.player.frame, this.curveData()?.at(this.player.frame) ?? NaN);
  }

  stateChanged(note) {
    if (!this.data || this.gone) return;
    if (note) this.say(note);
    if (this.player.error) this.picture.tell(this.player.error);
    this.transport.draw();
  }

  refresh() {
    if (this.gone || !this.data) return;
    this.transport.draw();
    this.panel.draw();
    this.timeline.draw();
    this.frameChanged();
  }

  say(text) {
    this.live.textContent = "";
    this.live.textContent = text;
  }

  focus() {
    this.root.focus({ preventScroll: true });
  }

  /** Fills the window from here down, less what Python wants to be seen below. */
  fitHeight() {
    if (!this.data) return;
    const scroller = this.root.getRootNode().host?.closest('[data-testid="stMain"]');
    const top = this.root.getBoundingClientRect().top + (scroller?.scrollTop ?? 0);
    const height = Math.max(560, window.innerHeight - top - 24 - this.data.below);
    this.root.style.height = `${height}px`;
  }

  destroy() {
    this.framing.flush();
    this.remember();
    this.gone = true;
    this.framing.destroy();
    this.draft.send = () => {};
    this.listening.abort();
    clearInterval(this.ticking);
    this.fitting.disconnect();
    this.shuttle.stopBackward();
    this.timeline.destroy();
    this.picture.destroy();
    this.player.destroy();
    this.help.dialog.close();
    this.root.replaceChildren();
  }
}
