const SLOW = 0.25;
const FASTEST = 8;

/** Speeds, forward and backward, as J K L, S and the buttons set them. Videos do not play backward: frames are sought. */
class Shuttle {
  constructor(player) {
    this.player = player;
    this.backward = 0;
  }

  get moving() {
    return this.backward > 0 || this.player.playing;
  }

  get speed() {
    return this.backward ? -this.backward : this.player.video.playbackRate;
  }

  toggle() {
    if (this.moving) this.stop();
    else this.player.play();
  }

  stop() {
    this.stopBackward();
    this.player.pause();
  }

  stopBackward() {
    if (!this.backward) return;
    this.backward = 0;
    cancelAnimationFrame(this.rolling);
    this.player.onState();
  }

  setSpeed(speed) {
    this.player.video.playbackRate = speed;
  }

  slow() {
    this.setSpeed(this.player.video.playbackRate === SLOW ? 1 : SLOW);
  }

  /** L: play, then faster; out of backward play, slower and then still. */
  faster() {
    if (this.backward > 1) this.roll(this.backward / 2);
    else if (this.backward) this.stopBackward();
    else if (!this.player.playing) {
      this.setSpeed(1);
      this.player.play();
    } else this.setSpeed(Math.min(FASTEST, this.speed * 2));
  }

  /** J: the same the other way. */
  slower() {
    if (this.backward) this.roll(Math.min(FASTEST, this.backward * 2));
    else if (!this.player.playing) this.roll(1);
    else if (this.speed > SLOW) this.setSpeed(this.speed / 2);
    else this.stop();
  }

  roll(speed) {
    const { player } = this;
    if (!player.times) return;
    player.pause();
    this.backward = speed;
    const from = player.times.at(player.frame);
    const since = performance.now();
    cancelAnimationFrame(this.rolling);
    const step = (now) => {
      const frame = player.times.shownAt(from - ((now - since) / 1000) * speed);
      if (player.target === null && frame < player.shown) player.seek(frame);
      if (frame > 0) this.rolling = requestAnimationFrame(step);
      else {
        player.seek(0);
        this.stopBackward();
      }
    };
    this.rolling = requestAnimationFrame(step);
    player.onState();
  }
}
