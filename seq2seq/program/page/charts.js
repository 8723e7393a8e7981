"use strict";
// Which charts there are, of what the shown runs wrote down, and what is common to them.

const kMostMetrics = 8, kLargest = 1e100;
const kNotMetrics = new Set([
  "step", "epoch", "seconds", "loss", "valid_loss", "tokens_per_second", "learning_rate",
  "gradient_norm", "skipped"
]);
const view = {
  time: false,
  log: false,
  smoothing: 0
};
const charts = new Map();

// What rows stand at: updates, or seconds of training.
const placeOf = (row) => (view.time ? row.seconds : row.step);

// Differences of larger numbers might be none.
const isDrawn = (value) => isNumber(value) && Math.abs(value) < kLargest;
const pointsOf = (rows, key) => rows.map((row) => ({x: placeOf(row), y: row[key]}))
                                    .filter((point) => isDrawn(point.x) && isDrawn(point.y));

// An exponential mean, without the pull of its beginning.
function smoothed(points) {
  let sum = 0, weight = 0;
  return points.map(({x, y}) => {
    sum = view.smoothing * sum + (1 - view.smoothing) * y;
    weight = view.smoothing * weight + (1 - view.smoothing);
    return {x, y: sum / weight};
  });
}

// The lines of a number of training: smooth, before what it is made of.
function trainingLines(run, key, name) {
  const points = pointsOf(run.training, key);
  if (view.smoothing === 0) return [{run, name, points}];
  return [{run, points, faint: true}, {run, name, points: smoothed(points)}];
}

function metricNames() {
  const names = shownRuns().flatMap((run) => run.validation.flatMap(Object.keys));
  return [...new Set(names)].filter((name) => !kNotMetrics.has(name)).slice(0, kMostMetrics);
}

const kMetricTitles = new Map([
  ["bleu", "BLEU"], ["chrf", "chrF"], ["exact", "Exact match, %"], ["tokens", "Token accuracy, %"],
  ["ter", "Translation edit rate, %"], ["wer", "Word error rate, %"]
]);

// [key, title, note, lines of a run, whether the scale may be logarithmic]
function chartList() {
  const training = (key) => (run) => trainingLines(run, key, "");
  const validation = (key, name) =>
      (run) => [{run, name, points: pointsOf(run.validation, key), dots: true}];
  return [
    [
      "loss", "Loss", "training: thin; validation: with dots",
      (run) =>
          [...trainingLines(run, "loss", "training"),
           ...validation("valid_loss", "validation")(run)],
      true
    ],
    ...metricNames().map(
        (name) =>
            [`metric ${name}`, kMetricTitles.get(name) ?? visible(spelled(name)), "in validation",
             validation(name, ""), false]),
    ["gradient_norm", "Gradient norm", "before clipping", training("gradient_norm"), true],
    ["learning_rate", "Learning rate", "", training("learning_rate"), false],
    ["tokens_per_second", "Target tokens per second", "", training("tokens_per_second"), false],
  ];
}

// The axis that all charts share, in the unit of the times where it is one of times.
function sharedAxis() {
  const ends = shownRuns().flatMap(
      ({training, validation}) => [...training.slice(-1), ...validation.slice(-1)].map(placeOf));
  const [, most] = extent(ends) ?? [0, 1];
  const unit = view.time ? timeUnit(most) : {seconds: 1, name: "updates"};
  const text = (x) =>
      (view.time ? `${format(x)} ${unit.name}` : `update ${grouped(Math.round(x))}`);
  return {
    domain: [0, most / unit.seconds || 1],
    name: view.time ? `${unit.name} of training` : "update",
    text,
    unit
  };
}

function drawCharts(grid) {
  const x = sharedAxis(), list = chartList(), keys = new Set(list.map(([key]) => key));
  for (const [key, chart] of charts) {
    if (keys.has(key)) continue;
    cursor.charts.delete(chart);
    chart.element.remove();
    charts.delete(key);
  }
  for (const [key, title, note] of list)
    if (!charts.has(key)) charts.set(key, new Chart(title, note));
  const elements = list.map(([key]) => charts.get(key).element);
  if (elements.some((element, i) => grid.children[i] !== element))
    grid.replaceChildren(...elements);
  const mark = view.time || moment.at === null ? null : moment.at;
  for (const [key, , , linesOf, mayBeLog] of list) {
    const lines = shownRuns().flatMap(linesOf);
    for (const line of lines)
      line.points = line.points.map((p) => ({x: p.x / x.unit.seconds, y: p.y}));
    charts.get(key).draw({lines, x, log: mayBeLog && view.log, mark});
  }
}

function addCharts(main) {
  const redraw = () => drawCharts(grid);
  const grid = el("div", {class: "charts"});
  const choice =
      el("select", {
        id: "choose-x",
        change: () => {
          view.time = choice.value === "time";
          redraw();
        }
      },
         el("option", {value: "updates"}, "updates"),
         el("option", {value: "time"}, "time of training"));
  const smoothing = el("input", {
    type: "range",
    id: "choose-smoothing",
    min: 0,
    max: 0.95,
    step: 0.05,
    value: 0,
    input: () => {
      view.smoothing = Number(smoothing.value);
      redraw();
    }
  });
  const log = el("input", {
    type: "checkbox",
    id: "choose-log",
    change: () => {
      view.log = log.checked;
      redraw();
    }
  });
  main.append(
      el("section", {id: "curves"}, el("h2", {}, "Curves"),
         el("div", {class: "choices"}, el("label", {}, "Over ", choice),
            el("label", {}, "Smoothing ", smoothing),
            el("label", {}, log, " Logarithmic loss and norm")),
         grid));
  let width = 0;
  new ResizeObserver(() => {
    if (grid.clientWidth !== width) redraw();
    width = grid.clientWidth;
  }).observe(grid);
  return redraw;
}
