"use strict";
// Search and sorting for the tables; the page is whole without it. Nothing is fetched, nothing is kept.
for (const table of document.querySelectorAll("table[data-zoek]")) {
  const rows = [...table.tBodies[0].rows];
  const place = document.getElementById(table.dataset.zoek);
  place.hidden = false;
  const box = place.querySelector("input"), told = place.querySelector("output");
  const fold = (text) => text.normalize("NFD").replace(/[\u0300-\u036f']/g, "").toLowerCase();
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
