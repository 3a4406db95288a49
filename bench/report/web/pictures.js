// Lets the pictures answer: what is under the pointer, without whom, over which baseline, which of the views.
// Every figure and every word comes from the page's data (bench/report/hover.py); nothing is computed here.
(() => {
  const asked = JSON.parse(document.getElementById("asked").textContent);
  if (!asked.cells) return;
  const pictures = document.querySelector(".pictures");
  let base = 0;

  // What can be pointed at in a drawing: elements with the cell that they show, in reading order.
  const cellsOf = (text) => text.split(" ").map(Number);
  const targets = (svg) => [...svg.querySelectorAll("[data-marks], [data-tile], [data-point]")]
    .filter((group) => !group.classList.contains("off"))
    .flatMap((group) => {
      const { marks, tile, point } = group.dataset;
      if (marks === undefined) return [{ element: group.querySelector("path"), cell: Number(tile ?? point) }];
      return [...group.querySelectorAll("use")].map((element, k) => ({ element, cell: cellsOf(marks)[k] }));
    });

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  let pointed = null;

  const say = (cell) => {
    const [name, place, time, step, gap, kernel] = asked.cells[cell];
    const over = asked.over[base][cell];
    const lines = [place, [time, step].filter(Boolean).join(", ")];
    if (over && name !== asked.baselines[base]) lines.push(`${over[0]} over ${asked.baselines[base]}`);
    if (gap) lines.push(gap);
    if (kernel) lines.push(kernel);
    const head = document.createElement("strong");
    head.textContent = name;
    tip.replaceChildren(head, ...lines.map((line) => Object.assign(document.createElement("span"), { textContent: line })));
  };

  const hide = () => {
    tip.hidden = true;
    if (pointed) pointed.element.classList.remove("pointed");
    pointed = null;
  };

  const show = (target) => {
    hide();
    pointed = target;
    target.element.classList.add("pointed");
    say(target.cell);
    tip.hidden = false;
    const box = target.element.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 8);
    const above = box.top - own.height - 10;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 8 ? above : box.bottom + 10) + scrollY}px`;
  };

  const nearest = (svg, x, y) => {
    let best = null, least = 28; // CSS pixels
    for (const target of targets(svg)) {
      const box = target.element.getBoundingClientRect();
      const away = Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
      if (away < least) [best, least] = [target, away];
    }
    return best;
  };

  for (const svg of document.querySelectorAll(".panels svg")) {
    if (!targets(svg).length) continue;
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-roledescription", "picture; arrow keys go from figure to figure");
    const point = (event) => {
      const found = nearest(svg, event.clientX, event.clientY);
      if (!found) hide();
      else if (!pointed || pointed.element !== found.element) show(found);
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const all = targets(svg);
      const at = pointed ? all.findIndex((target) => target.element === pointed.element) : step > 0 ? -1 : 0;
      show(all[(at + step + all.length) % all.length]);
    });
  }

  if (!pictures) return;

  // A click on the legend hides an implementation, or shows it again.
  const shown = (name) => !hidden.has(name);
  const hidden = new Set();
  const update = () => {
    for (const group of pictures.querySelectorAll("[data-marks], [data-band]")) {
      const [cell] = cellsOf(group.dataset.marks ?? group.dataset.band);
      group.classList.toggle("off", !shown(asked.cells[cell][0]));
    }
    for (const figure of pictures.querySelectorAll("figure[data-of]")) {
      const own = figure.closest("#speedup") && figure.dataset.of === asked.baselines[base];
      figure.hidden = own || !shown(figure.dataset.of);
    }
  };
  for (const entry of pictures.querySelectorAll(".legend > [data-name]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.name = entry.dataset.name;
    button.title = "click to hide or show it";
    button.setAttribute("aria-pressed", "true");
    button.append(...entry.childNodes);
    entry.replaceWith(button);
    button.addEventListener("click", () => {
      const { name } = button.dataset;
      if (!hidden.delete(name)) hidden.add(name);
      button.setAttribute("aria-pressed", String(shown(name)));
      update();
    });
  }

  // Another baseline: the tiles of the speed-ups, their captions, and what pointing says.
  const choice = document.getElementById("baseline");
  const rebase = () => {
    base = choice.selectedIndex;
    for (const tile of pictures.querySelectorAll("#speedup [data-tile]")) {
      const over = asked.over[base][Number(tile.dataset.tile)];
      const text = tile.parentNode.querySelector(`[data-text="${tile.dataset.tile}"] text`);
      const [, written, role] = over ?? ["", "–", "even"];
      tile.querySelector("path").style.fill = `var(--${role})`;
      text.style.fill = `var(--heat-ink-${role.endsWith("3") ? "strong" : "weak"})`;
      text.textContent = written;
    }
    for (const name of pictures.querySelectorAll(".over")) name.textContent = asked.baselines[base];
    update();
  };
  if (choice) choice.addEventListener("change", rebase);

  // One view at a time: times, speed-ups or costs per step.
  const views = [...pictures.querySelectorAll("[data-view]")];
  const group = pictures.querySelector(".views");
  const view = (section) => {
    for (const each of views) each.classList.toggle("off", each !== section);
    for (const button of group.children) button.setAttribute("aria-pressed", String(button.value === section.id));
  };
  const follow = () => {
    const there = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const section = there && there.closest("[data-view]");
    if (section) {
      view(section);
      section.scrollIntoView();
    }
  };
  for (const section of views.length > 1 ? views : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.value = section.id;
    button.textContent = section.dataset.view;
    button.addEventListener("click", () => view(section));
    group.append(button);
  }
  if (views.length > 1) {
    view(views[0]);
    addEventListener("hashchange", follow);
    for (const link of document.querySelectorAll("nav a")) link.addEventListener("click", () => setTimeout(follow));
    follow();
  }
  pictures.querySelector(".controls").hidden = false;
})();
