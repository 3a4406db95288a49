// Makes the full table sortable, searchable and filterable. Without this script it is a plain table.
(() => {
  const table = document.getElementById("cells");
  if (!table || typeof DataTable === "undefined") return;
  document.documentElement.classList.add("dt");

  // Numbers sort by their raw value; what has none comes last, whichever way.
  const number = (text) => (text === "" || text === null ? null : Number(text));
  const order = (sign) => (a, b) => {
    const [x, y] = [number(a), number(b)];
    return x === null ? (y === null ? 0 : 1) : y === null ? -1 : sign * (x - y);
  };
  DataTable.type("number", { order: { asc: order(1), desc: order(-1) } });

  const numeric = [], text = [];
  table.querySelectorAll("thead th").forEach((head, k) => (head.dataset.numeric ? numeric : text).push(k));
  const shown = new DataTable(table, {
    paging: false, autoWidth: false, order: [], info: true,
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: null },
    language: { info: "_TOTAL_ of _MAX_ cells", infoEmpty: "No cell", infoFiltered: "", zeroRecords: "No cell matches" },
    columnDefs: [{ targets: "_all", orderSequence: ["asc", "desc"] }, { targets: numeric, type: "number" }, { targets: text, type: "string" }],
  });

  // The filters: one selection for each column that has a few values to choose from.
  const controls = document.getElementById("filters");
  const search = document.getElementById("search");
  controls.hidden = false;
  search.addEventListener("input", () => shown.search(search.value).draw());
  controls.querySelectorAll("select").forEach((select) => {
    const column = Number(select.dataset.column);
    select.addEventListener("change", () => {
      const value = select.value;
      const wanted = (cell, data, index) =>
        shown.cell(index, column).node().dataset.value === value;
      shown.column(column).search(value === "" ? "" : wanted).draw();
    });
  });
  document.getElementById("clear").addEventListener("click", () => {
    search.value = "";
    controls.querySelectorAll("select").forEach((select) => (select.value = ""));
    shown.columns().every(function () { this.search(""); });
    shown.search("").draw();
  });
})();
