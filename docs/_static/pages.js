// On a phone the heads of columns are hidden: each cell gets the text of its own one, which pages.css shows.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.docutils")) {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.children].forEach((cell, column) => column && heads[column] && (cell.dataset.head = heads[column]));
    }
  }
});
