"use strict";

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const scheme = () => ({ dark: dark.matches, narrow: narrow.matches });
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  // What the address says, and how it is said. Names of filters may stand in it several times.
  const parsed = (search) => {
    const query = new URLSearchParams(search);
    return {
      filters: {
        test: query.getAll("test"),
        regularizer: query.getAll("regularizer"),
        verdict: query.getAll("verdict"),
        period: query.get("period") || "",
      },
      opened: { open: query.get("open") || "", beside: query.get("beside") || "" },
    };
  };

  const spelled = ({ filters, opened }) => {
    const query = new URLSearchParams();
    for (const name of ["test", "regularizer", "verdict"]) {
      for (const value of filters[name]) query.append(name, value);
    }
    if (filters.period) query.append("period", filters.period);
    if (opened.open) query.append("open", opened.open);
    if (opened.open && opened.beside) query.append("beside", opened.beside);
    return `?${query}`;
  };

  const go = (wanted) => {
    if (!same(wanted, parsed(location.search))) {
      dash_clientside.set_props("address", { search: spelled(wanted) });
    }
  };

  let revealed = "";
  let listening = false;
  const kept = () => dash_clientside.no_update;

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    reprotest: {
      scheme: () => {
        if (!listening) {
          listening = true;
          const tell = () => dash_clientside.set_props("scheme", { data: scheme() });
          dark.addEventListener("change", tell);
          narrow.addEventListener("change", tell);
          document.addEventListener("submit", (event) => event.preventDefault());
        }
        return scheme();
      },

      asked: (test, regularizer, verdict, period, open, beside) => {
        go({
          filters: {
            test: test || [],
            regularizer: regularizer || [],
            verdict: verdict || [],
            period: period || "",
          },
          opened: { open: open || "", beside: (open && beside) || "" },
        });
        return kept();
      },

      clicked: (...clicks) => {
        const point = clicks.filter(Boolean).flatMap((click) => click.points).find((each) => each.customdata);
        if (point) {
          const now = parsed(location.search);
          revealed = "";
          go({ ...now, opened: { ...now.opened, open: String(point.customdata) } });
          for (const name of ["effective", "difference"]) dash_clientside.set_props(name, { clickData: null });
        }
        return kept();
      },

      read: (search, filters, opened) => {
        const found = parsed(search);
        return [
          same(filters, found.filters) ? kept() : found.filters,
          same(opened, found.opened) ? kept() : found.opened,
        ];
      },

      reveal: (body, opened) => {
        // what was asked for comes into sight; what was only drawn again does not move the page
        const key = opened ? `${opened.open} ${opened.beside}` : "";
        if (key !== revealed && opened && opened.open) {
          const title = document.getElementById("opened-title");
          title.focus({ preventScroll: true });
          title.scrollIntoView({ block: "start" });
        }
        revealed = key;
        return kept();
      },
    },
  });
})();
