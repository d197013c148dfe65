// The drop area for footage. A queue outlives its view: the upload goes on while another page is shown, and the view
// that comes back shows it again.
//
// To Python goes the state `arrived`: the tokens of all finished uploads that Python has not taken yet. Python sends back
// what it has taken, and until then they go to it again, ever more rarely: Streamlit drops what it is told while its own
// connection is broken, and of two messages in a row it may deliver the second only. Beside them stand the names of what
// is on its way: a chapter that has arrived is held until the others of its recording are there, too.

const queues = (globalThis.tricklineUploads ??= new Map());

const REPORT_MS = 3000;
const STATES = { waiting: 'Waiting', checking: 'Checking…', sending: '', reading: 'Reading the video…', arrived: 'Arrived' };

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector('.uploader');
  let queue = queues.get(data.queue);
  if (!queue) queues.set(data.queue, (queue = new Queue()));
  queue.url = data.url;
  queue.suffixes = data.suffixes;
  queue.send = (state) => setStateValue('arrived', state);
  queue.taken(data.taken, data.held);
  if (!root.view) {
    root.view = new View(root, queue);
    queue.report(); // what has finished while no view was there
  }
  root.classList.toggle('dark', isDark(root));
  queue.draw();
  return () => {
    root.view.close();
    root.view = null;
  };
}

class Queue {
  files = [];
  arrived = [];
  held = [];
  view = null;
  send = () => {};
  reports = 0;

  constructor() {
    addEventListener('beforeunload', (event) => {
      if (this.current || this.held.length) event.preventDefault(); // the browser asks before it drops an upload
    });
  }

  get current() {
    return this.files.find((file) => file.busy);
  }

  add(chosen) {
    this.files = this.files.filter((file) => file.state !== 'arrived' || this.held.includes(file.token));
    for (const { file, folder } of chosen) {
      const upload = new Upload(this, file);
      this.files.push(upload);
      if (folder) upload.fail(`${file.name} is a folder; drop the videos that are in it.`, false);
    }
    this.next();
  }

  next() {
    const file = this.current ? null : this.files.find((each) => each.state === 'waiting');
    if (file) file.run();
    this.report(); // what is on its way has changed
    this.draw();
  }

  remove(file) {
    this.files = this.files.filter((each) => each !== file);
    this.next();
  }

  taken(tokens, held) {
    this.arrived = this.arrived.filter((token) => !tokens.includes(token));
    this.held = held.filter((token) => this.arrived.includes(token));
  }

  report(wait = REPORT_MS) {
    clearTimeout(this.reminder);
    if (!this.arrived.length || !this.view) return;
    this.reports += 1; // a state that is the same as before would not be sent
    const coming = this.files.filter((file) => file.coming).map((file) => file.name);
    this.send({ tokens: [...this.arrived], coming, report: this.reports });
    this.reminder = setTimeout(() => this.report(2 * wait), wait);
  }

  tell(words) {
    this.view?.tell(words);
  }

  draw() {
    this.view?.draw();
  }
}

class Upload {
  state = 'waiting';
  sent = 0;
  sentence = '';
  mendable = true;
  brokenOff = false;
  token = null;

  constructor(queue, file) {
    this.queue = queue;
    this.file = file;
    this.name = file.name.replace(/\p{Surrogate}/gu, '\ufffd'); // half a character cannot be URL-encoded
  }

  get busy() {
    return ['checking', 'sending', 'reading'].includes(this.state);
  }

  // What was broken off is awaited, too: the user may try again, or remove it.
  get coming() {
    return this.busy || this.state === 'waiting' || (this.state === 'failed' && this.brokenOff);
  }

  async run() {
    this.to('checking');
    this.abort = new AbortController();
    const refusal = await this.ask();
    if (this.state !== 'checking') return; // cancelled meanwhile
    if (refusal) this.fail(refusal);
    else this.transfer();
  }

  // Why the file would not be taken, as a sentence; null if it would.
  async ask() {
    const query = new URLSearchParams({ name: this.name, size: this.file.size });
    this.brokenOff = false;
    try {
      const answer = await fetch(`${this.queue.url}?${query}`, {
        headers: { 'X-Trickline': 'upload' },
        cache: 'no-store',
        signal: this.abort.signal,
      });
      if (answer.ok) return null;
      const { error } = await answer.json();
      return error;
    } catch {
      this.brokenOff = true;
      return `Trickline does not answer. Check that it runs, then try again; ${this.name} stays in this list.`;
    }
  }

  transfer() {
    const request = (this.request = new XMLHttpRequest());
    request.open('PUT', this.queue.url);
    request.setRequestHeader('X-Trickline', 'upload');
    request.setRequestHeader('X-Name', encodeURIComponent(this.name));
    this.sent = 0;
    this.pace = [[performance.now(), 0]];
    request.upload.onprogress = ({ loaded }) => this.progress(loaded);
    request.upload.onload = () => this.to('reading');
    request.onload = () => this.answered(request);
    request.onerror = () => this.broken();
    this.to('sending');
    this.queue.tell(`Sending ${this.name}.`);
    request.send(this.file);
  }

  progress(loaded) {
    const quarter = (bytes) => Math.floor((4 * bytes) / this.file.size);
    if (quarter(loaded) > quarter(this.sent) && loaded < this.file.size) {
      this.queue.tell(`${this.name}: ${25 * quarter(loaded)} percent sent.`);
    }
    this.sent = loaded;
    this.pace.push([performance.now(), loaded]);
    while (this.pace.length > 2 && this.pace.at(-1)[0] - this.pace[0][0] > 5000) this.pace.shift();
    this.queue.draw();
  }

  answered(request) {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // a proxy in between answered, not Trickline
    }
    if (request.status !== 201) {
      return this.fail(answer.error ?? `The upload was refused (${request.status}); try again.`);
    }
    this.token = answer.token;
    this.queue.arrived.push(this.token);
    this.to('arrived');
    this.queue.tell(`${this.name} has arrived.`);
    this.queue.next();
  }

  async broken() {
    const refusal = await this.ask();
    if (!this.busy) return;
    this.brokenOff ||= !refusal;
    this.fail(refusal ?? `The connection broke, or ${this.name} was changed while it was sent; try again.`);
  }

  fail(sentence, mendable = true) {
    this.sentence = sentence;
    this.mendable = mendable;
    this.to('failed');
    this.queue.tell(sentence);
    this.queue.next();
  }

  cancel() {
    this.state = 'cancelled';
    this.abort?.abort();
    this.request?.abort();
    this.queue.tell(`${this.name} was cancelled.`);
    this.queue.remove(this);
  }

  retry() {
    this.state = 'waiting';
    this.queue.next();
  }

  to(state) {
    this.state = state;
    this.queue.draw();
  }

  get words() {
    if (this.state === 'failed') return this.sentence;
    if (this.queue.held.includes(this.token)) return 'Arrived, waits for the other chapters';
    if (this.state !== 'sending') return STATES[this.state];
    const [from, to] = [this.pace[0], this.pace.at(-1)];
    const seconds = (to[0] - from[0]) / 1000;
    const rate = seconds > 0.2 ? (to[1] - from[1]) / seconds : 0;
    const amount = `${megabytes(this.sent)} of ${megabytes(this.file.size)} MB`;
    return rate ? `${amount} · ${megabytes(rate)} MB/s · ${clock((this.file.size - this.sent) / rate)} left` : amount;
  }
}

class View {
  rows = new Map();

  constructor(root, queue) {
    this.queue = queue;
    this.list = root.querySelector('.files');
    this.told = root.querySelector('.told');
    const drop = root.querySelector('.drop');
    const input = root.querySelector('input');
    input.accept = ['video/*', ...queue.suffixes].join(',');
    this.listeners = new AbortController();
    const on = (target, names, act) => {
      for (const name of names) target.addEventListener(name, act, { signal: this.listeners.signal });
    };
    on(input, ['change'], () => {
      queue.add([...input.files].map((file) => ({ file })));
      input.value = ''; // the same file may be chosen again
    });
    on(drop, ['dragenter', 'dragover'], (event) => {
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
      drop.classList.add('over');
    });
    on(drop, ['dragleave'], (event) => {
      if (!drop.contains(event.relatedTarget)) drop.classList.remove('over');
    });
    on(drop, ['drop'], (event) => {
      event.preventDefault();
      drop.classList.remove('over');
      queue.add(dropped(event.dataTransfer));
    });
    // A file dropped beside the area would be opened by the browser in place of the studio.
    on(window, ['dragover', 'drop'], (event) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'none';
    });
    queue.view = this;
  }

  close() {
    this.listeners.abort();
    if (this.queue.view === this) this.queue.view = null;
  }

  tell(words) {
    this.told.textContent = words;
  }

  draw() {
    for (const [file, row] of this.rows) {
      if (this.queue.files.includes(file)) continue;
      row.remove();
      this.rows.delete(file);
    }
    for (const file of this.queue.files) {
      if (!this.rows.has(file)) this.rows.set(file, this.list.appendChild(row(file)));
      this.rows.get(file).show();
    }
  }
}

// One file of the list. Text is only ever set as text: file names come from outside.
function row(file) {
  const item = element('li', 'file');
  const how = element('div', 'how');
  const bar = element('div', 'bar');
  const fill = element('i', '');
  const again = button('Try again', () => file.retry());
  const away = button('Cancel', () => file.cancel());
  const name = element('div', 'name', file.name);
  const actions = element('div', 'actions');
  name.title = file.name;
  bar.append(fill);
  bar.setAttribute('role', 'progressbar');
  bar.setAttribute('aria-label', `Upload of ${file.name}`);
  actions.append(again, away);
  item.append(name, how, actions, bar);
  again.setAttribute('aria-label', `Try ${file.name} again`);
  item.show = () => {
    const percent = Math.floor((100 * file.sent) / (file.file.size || 1));
    const failed = file.state === 'failed';
    item.className = `file ${file.state}`;
    how.textContent = file.words;
    fill.style.width = `${percent}%`;
    bar.setAttribute('aria-valuenow', percent);
    again.hidden = !(failed && file.mendable);
    away.hidden = file.state === 'arrived';
    away.textContent = failed ? 'Remove' : 'Cancel';
    away.setAttribute('aria-label', `${away.textContent} ${file.name}`);
  };
  return item;
}

function dropped(transfer) {
  return [...transfer.items]
    .filter((item) => item.kind === 'file')
    .map((item) => ({ file: item.getAsFile(), folder: item.webkitGetAsEntry?.()?.isDirectory }))
    .filter(({ file }) => file);
}

function element(tag, name, text = '') {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

function button(text, act) {
  const made = element('button', '', text);
  made.type = 'button';
  made.addEventListener('click', act);
  return made;
}

function megabytes(bytes) {
  return (bytes / 1e6).toLocaleString('en', { maximumFractionDigits: bytes < 1e7 ? 1 : 0 });
}

function clock(seconds) {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const parts = hours ? [hours, String(minutes).padStart(2, '0')] : [minutes];
  return [...parts, String(whole % 60).padStart(2, '0')].join(':');
}

// Whether the page's text is lighter than grey: red has to stand out from the background.
function isDark(root) {
  const [red, green, blue] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128;
}
