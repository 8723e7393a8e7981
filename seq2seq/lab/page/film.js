"use strict";
// Training as a film: gradients by layer and head, and the attention of one sentence, a picture for
// every validation; and the same as lines over the whole of it.

const kFrameSeconds = 0.5;

const film = report.film;
const reel = {
  at: 0,
  timer: null
};
const frameNow = () => film.frames[reel.at];

const above0 = (values) => values.filter((v) => isNumber(v) && v > 0);

// The numbers of a key over all frames, [least, most] of those above 0.
const extentOf = (key) => d3.extent(above0(film.frames.flatMap((frame) => frame[key])));

// From numbers above 0 to colours, by their logarithm.
function logColours([least, most], theme) {
  const at = d3.scaleLog([least, most === least ? 2 * least : most], [0.12, 1]);
  const colour = d3.piecewise(d3.interpolateLab, theme.positive);
  return (value) => colour(value > 0 ? Math.max(0, Math.min(1, at(value))) : 0);
}

const kGradientNumbers = [
  {key: "norm", title: "Gradient norm"},
  {key: "snr", title: "Signal to noise"},
];

// One dot a layer, on the range that it has had.
function layerChart({key, title}, width, theme, still) {
  const ranges = film.layers.map((name, index) => ({
                                   index,
                                   name: shortPath(name),
                                   value: frameNow()[key][index],
                                   range: d3.extent(above0(film.frames.map((f) => f[key][index])))
                                 }));
  const shown = ranges.filter((d) => d.value > 0), ever = ranges.filter((d) => d.range[0] > 0);
  const marginLeft =
      Math.min(width * 0.4, (d3.max(ranges, (d) => textWidth(d.name, 11)) ?? 0) + 10);
  const noise = key === "snr" && frameNow().gradients > 0 ? 1 / frameNow().gradients : null;
  const domain = d3.extent([...extentOf(key), ...finite([noise])]);
  const svg = chart(
      {
        width,
        height: film.layers.length * 18 + 60,
        marginLeft,
        marginRight: 16,
        marginTop: 8,
        marginBottom: 38,
        x: {
          type: "log",
          domain,
          nice: true,
          grid: true,
          label: noise ? "dashed: noise alone" : null,
          labelAnchor: "center",
          labelArrow: "none",
          ticks: Math.max(2, width / 120),
          tickFormat: format
        },
        y: {
          domain: range(film.layers.length),
          tickFormat: (i) => fit(ranges[i].name, marginLeft - 8, 11),
          label: null,
          tickSize: 0
        },
        marks: [
          Plot.ruleY(ever, {
            x1: (d) => d.range[0],
            x2: (d) => d.range[1],
            y: "index",
            stroke: theme.line,
            strokeWidth: 4
          }),
          ...(noise ? [Plot.ruleX([noise], {stroke: theme.muted, strokeDasharray: "3 3"})] : []),
          Plot.dot(shown, {x: "value", y: "index", fill: theme.series[0], r: 4.5}),
        ],
      },
      theme, `${title} by layer`);
  if (!still)
    reachable(svg, shown, theme, {
      x: (d) => d.value,
      y: (d) => d.index,
      line: () => 0,
      text: (d) => `${d.name}: ${format(d.value)}`
    });
  return titled(svg, `${title} by layer`, theme);
}

// A cell for each head, a row for each module that has some.
function headChart({key, title}, width, theme, still) {
  const values = frameNow()[key], colour = logColours(extentOf(key), theme);
  let next = 0;
  const cells = film.attention.flatMap(
      ({heads}, row) => range(heads).map((column) => ({row, column, value: values[next++]})));
  const across = d3.max(film.attention, (a) => a.heads);
  const names = film.attention.map((a) => shortPath(a.path));
  const marginLeft = Math.min(width * 0.5, d3.max(names, (name) => textWidth(name, 11)) + 10);
  const cell = (width - marginLeft) / across;
  const known = cells.filter((c) => isNumber(c.value));
  const svg = chart(
      {
        width,
        height: names.length * 22 + 42,
        marginLeft,
        marginTop: 34,
        marginRight: 2,
        marginBottom: 4,
        x: {
          domain: range(across),
          tickFormat: (i) => i + 1,
          label: "head",
          axis: "top",
          tickSize: 0
        },
        y: {
          domain: range(names.length),
          tickFormat: (i) => fit(names[i], marginLeft - 8, 11),
          label: null,
          tickSize: 0
        },
        marks: [
          Plot.cell(known, {x: "column", y: "row", inset: 0.5, fill: (c) => colour(c.value)}),
          Plot.text(cell > 30 ? known : [], {
            x: "column",
            y: "row",
            text: (c) => brief(c.value),
            fontSize: 9,
            fill: (c) => inkOn(colour(c.value))
          }),
        ],
      },
      theme, `${title} by head`);
  if (!still)
    reachable(svg, known, theme, {
      x: (c) => c.column,
      y: (c) => c.row,
      line: (c) => c.row,
      text: (c) => `${names[c.row]}, head ${c.column + 1}: ${format(c.value)}`
    });
  const [least, most] = extentOf(key);
  const ends = cell > 30 ? "" : `, ${brief(least)} to ${brief(most)}`;
  return titled(svg, `${title} by head${ends}`, theme);
}

// Cross-attention of one layer, the mean of its heads.
function filmMap(layer, width, theme) {
  const axes = {
    rows: {tokens: film.predicted, kind: "target, produced"},
    columns: {tokens: film.source, kind: "source"}
  };
  const at = mapLayout(width, axes), title = `Cross-attention, layer ${layer + 1}`;
  const first = layer * at.rows * at.columns;
  const matrix = range(at.rows).map(
      (r) => frameNow().maps.slice(first + r * at.columns, first + (r + 1) * at.columns));
  const svg = picture(width, at.top + at.rows * at.cellHeight + 6, theme, title);
  drawMapLabels(svg, axes, at, theme);
  const body =
      svg.append("g").attr("transform", `translate(${at.left.toFixed(2)},${at.top.toFixed(2)})`);
  drawCells(body, matrix, colourScale([0, 1], theme, false), at.cell, at.cellHeight);
  return titled(svg.node(), title, theme);
}

function drawFilm({width, theme, still}) {
  const rows = [], add = (label, least, makers) => {
    if (makers.length) rows.push(chartsInRows(width, least, theme, label, makers));
  };
  const filled = (key) => extentOf(key)[0] !== undefined;
  if (hasHistory()) {
    const panels = historyPanels(report.history).filter(([name]) => name !== "tokens_per_second");
    add("Numbers of training", still ? 190 : 150,
        panels.map(
            (names) => (each) =>
                historyPanel(names, {at: frameNow().update, height: 150}, each, theme, still)));
  }
  add("Gradients by layer", still ? 190 : 300,
      kGradientNumbers.filter(({key}) => filled(key))
          .map((number) => (each) => layerChart(number, each, theme, still)));
  add("Gradients by head", still ? 190 : 300,
      kGradientNumbers.map(({key, title}) => ({key: `head_${key}`, title}))
          .filter(({key}) => filled(key))
          .map((number) => (each) => headChart(number, each, theme, still)));
  add("Attention", still ? 190 : 150,
      range(film.map_layers).map((layer) => (each) => filmMap(layer, each, theme)));
  return arrange(rows, 1, 18, theme, `Training at update ${frameNow().update}`);
}

// A line for each layer, one below the other, on one scale.
function layerLines({key, title}, width, theme, still) {
  const names = film.layers.map(shortPath), high = 30, marginTop = 4;
  const points = names.flatMap(
      (name, layer) => film.frames.map((f) => ({x: f.update, y: f[key][layer], layer, name}))
                           .filter((p) => p.y > 0));
  const ends = d3.rollups(points, (list) => list.at(-1), (p) => p.layer).map(([, p]) => p);
  const marginLeft =
      Math.min(width * 0.4, (d3.max(names, (name) => textWidth(name, 11)) ?? 0) + 10);
  const text = (p) => `${p.name}, update ${p.x}: ${format(p.y)}`;
  const svg = chart(
      {
        width,
        height: names.length * high + 44,
        marginLeft,
        marginRight: 54,
        marginTop,
        marginBottom: 38,
        x: {label: "update", labelAnchor: "center", labelArrow: "none", ticks: width / 110},
        y: {type: "log", axis: null, domain: extentOf(key), insetTop: 5, insetBottom: 5},
        fy: {
          domain: range(names.length),
          axis: "left",
          tickFormat: (i) => fit(names[i], marginLeft - 8, 11),
          label: null,
          padding: 0
        },
        marks: [
          Plot.frame({anchor: "bottom", stroke: theme.line}),
          Plot.lineY(
              points, {x: "x", y: "y", fy: "layer", stroke: theme.series[0], strokeWidth: 1.8}),
          Plot.dot(ends, {x: "x", y: "y", fy: "layer", fill: theme.series[0], r: 2.5}),
          Plot.text(
              ends,
              {x: "x", y: "y", fy: "layer", text: (p) => format(p.y), dx: 6, textAnchor: "start"}),
          ...(still ? [] :
                      [Plot.tip(points, Plot.pointer({x: "x", y: "y", fy: "layer", title: text}))]),
        ],
      },
      theme, `${title} by layer over training`);
  if (!still)
    reachable(svg, points, theme, {
      x: (p) => p.x,
      y: (p) => p.y,
      line: (p) => p.layer,
      text,
      below: (p) => svg.scale("fy").apply(p.layer) - marginTop
    });
  return titled(svg, `${title} by layer`, theme);
}

// What the history says up to the frame.
function frameText() {
  const {update, gradients} = frameNow();
  const parts =
      [`Update ${d3.format(",")(update)}, record ${reel.at + 1} of ${film.frames.length}`];
  if (hasHistory()) {
    const {columns, rows} = report.history;
    columns.forEach((name, i) => {
      if (i === 0 || [...kTimes, "tokens_per_second", "gradient_norm"].includes(name)) return;
      const row = rows.findLast((r) => r[0] <= update && isNumber(r[i]));
      if (row) parts.push(`${spelled(name).toLowerCase()} ${format(row[i])}`);
    });
  }
  return `${parts.join(" · ")}. Gradients are of ${gradients} updates.`;
}

function addFilmControls(section, show) {
  const last = film.frames.length - 1;
  const slider = el("input", {
    type: "range",
    id: "film-slider",
    min: 0,
    max: last,
    value: reel.at,
    "aria-label": "Record",
    input: () => {
      stop();
      go(Number(slider.value));
    }
  });
  const words = el("p", {id: "film-words", "aria-live": "polite"});
  const button =
      el("button",
         {type: "button", id: "film-play", click: () => (reel.timer === null ? play() : stop())});
  const go = (at) => {
    reel.at = at;
    slider.value = at;
    slider.setAttribute("aria-valuetext", `update ${frameNow().update}`);
    words.textContent = frameText();
    show();
  };
  const stop = () => {
    clearInterval(reel.timer);
    reel.timer = null;
    button.textContent = "Play";
    words.setAttribute("aria-live", "polite");
  };
  const play = () => {
    button.textContent = "Pause";
    words.setAttribute("aria-live", "off");
    if (reel.at === last) go(0);
    reel.timer =
        setInterval(() => (reel.at < last ? go(reel.at + 1) : stop()), 1000 * kFrameSeconds);
  };
  stop();
  button.disabled = slider.disabled = last === 0;
  section.append(el("div", {class: "film-controls"}, button, slider, words));
  return go;
}

function addFilmView() {
  if (!film || film.frames.length === 0) return;
  const section = addSection(
      "film", "The film of training",
      "What gradients were like before each validation, by layer and by head, and the attention of " +
          "one sentence of the validation set.");
  section.append(
      el("p", {class: "how"},
         "A dot is the layer now, the bar behind it where it has been. Scales are those of the " +
             "whole film; colours and dots go by logarithms."));
  reel.at = film.frames.length - 1;
  const figure = addFigure(section, "film", frameText, drawFilm);
  const go = addFilmControls(section, () => figure.redraw());
  go(reel.at);
  section.append(el("h3", {}, "Over the whole of it"));
  addFigure(
      section, "film-lines", "Gradients by layer over training",
      ({width, theme, still}) => chartsInRows(
          width, still ? 190 : 300, theme, "Gradients by layer over training",
          kGradientNumbers.filter(({key}) => extentOf(key)[0] !== undefined)
              .map((number) => (each) => layerLines(number, each, theme, still))));
}
