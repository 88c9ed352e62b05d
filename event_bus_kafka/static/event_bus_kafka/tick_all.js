/* Shows a box above each table with boxes. Ticking it ticks all rows of the table. Pages work without it, too. */
"use strict";
for (const line of document.querySelectorAll(".event-bus-tick-all")) {
  const form = line.closest("form");
  const all = line.querySelector("input");
  const rows = [...form.querySelectorAll("td.event-bus-tick input")];
  const show = () => {
    const ticked = rows.filter((row) => row.checked).length;
    all.checked = ticked === rows.length;
    all.indeterminate = ticked > 0 && ticked < rows.length;
  };
  all.addEventListener("change", () => {
    for (const row of rows) row.checked = all.checked;
  });
  form.addEventListener("change", show);
  addEventListener("pageshow", show); // the browser's back button keeps the ticks
  line.hidden = false;
}
