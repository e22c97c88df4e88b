"use strict";

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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

  const narrowest = (figure) => {
    const { xaxis, yaxis } = figure.layout;
    const beside = yaxis.ticktext ? LETTER * widest(yaxis.ticktext) : 40;
    const cells = figure.data.find((trace) => trace.type === "heatmap");
    if (cells) return beside + 80 + 16 * cells.x.length;
    return beside + (xaxis.ticktext ? 60 + 22 * xaxis.ticktext.length : 210);
  };

  const slanted = (layout) => {
    // names across that have no room beside each other
    const whole = layout.xaxis.ticktext.map((text) => text.replaceAll("<br>", ""));
    layout.xaxis.ticktext = whole;
    layout.xaxis.tickangle = -60;
    layout.height += 0.8 * LETTER * widest(whole);
  };

  const laidOut = (figure, room) => {
    const layout = structuredClone(figure.layout);
    const drawn = layout.width;
    layout.width = Math.min(drawn, Math.max(room, narrowest(figure)));
    layout.margin.t = 16;
    if (layout.width < drawn && figure.data.some((trace) => trace.type === "box")) {
      if (layout.width / layout.xaxis.ticktext.length < 90) slanted(layout);
    }
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
    const ink = colour("--ink");
    const data = inked(figure.data, ink);
    const cells = data.find((trace) => trace.type === "heatmap");
    if (cells) layout.plot_bgcolor = colour("--rule");
    if (cells && layout.width < figure.layout.width) {
      // the scale of colours below, where there is no room beside
      const below = { orientation: "h", x: 0, xanchor: "left", y: -70 / layout.height, yanchor: "top" };
      Object.assign(cells.colorbar, below);
      cells.colorbar.title.text = cells.colorbar.title.text.replaceAll("<br>", " ");
      layout.height += 80;
    }
    plot.style.height = `${layout.height}px`;
    Plotly.react(plot, data, inked(layout, ink), { displayModeBar: false, scrollZoom: false });
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

  // --- choices ----------------------------------------------------------------------------

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
})();
