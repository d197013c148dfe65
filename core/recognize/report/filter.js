// Of the clips that were named wrong only those of one true class, or named one thing, or both: by the lists above
// them, or by a cell or a head of the matrix.
{
  const truth = document.querySelector("#truth"), named = document.querySelector("#named");
  const status = document.querySelector("#shown");
  const wrong = document.querySelector("#wrong");
  const cards = [...document.querySelectorAll("article")];
  const cells = [...document.querySelectorAll(".matrix button")];
  const show = () => {
    const fits = (one) =>
      (!truth.value || one.dataset.truth === truth.value) && (!named.value || one.dataset.named === named.value);
    for (const card of cards) {
      card.hidden = !fits(card);
      if (card.hidden) card.querySelector("video")?.pause();
    }
    for (const cell of cells) {
      const { truth: row = "", named: column = "" } = cell.dataset;
      cell.setAttribute("aria-pressed", row === truth.value && column === named.value);
    }
    status.textContent = `${cards.filter((card) => !card.hidden).length} of ${cards.length} clips are shown.`;
  };
  const choose = (row = "", column = "") => {
    truth.value = row;
    named.value = column;
    show();
  };
  if (truth) {
    document.querySelector(".filter").hidden = false;
    for (const list of [truth, named]) list.addEventListener("change", show);
    document.querySelector("#all").addEventListener("click", () => choose());
    for (const cell of cells)
      cell.addEventListener("click", () => {
        choose(cell.dataset.truth, cell.dataset.named);
        wrong.scrollIntoView();
        wrong.focus({ preventScroll: true });
      });
    show();  // a browser may have kept what was chosen before
  }

  // What a cell means is told beside the matrix, and its row and column are marked.
  const matrix = document.querySelector(".matrix"), said = document.querySelector("#cell");
  const rest = said.textContent;
  const mark = (cell) => {
    for (const one of matrix.querySelectorAll(".marked")) one.classList.remove("marked");
    said.textContent = cell?.title || rest;
    if (!cell) return;
    cell.parentElement.cells[0].classList.add("marked");
    matrix.tHead.rows[0].cells[cell.cellIndex].classList.add("marked");
  };
  for (const kind of ["pointerover", "focusin"])
    matrix.addEventListener(kind, (event) => mark(event.target.closest("td")));
  for (const kind of ["pointerleave", "focusout"]) matrix.addEventListener(kind, () => mark(null));
}
