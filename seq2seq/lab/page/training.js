"use strict";
// What the training run wrote down: lines of its numbers.

const kTimes = ["epoch", "seconds"];  // say what the first column says

// Columns by panels: losses share one.
function historyPanels({columns}) {
  const names = columns.slice(1).filter((name) => !kTimes.includes(name));
  const losses = names.filter((name) => /loss|^validation$/.test(name));
  return [losses, ...names.filter((name) => !losses.includes(name)).map((name) => [name])].filter(
      (panel) => panel.length);
}

// Lines of {x, y, name}, in order of x; `at` marks a place on them.
function lineChart({points, names, title, domain, log, at, height}, width, theme, still) {
  const isLog = log && points.every((p) => p.y > 0), xName = report.history.columns[0];
  const few = (name) => points.filter((p) => p.name === name).length < 30;
  const text = (p) => `${spelled(p.name)}: ${format(p.y)}`;
  const now = names.map((name) => points.findLast((p) => p.name === name && p.x <= at));
  const svg =
      chart(
          {
            width,
            height,
            marginLeft: 48,
            marginRight: 14,
            marginBottom: 36,
            marginTop: names.length > 1 ? 34 : 14,
            x: {domain, label: xName, labelAnchor: "center", labelArrow: "none", ticks: width / 80},
            y: {
              label: null,
              type: isLog ? "log" : "linear",
              grid: true,
              ticks: 5,
              tickFormat: format
            },
            color: {domain: names, range: theme.series},
            marks:
                [
                  ...(at === undefined ? [] : [Plot.ruleX([at], {stroke: theme.muted})]),
                  Plot.lineY(points, {x: "x", y: "y", stroke: "name", strokeWidth: 1.8}),
                  Plot.dot(
                      points.filter((p) => few(p.name)), {x: "x", y: "y", fill: "name", r: 2.5}),
                  Plot.dot(now.filter(Boolean), {x: "x", y: "y", fill: "name", r: 5}),
                  ...(names.length > 1 ?
                          keyMarks(names.map(spelled), theme, width < 240 ? -44 : 0) :
                          []),
                  ...(still ? [] : [Plot
                                        .tip(
                                            points, Plot.pointerX({
                                              x: "x",
                                              y: "y",
                                              title: (p) => `${text(p)}\n${xName} ${p.x}`
                                            }))]),
                ],
          },
          theme, `${title} by ${xName}`);
  if (!still)
    reachable(svg, points, theme, {
      x: (p) => p.x,
      y: (p) => p.y,
      line: (p) => p.name,
      text: (p) => `${text(p)}, ${xName} ${p.x}`
    });
  return titled(svg, log && !isLog ? `${title} (linear: not all above 0)` : title, theme);
}

// The panel of some columns; `more` goes to lineChart().
function historyPanel(names, more, width, theme, still) {
  const {columns, rows} = report.history;
  const points = names.flatMap(
      (name) => rows.map((row) => ({x: row[0], y: row[columns.indexOf(name)], name}))
                    .filter((p) => isNumber(p.x) && isNumber(p.y)));
  const title = names.length > 1 ? "Loss" : spelled(names[0]);
  const domain = d3.extent(rows, (row) => row[0]);
  return lineChart({points, names, title, domain, height: 210, ...more}, width, theme, still);
}

const hasHistory = () => report.history?.rows.length > 0;

function addHistoryView() {
  if (!hasHistory()) return;
  const section =
      addSection("training", "Training", "What the training run wrote down as it went on.");
  const box = el("input", {type: "checkbox", id: "log-scale", change: () => figure.redraw()});
  section.append(el("label", {class: "check"}, box, " Logarithmic scale"));
  const figure = addFigure(
      section, "training", "Training history",
      ({width, theme, still}) => chartsInRows(
          width, still ? 190 : 300, theme, "Training history",
          historyPanels(report.history)
              .map(
                  (names) => (each) =>
                      historyPanel(names, {log: box.checked}, each, theme, still))));
}
