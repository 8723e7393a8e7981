"use strict";
// A chart of lines over training, with the numbers under a cursor that all charts share; without it
// those of the moment, or the latest.

const kChartHeight = 220, kMargin = {
  left: 48,
  right: 20,
  top: 8,
  bottom: 34
};

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(Infinity));
  return element;
}

// Of the points that share a column of pixels the first, the least, the largest and the last.
function thinned(points, x) {
  if (points.length < 2000) return points;
  const columns = new Map();
  points.forEach((point, i) => {
    const key = Math.floor(x(point.x)), column = columns.get(key);
    if (!column) return columns.set(key, {first: i, least: i, most: i, last: i});
    if (point.y < points[column.least].y) column.least = i;
    if (point.y > points[column.most].y) column.most = i;
    column.last = i;
  });
  return [...columns.values()].flatMap(
      ({first, least, most, last}) => [...new Set([first, least, most, last])]
                                          .sort((a, b) => a - b)
                                          .map((i) => points[i]));
}

const pathOf = (points, x, y) =>
    points.map((p, i) => `${i ? "L" : "M"}${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}`).join("");

// The last point at or before x; without x the last of all.
function pointAt(points, x) {
  if (x === null) return points.at(-1);
  let low = 0, high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].x <= x)
      low = middle + 1;
    else
      high = middle;
  }
  return points[low - 1];
}

const cursor = {
  x: null,
  charts: new Set(),
  move(x) {
    cursor.x = x;
    cursor.charts.forEach((chart) => chart.showCursor());
  }
};

// Draws lines of {run, name, points: [{x, y}], dots, faint}, in the order of x.
class Chart {
  constructor(title, note) {
    this.canvas = el("div", {class: "canvas"});
    this.readout = el("figcaption", {class: "numbers"});
    this.element = el(
        "figure", {class: "chart"}, el("h3", {}, title, note ? el("small", {}, ` ${note}`) : null),
        this.canvas, this.readout);
    this.title = title;
    this.spec = null;
    cursor.charts.add(this);
  }

  // x: {domain, name, text}; mark: where the moment is, or null.
  draw(spec) {
    this.spec = spec;
    const width = Math.max(200, this.canvas.clientWidth);
    const xs = [kMargin.left, width - kMargin.right];
    const ys = [kChartHeight - kMargin.bottom, kMargin.top];
    const log = spec.log,
          lines = spec.lines.map(
              (line) =>
                  ({...line, points: log ? line.points.filter((p) => p.y > 0) : line.points}));
    const domain = extent(lines.flatMap((line) => line.points.map((p) => p.y)), log);
    this.x = scaleOf(spec.x.domain, xs, false, Math.max(2, width / 90));
    this.y = scaleOf(roomy(domain ?? [0, 1], log && domain), ys, log && domain !== null, 4);
    const drawn = lines.map((line) => this.line(line));
    const picture =
        svg("svg", {
          width,
          height: kChartHeight,
          viewBox: `0 0 ${width} ${kChartHeight}`,
          tabindex: 0,
          role: "img",
          "aria-label": `${this.title} by ${spec.x.name}`
        },
            this.axes(xs, ys), drawn, this.momentMark(ys));
    this.rule = svg("line", {class: "rule", y1: ys[1], y2: ys[0]});
    picture.append(this.rule);
    this.listen(picture);
    const focused = this.canvas.contains(document.activeElement);
    this.canvas.replaceChildren(picture);
    if (focused) picture.focus();
    this.showCursor();
  }

  axes([left, right], [bottom]) {
    const across = this.y.ticks.map(
        ({value, text}) =>
            [svg("line",
                 {class: "grid", x1: left, x2: right, y1: this.y(value), y2: this.y(value)}),
             svg("text", {x: left - 6, y: this.y(value), dy: "0.35em", "text-anchor": "end"},
                 text)]);
    const along = this.x.ticks.map(
        ({value, text}) =>
            svg("text", {x: this.x(value), y: bottom + 14, "text-anchor": "middle"}, text));
    const name =
        svg("text", {class: "axis", x: (left + right) / 2, y: bottom + 30, "text-anchor": "middle"},
            this.spec.x.name);
    return svg("g", {class: "axes"}, across, along, name);
  }

  line({run, points, dots, faint}) {
    const path = svg("path", {d: pathOf(thinned(points, this.x), this.x, this.y)});
    const marks = dots && points.length < 80 ? points : points.slice(0, points.length === 1);
    const circles = marks.map((p) => svg("circle", {cx: this.x(p.x), cy: this.y(p.y), r: 2.4}));
    const kind = `${runClass(run)} line${dots ? " strong" : ""}${faint ? " faint" : ""}`;
    return svg("g", {class: kind}, path, circles);
  }

  momentMark([bottom, top]) {
    if (this.spec.mark === null) return [];
    const x = this.x(this.spec.mark);
    return [svg("line", {class: "moment", x1: x, x2: x, y1: top, y2: bottom})];
  }

  showCursor() {
    if (!this.spec) return;
    const {domain, text} = this.spec.x;
    const at = cursor.x ?? this.spec.mark;
    const x = at === null ? null : Math.min(domain[1], Math.max(domain[0], at));
    this.rule.setAttribute("visibility", cursor.x === null ? "hidden" : "visible");
    if (x !== null) ["x1", "x2"].forEach((name) => this.rule.setAttribute(name, this.x(x)));
    const byRun = Map.groupBy(this.spec.lines.filter((line) => !line.faint), (line) => line.run);
    this.readout.replaceChildren(
        el("span", {class: "at"}, x === null ? "latest" : text(x)),
        ...[...byRun].map(([run, lines]) => this.numbers(run, lines, x)));
  }

  numbers(run, lines, x) {
    const texts = lines.map(({name, points}) => {
      const point = pointAt(points, x);
      return point ? `${name ? `${name} ` : ""}${shortNumber(point.y)}` : "";
    });
    return el("span", {class: "value"}, runName(run), " ", texts.filter(Boolean).join(", ") || "–");
  }

  // By pointer, or by arrow keys: 40 of them cross the chart.
  listen(picture) {
    picture.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      cursor.move(this.x.back(event.clientX - box.left));
    });
    picture.addEventListener("pointerleave", () => cursor.move(null));
    picture.addEventListener("blur", () => cursor.move(null));
    picture.addEventListener("keydown", (event) => {
      const [least, most] = this.spec.x.domain, at = cursor.x ?? most, step = (most - least) / 40;
      const to = {
        ArrowLeft: at - step,
        ArrowRight: at + step,
        Home: least,
        End: most,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      cursor.move(Math.min(most, Math.max(least, to)));
      document.getElementById("said").textContent = this.readout.textContent;
    });
  }
}
