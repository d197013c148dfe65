// A clip plays while the mouse is on it; its own buttons do for everybody else.
if (!matchMedia("(prefers-reduced-motion: reduce)").matches)
  for (const clip of document.querySelectorAll("video")) {
    clip.addEventListener("pointerenter", (e) => e.pointerType === "mouse" && clip.play().catch(() => {}));
    clip.addEventListener("pointerleave", (e) => e.pointerType === "mouse" && clip.pause());
  }
