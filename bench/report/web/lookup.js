// The table of a large run: every cell is data, and only the rows that are looked at become elements.
(() => {
  const table = document.getElementById("every"), source = document.getElementById("lookup");
  if (!table || !source || typeof DataTable === "undefined") return;
  document.documentElement.classList.add("dt");
  const columns = JSON.parse(source.textContent).columns;
  const text = (column, row) => (column.texts ? column.texts[column.data[row]] : column.data[row]);

  // What has no figure comes last, whichever way.
  const order = (sign) => (a, b) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : sign * (a - b));
  DataTable.type("figure", { order: { asc: order(1), desc: order(-1) } });

  const value = (column, row) => {
    if (column.texts) return column.texts[column.data[row]] === "–" ? null : column.data[row];
    return column.order ? column.order[row] : column.data[row];
  };
  const shown = new DataTable(table, {
    data: columns[0].data.map((_, row) => ({ row })),
    columns: columns.map((column) => ({
      title: column.title,
      type: column.texts || column.order ? "figure" : "string",
      className: column.numeric ? "number" : "",
      orderSequence: ["asc", "desc"],
      data: (one, kind) => (kind === "sort" || kind === "type" ? value(column, one.row) : text(column, one.row)),
    })),
    createdRow: (element) => [...element.cells].forEach((cell, k) => (cell.dataset.title = columns[k].title)),
    deferRender: true, autoWidth: false, order: [], info: true, paging: true, pageLength: 50,
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: "paging" },
    language: { info: "_START_ to _END_ of _TOTAL_ cells", infoEmpty: "No cell", infoFiltered: "", zeroRecords: "No cell matches" },
  });

  const controls = document.getElementById("filters"), search = document.getElementById("search");
  controls.hidden = false;
  search.addEventListener("input", () => shown.search(search.value).draw());
  const clear = document.getElementById("clear");
  const chosen = columns.map((column, k) => {
    if (!column.filtered || !column.texts || column.texts.length < 2) return null;
    const label = document.createElement("label"), select = document.createElement("select");
    label.append(`${column.title} `, select);
    for (const choice of ["", ...column.texts]) select.add(new Option(choice || "all", choice));
    clear.before(label);
    select.addEventListener("change", () => {
      const wanted = select.value;
      shown.column(k).search(wanted === "" ? "" : (cell, data) => text(column, data.row) === wanted).draw();
    });
    return select;
  });
  clear.addEventListener("click", () => {
    search.value = "";
    chosen.forEach((select, k) => { if (select) { select.value = ""; shown.column(k).search(""); } });
    shown.search("").draw();
  });
})();
