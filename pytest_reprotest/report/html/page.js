"use strict";

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // --- tables ---------------------------------------------------------------------------------

  const compare = (one, other) => {
    const [a, b] = [Number(one), Number(other)];
    if (Number.isNaN(a) || Number.isNaN(b)) {
      // what is no number comes after all that is
      if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
      return one < other ? -1 : one > other ? 1 : 0;
    }
    return a - b;
  };

  const sort = (heading) => {
    const body = heading.closest("table").tBodies[0];
    const column = heading.cellIndex;
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentElement.cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.sort;
    const rows = [...body.rows].sort((one, other) => compare(key(one), key(other)));
    body.append(...(ascending ? rows : rows.reverse()));
  };

  for (const button of document.querySelectorAll(".sortable th button")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }

  // --- figures --------------------------------------------------------------------------------

  const figures = JSON.parse(document.getElementById("figures").textContent);
  const INK = "#333333";
  const BLACK = "#000000";
  const LETTER = 7.5;

  const inked = (node, ink) => {
    // a copy, with what is drawn in ink in the ink of the page
    if (Array.isArray(node)) return node.map((inner) => inked(inner, ink));
    if (node && typeof node === "object") {
      return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, inked(inner, ink)]));
    }
    return node === INK || node === BLACK ? ink : node;
  };

  const widest = (texts) => Math.max(...texts.flatMap((text) => text.split("<br>")).map((line) => line.length));

  const narrowest = (layout) => {
    // names across keep their room, and the frame is scrolled
    if (layout.xaxis.ticktext) return layout.width;
    return 250 + (layout.yaxis.ticktext ? LETTER * widest(layout.yaxis.ticktext) : 0);
  };

  const laidOut = (figure, room) => {
    const layout = structuredClone(figure.layout);
    const drawn = layout.width;
    layout.width = Math.min(drawn, Math.max(room, narrowest(layout)));
    layout.margin.t = 16;
    if (layout.width < drawn && layout.showlegend) {
      const names = figure.data.filter((trace) => trace.showlegend && trace.name);
      layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -70 / layout.height, yanchor: "top" };
      layout.height += 24 * names.length;
    }
    const grid = colour("--rule");
    for (const axis of [layout.xaxis, layout.yaxis]) axis.gridcolor = grid;
    return {
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      dragmode: false,
      hoverlabel: { ...layout.hoverlabel, bgcolor: colour("--shade"), bordercolor: grid, font: { color: colour("--ink") } },
    };
  };

  const draw = (plot) => {
    const room = plot.parentElement.clientWidth;
    if (!room) return;
    const figure = figures[plot.dataset.figure];
    const layout = laidOut(figure, room);
    plot.style.height = `${layout.height}px`;
    const ink = colour("--ink");
    Plotly.react(plot, inked(figure.data, ink), inked(layout, ink), { displayModeBar: false, scrollZoom: false });
    plot.dataset.drawn = String(room);
  };

  const plots = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting && !target.dataset.drawn) draw(target);
      }
    },
    { rootMargin: "600px" },
  );
  plots.forEach((plot) => seen.observe(plot));

  const again = () => {
    for (const plot of plots) if (plot.dataset.drawn) draw(plot);
  };
  dark.addEventListener("change", again);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    again();
  });
  addEventListener("beforeprint", () => plots.forEach(draw));

  // --- choices and the command ----------------------------------------------------------------

  for (const choice of document.querySelectorAll(".choice")) {
    const select = choice.querySelector("select");
    if (!select) continue;
    const panels = [...choice.querySelectorAll(".panel")];
    const show = () => {
      panels.forEach((panel, place) => panel.classList.toggle("shown", place === Number(select.value)));
      panels[select.value].querySelectorAll(".plot").forEach(draw);
    };
    choice.classList.add("chosen");
    panels[select.value].classList.add("shown");
    select.addEventListener("change", show);
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
    });
  }
})();
