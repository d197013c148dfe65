// Clips that loop over their moments while they are in view. The browser is told them anew with every run of the page;
// those that stay the same go on playing.

const still = matchMedia('(prefers-reduced-motion: reduce)');

function tile(clip, watch) {
  const figure = document.createElement('figure');
  figure.setAttribute('role', 'listitem');
  const caption = document.createElement('figcaption');
  const title = document.createElement('strong');
  const text = document.createElement('span');
  title.textContent = clip.title;
  text.textContent = clip.text;
  caption.append(title, text);
  if (!clip.src) {
    const nothing = document.createElement('div');
    nothing.className = 'nothing';
    figure.append(nothing, caption);
    return figure;
  }
  const video = document.createElement('video');
  Object.assign(video, { muted: true, playsInline: true, controls: still.matches, preload: 'metadata', tabIndex: 0 });
  // They would lie over half of so small a picture, so that they come to who points at it; what stands still needs them.
  for (const event of ['pointerenter', 'focus']) video.addEventListener(event, () => { video.controls = true; });
  for (const event of ['pointerleave', 'blur']) {
    video.addEventListener(event, () => { video.controls = still.matches || video.matches(':hover, :focus'); });
  }
  video.loop = clip.to_s === null;
  video.setAttribute('aria-label', `${clip.title}, ${clip.text}`);
  video.src = clip.src;
  const begin = () => { video.currentTime = clip.from_s + 0.004; };
  video.addEventListener('loadedmetadata', begin);
  video.addEventListener('error', () => { text.textContent = `${clip.text} · this browser cannot play it`; });
  if (clip.to_s !== null) {
    const turn = () => {
      if (video.currentTime >= clip.to_s - 0.01 || video.currentTime < clip.from_s - 0.1) begin();
      if (!video.paused) requestAnimationFrame(turn);
    };
    video.addEventListener('play', turn);
    video.addEventListener('ended', () => { begin(); video.play().catch(() => {}); });
  }
  figure.append(video, caption);
  watch.observe(video);
  return figure;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.clips');
  const key = JSON.stringify(data.clips);
  if (root.shown !== key) {
    root.shown = key;
    root.watch?.disconnect();
    root.watch = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        if (isIntersecting && !still.matches) target.play().catch(() => {});
        else target.pause();
      }
    }, { threshold: 0.4 });
    root.replaceChildren(...data.clips.map((clip) => tile(clip, root.watch)));
  }
  return () => {
    root.watch.disconnect();
    root.shown = null;
  };
}
