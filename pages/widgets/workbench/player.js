const SEEK_SETTLED_MS = 60;
const FIRST_FRAME_MS = 1000;

/**
 * The video, frame by frame. `shown` is the frame on the screen, `target` the one that was asked for and is not there
 * yet. Players seek by seconds and report late, so a seek has come to its end when the shown frame is the target; the
 * event `seeked` and a moment's patience stand in where no frame is reported, as for the one that is shown already.
 * `offset` is how far the player's clock is ahead of the PTS table: some files do not begin at 0, and the table does.
 */
class Player {
  constructor(video, onFrame, onState) {
    this.video = video;
    this.onFrame = onFrame;
    this.onState = onState;
    this.times = null;
    this.src = null;
    this.loop = null;
    this.error = "";
    this.listening = new AbortController();
    const on = (name, then) => video.addEventListener(name, then, { signal: this.listening.signal });
    on("loadedmetadata", () => {
      this.firstLate = setTimeout(() => this.begin(NaN), FIRST_FRAME_MS);
    });
    on("seeked", () => this.settle());
    on("pause", () => this.atRest());
    on("ended", () => this.atEnd());
    on("error", () => {
      this.error =
        video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED
          ? "The video cannot be played: it is not there any more, or of a kind that this browser does not know."
          : "The video broke off: reload the page.";
      this.onState();
    });
    for (const name of ["play", "pause", "ratechange", "waiting", "playing", "volumechange"])
      on(name, () => this.onState());
    this.reset();
    this.watch();
  }

  reset() {
    this.shown = 0;
    this.target = null;
    this.inFlight = null;
    this.ready = false;
    this.first = null;
    this.offset = 0;
    this.wantsPlay = false;
    clearTimeout(this.firstLate);
    clearTimeout(this.settling);
    clearTimeout(this.looping);
  }

  /** Never touches a video that is there already: it plays on. */
  load(src, frame = 0) {
    if (src === this.src) return;
    this.reset();
    this.src = src;
    this.error = "";
    this.loop = null;
    this.shown = frame;
    this.target = frame || null;
    this.video.src = src;
  }

  setTimes(times) {
    this.times = times;
    this.begin();
  }

  /** Once the times are known and the first frame has been seen. */
  begin(first = this.first) {
    if (this.ready) return;
    this.first = first;
    if (!this.times || first === null) return;
    clearTimeout(this.firstLate);
    const offset = first - this.times.at(0);
    this.offset = Math.abs(offset) >= this.times.length(0) / 2 ? offset : 0; // and 0 if no frame was reported
    this.ready = true;
    if (this.target !== null) this.seek(this.target);
    if (this.wantsPlay) this.play();
  }

  /** The frame to mark: the one on the screen, or the one that is about to be. */
  get frame() {
    return this.target ?? this.shown;
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  play() {
    this.wantsPlay = !this.ready;
    if (!this.ready) return undefined;
    if (this.frame >= this.times.n - 1 && !this.loop) this.seek(0);
    return this.video.play().catch((error) => {
      if (error.name === "NotAllowedError") this.onState("Press space to play.");
    });
  }

  pause() {
    this.wantsPlay = false;
    this.video.pause();
  }

  seek(frame) {
    if (!this.times) {
      this.target = Math.max(0, frame);
      return;
    }
    this.target = clamp(Math.round(frame), 0, this.times.n - 1);
    clearTimeout(this.looping);
    if (this.ready && this.inFlight === null) this.issue();
    this.onFrame();
  }

  issue() {
    this.inFlight = this.target;
    this.video.currentTime = this.times.seekTime(this.target) + this.offset;
  }

  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.inFlight !== null && this.arrive(this.inFlight), SEEK_SETTLED_MS);
  }

  arrive(frame) {
    clearTimeout(this.settling);
    this.inFlight = null;
    this.shown = frame;
    if (this.target !== null && this.target !== frame) this.issue();
    else this.target = null;
    this.onFrame();
  }

  /** One watch is always running, since the frame that ends a seek may come at any time. */
  watch() {
    if (!this.video.requestVideoFrameCallback) return;
    this.watching = this.video.requestVideoFrameCallback((_now, facts) => {
      this.present(facts.mediaTime);
      this.watch();
    });
  }

  present(mediaTime) {
    if (!this.ready && this.video.readyState >= 2) this.begin(mediaTime);
    if (!this.ready) return;
    const frame = this.times.nearest(mediaTime - this.offset);
    if (this.inFlight !== null) {
      if (frame === this.inFlight) this.arrive(frame);
      return;
    }
    const before = this.shown;
    this.shown = frame;
    if (this.loop && this.playing) this.keepInLoop(before, frame);
    this.onFrame();
  }

  keepInLoop(before, frame) {
    const { start, end } = this.loop;
    clearTimeout(this.looping);
    if (frame > end && before <= end) this.seek(start);
    else if (frame === end) {
      // Back to the start when the frame behind the end would come.
      const left = (this.times.length(end) * 1000) / this.video.playbackRate;
      this.looping = setTimeout(
        () => this.loop && this.playing && this.shown === end && this.seek(start),
        Math.max(0, left - 4),
      );
    }
  }

  /** The frame on which a video stops may come without a report: it is asked for by name, so that it is known. */
  atRest() {
    if (!this.times || this.target !== null || this.video.ended) return;
    this.seek(Math.max(this.shown, this.times.shownAt(this.video.currentTime - this.offset)));
  }

  atEnd() {
    if (!this.times) return;
    if (this.loop && this.loop.end >= this.times.n - 1) {
      this.seek(this.loop.start);
      this.play();
    } else if (this.shown < this.times.n - 1) this.seek(this.times.n - 1);
    this.onState();
  }

  setLoop(loop) {
    this.loop = loop;
    clearTimeout(this.looping);
    this.onState();
  }

  destroy() {
    this.listening.abort();
    this.reset();
    if (this.watching) this.video.cancelVideoFrameCallback(this.watching);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
