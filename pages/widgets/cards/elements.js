// Small helpers.

function isDark(root) {
  const [red, green, blue] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128;
}

function words({ verdict, stars }) {
  const said = { '': 'undecided', keep: 'kept', reject: 'rejected' }[verdict];
  return stars ? `${said}, ${stars} ${stars === 1 ? 'star' : 'stars'}` : said;
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

// Text is only ever set as text: labels come from outside.
function element(tag, name, text = '') {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

function button(text, act, name) {
  const made = element('button', name, text);
  made.type = 'button';
  made.name = name;
  made.addEventListener('click', act);
  return made;
}
