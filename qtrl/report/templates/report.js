"use strict";

(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const boxes = [...document.querySelectorAll(".blocks input")];
  const intervals = document.getElementById("intervals");
  const config = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false, // a button that would upload the chart, and that Plotly shows unless told not to
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["select2d", "lasso2d"],
  };

  // Figures name their colours as variables of the style sheet, which alone knows both schemes.
  function coloured(value, style) {
    if (typeof value === "string") {
      const variable = /^var\((--[a-z]+(?:-\d+)?)\)$/.exec(value);
      return variable ? style.getPropertyValue(variable[1]).trim() : value;
    }
    if (Array.isArray(value)) {
      return value.map((item) => coloured(item, style));
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    }
    return value;
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    return Promise.all(
      Object.entries(figures).map(([name, figure]) => {
        const { data, layout } = coloured(figure, style);
        layout.font.family = getComputedStyle(document.body).fontFamily;
        for (const trace of data) {
          trace.visible = !hidden.has(trace.legendgroup) && (intervals.checked || trace.meta !== "interval");
        }
        return Plotly.react(`plot-${name}`, data, layout, config);
      }),
    );
  }

  boxes.forEach((box) => box.addEventListener("change", draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw().then((plots) => {
    document.documentElement.dataset.plots = plots.length;
  });
})();
