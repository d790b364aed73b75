"use strict";
// The table is whole without this: it only puts rows in another order, and hides some.
const table = document.querySelector("table.experiments");
if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const count = document.querySelector("#count");
  const search = document.querySelector("#search");
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const value = (row, place) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();

  const sort = (head, place) => {
    const isUp = head.getAttribute("aria-sort") === "descending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const isNumber = head.classList.contains("number");
    const known = rows.filter((row) => value(row, place) !== "");
    const unknown = rows.filter((row) => value(row, place) === "");
    const compare = isNumber
      ? (a, b) => Number(value(a, place)) - Number(value(b, place))
      : (a, b) => order.compare(value(a, place), value(b, place));
    known.sort((a, b) => (isUp ? compare(a, b) : compare(b, a)));
    body.append(...known, ...unknown);
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = words.length ? `${shown} of ${rows.length}` : "";
  };

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, place));
  });
  search.addEventListener("input", filter);
  search.closest(".filter").hidden = false;
}
