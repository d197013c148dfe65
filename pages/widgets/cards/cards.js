// The cards of the review page: found tricks that loop, and what is decided on them. The scripts of this folder are
// joined to one module, this one last.
//
// A decision shows at once. To Python goes the state `decisions`: all that this browser decided and Python has not
// acknowledged, so that a lost message loses nothing. Until then they lie in the browser's storage, too, and the next
// view of the session sends them again. Saying the same twice does no harm.

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector('.cards');
  const send = { decisions: (all) => setStateValue('decisions', all), trigger: setTriggerValue };
  if (root.view && root.view.session !== data.session) root.view.close();
  if (!root.view || root.view.closed) root.view = new View(root, data, send);
  root.view.take(data, send);
  return () => {
    root.view?.close();
    root.view = null;
  };
}
