"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], first = [...body.rows];
  const value = (row, column) => {
    const cell = row.cells[column];
    return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.trim();
  };
  const compare = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, undefined, {numeric: true});
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const next = {none: "ascending", ascending: "descending", descending: "none"}[head.ariaSort || "none"];
    for (const other of heads) other.setAttribute("aria-sort", other === head ? next : "none");
    const rows = [...first], sign = next === "descending" ? -1 : 1;
    if (next !== "none") rows.sort((a, b) => sign * compare(value(a, column), value(b, column)));
    body.append(...rows);
  }));
}
