// Shows and hides cells on the chart of all of them.
(() => {
  const chart = document.getElementById("every");
  const update = (button) => {
    const { number } = button.dataset;
    const there = button.getAttribute("aria-pressed") === "true";
    for (const line of chart.querySelectorAll(`[data-band="${number}"]`)) line.classList.toggle("off", !there);
  };
  for (const button of document.querySelectorAll("#chosen button")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      update(button);
    });
    update(button);
  }
})();
