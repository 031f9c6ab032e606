"use strict";
// Search and sorting; the page is whole without it. Nothing is fetched, nothing is kept.
const fold = (text) => text.normalize("NFD").replace(/[\u0300-\u036f']/g, "").toLowerCase();
const start = document.getElementById("zoek-blad");
if (start) {
  start.hidden = false;
  const box = start.querySelector("input"), told = start.querySelector("output");
  const links = [...document.querySelectorAll(".sprong a")];
  start.querySelector("datalist").append(...links.map((link) => new Option(link.textContent)));
  box.addEventListener("change", () => {
    const wanted = fold(box.value.trim());
    const found = links.filter((link) => fold(link.textContent).includes(wanted));
    const one = found.find((link) => fold(link.textContent) === wanted) ?? (found.length === 1 ? found[0] : null);
    told.textContent = one || !wanted ? "" : `${found.length} gemeenten met deze letters`;
    if (one) one.click();
  });
}
for (const table of document.querySelectorAll("table[data-zoek]")) {
  const rows = [...table.tBodies[0].rows];
  const place = document.getElementById(table.dataset.zoek);
  place.hidden = false;
  const box = place.querySelector("input"), told = place.querySelector("output");
  box.addEventListener("input", () => {
    const wanted = fold(box.value.trim());
    let found = 0;
    for (const row of rows) found += !(row.hidden = !fold(row.querySelector("th").textContent).includes(wanted));
    told.textContent = `${found} van ${rows.length}`;
  });
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim(), number = Number(text.replaceAll(".", ""));
    return text === "\u00d7" ? -1 : Number.isNaN(number) || text === "" ? fold(text) : number;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = rows.slice().sort((a, b) => {
        const x = value(a, column), y = value(b, column);
        return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
      });
      table.tBodies[0].append(...sorted);
    });
  });
}
