const FETCHED_KEPT = 64;
const fetched = new Map();

/** The bytes at a URL, fetched once; the contents of a URL never change. Fails with a sentence for people. */
function fetchBytes(url, what) {
  const kept = fetched.get(url);
  if (kept) {
    fetched.delete(url);
    fetched.set(url, kept);
    return kept;
  }
  const coming = fetch(url)
    .then((response) => {
      if (!response.ok) throw new Error(`${what} could not be loaded (${response.status}): reload the page.`);
      return response.arrayBuffer();
    })
    .catch((error) => {
      fetched.delete(url);
      throw error instanceof TypeError ? new Error(`${what} could not be loaded: the server does not answer.`) : error;
    });
  fetched.set(url, coming);
  if (fetched.size > FETCHED_KEPT) fetched.delete(fetched.keys().next().value);
  return coming;
}
