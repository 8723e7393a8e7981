"use strict";
// Charts by Observable Plot: bars of tokens, heads, pruning.

function chart(options, theme, label) {
  const svg = Plot.plot({
    ...options,
    ariaLabel: label,
    className: "plot",
    style: `color: ${theme.ink}; background: transparent; overflow: visible; --plot-background: ${
        theme.paper};`,
  });
  // Within another picture only what is drawn meets the pointer.
  d3.select(svg)
      .insert("rect", "*")
      .attr("width", options.width)
      .attr("height", options.height)
      .attr("fill", "none")
      .attr("pointer-events", "all");
  return d3.select(svg)
      .attr("role", "img")
      .attr("aria-label", label)
      .attr("font-family", kFont)
      .attr("font-size", 11)
      .node();
}

const chartCursors = new Map();  // by label: {line, at}

// Makes the numbers of a chart readable with the arrow keys: along a line of `points`, and from one
// line to the next. x, y, line and text tell of a point, and where there are facets, how far below
// the first one it is; points of a line are in order.
function reachable(svg, points, theme, {x, y, line, text, below = () => 0}) {
  const lines = d3.groups(points, line).map(([, list]) => list), last = lines.length - 1;
  if (last < 0) return;
  const label = svg.getAttribute("aria-label"), width = Number(svg.getAttribute("width"));
  const cursor = chartCursors.get(label) ?? {line: 0, at: 0};
  chartCursors.set(label, cursor);
  const mark =
      d3.select(svg).append("g").attr("visibility", "hidden").attr("pointer-events", "none");
  const ring = mark.append("circle").attr("r", 6).attr("fill", "none").attr("stroke-width", 2);
  ring.attr("stroke", theme.ink);
  const words = mark.append("text").attr("font-weight", 600).attr("paint-order", "stroke");
  words.attr("fill", theme.ink).attr("stroke", theme.paper).attr("stroke-width", 5);
  const along = (name, value) => {
    const scale = svg.scale(name);
    return scale.apply(value) + (scale.bandwidth ?? 0) / 2;
  };
  const show = () => {
    cursor.line = Math.max(0, Math.min(last, cursor.line));
    const list = lines[cursor.line];
    cursor.at = Math.max(0, Math.min(list.length - 1, cursor.at));
    const point = list[cursor.at], px = along("x", x(point)),
          py = along("y", y(point)) + below(point);
    mark.attr("visibility", "visible");
    ring.attr("cx", px).attr("cy", py);
    const said = fit(text(point), width, 12), half = textWidth(said) * 0.54;
    words.text(said)
        .attr("text-anchor", "middle")
        .attr("x", Math.max(half, Math.min(width - half, px)))
        .attr("y", py > 26 ? py - 12 : py + 22);
    document.getElementById("said").textContent = text(point);
  };
  const step = (by) => () => (cursor.at += by);
  const turn = (by) => () => (last === 0 ? (cursor.at += by) : (cursor.line += by));
  const acts = {
    ArrowLeft: step(-1),
    ArrowRight: step(1),
    ArrowUp: turn(-1),
    ArrowDown: turn(1),
    Home: () => (cursor.at = 0),
    End: () => (cursor.at = Infinity)
  };
  d3.select(svg)
      .attr("tabindex", 0)
      .attr("role", "application")
      .attr("aria-roledescription", "chart")
      .attr("data-key", label)
      .on("focus", () => svg.matches(":focus-visible") && show())
      .on("blur", () => mark.attr("visibility", "hidden"))
      .on("keydown", (event) => {
        if (!acts[event.key]) return;
        event.preventDefault();
        acts[event.key]();
        show();
      });
}

// Charts of the same width beside each other, as many as the page has room for.
function chartsInRows(width, least, theme, label, makers) {
  const gap = width < 500 ? 12 : 24,
        columns =
            Math.max(1, Math.min(makers.length, 3, Math.floor((width + gap) / (least + gap))));
  const each = Math.floor((width - gap * (columns - 1)) / columns);
  return arrange(makers.map((make) => make(each)), columns, gap, theme, label);
}

const fitsBold = (text, width) => 1.1 * textWidth(text) <= width;

// A text above a chart, as a part of the picture.
function titled(svg, text, theme) {
  const width = Number(svg.getAttribute("width")), height = Number(svg.getAttribute("height"));
  const all = picture(width, height + 20, theme, text);
  all.append("text")
      .attr("x", 0)
      .attr("y", 13)
      .attr("font-weight", 600)
      .text(fit(text, width / 1.1));
  d3.select(svg).attr("y", 20).attr("x", 0);
  all.node().append(svg);
  return all.node();
}

// --- tokens ---

// {title, side, values} of every measure that gives a number to each token, and log-probabilities.
function tokenNumbers(sentence) {
  const logProbs =
      {title: "Log-probability", side: "target", values: sentence.log_probs, unit: "nats"};
  return [
    ...sentence.tokens.map((t) => ({
                             title: labelOf(t.measure),
                             side: t.side,
                             values: t.values,
                             unit: report.measures[t.measure]?.unit,
                             error: t.completeness_error
                           })),
    logProbs
  ];
}

function tokenBars({title, side, values, unit}, sentence, width, theme, still) {
  const tokens = side === "source" ? sentence.source : sentence.predicted;
  const rows = tokens.map((token, index) => ({index, token, value: values[index]}))
                   .filter((d) => isNumber(d.value));
  const widest = d3.max(tokens, (t) => textWidth(printable(t).slice(0, 40), 11)) ?? 0;
  const marginLeft = Math.min(width * 0.34, widest + 10);
  const [least, most] = [
    Math.min(0, d3.min(rows, (d) => d.value) ?? 0), Math.max(0, d3.max(rows, (d) => d.value) ?? 0)
  ];
  const numberWidth = 40, sides = (least < 0) + (most > 0), frame = width - marginLeft - 4;
  const room = ((most - least || 1) * numberWidth) /
      Math.max(20, frame - sides * numberWidth);  // beside the bars, in their units
  const number = (dx, textAnchor, keep) => Plot.text(
      rows.filter(keep),
      {x: "value", y: "index", text: (d) => format(d.value), dx, textAnchor, fontSize: 10});
  const svg = chart(
      {
        width,
        height: tokens.length * 17 + 46,
        marginLeft,
        marginRight: 4,
        marginTop: 24,
        marginBottom: 20,
        y: {
          domain: range(tokens.length),
          tickFormat: (i) => fit(printable(tokens[i]), marginLeft - 8, 11),
          label: null,
          tickSize: 0,
          padding: 0.25
        },
        x: {
          domain: [least < 0 ? least - room : 0, most > 0 ? most + room : 0],
          grid: true,
          label: null,
          ticks: Math.max(2, width / 90),
          axis: "top",
          tickFormat: format
        },
        marks: [
          Plot.barX(rows, {
            x: "value",
            y: "index",
            fill: (d) => (d.value < 0 ? theme.negative[3] : theme.positive[3])
          }),
          Plot.ruleX([0]),
          number(4, "start", (d) => d.value >= 0),
          number(-4, "end", (d) => d.value < 0),
        ],
      },
      theme, `${title} of each ${side} token`);
  if (!still)
    reachable(svg, rows, theme, {
      x: (d) => d.value,
      y: (d) => d.index,
      line: () => 0,
      text: (d) => `${printable(d.token)}: ${format(d.value)}`
    });
  const long = `${title}${unit ? `, ${unit}` : ""} (${side})`;
  return titled(svg, fitsBold(long, width) ? long : `${title} (${side})`, theme);
}

function drawTokens({width, theme, still}) {
  const sentence = sentenceNow();
  return chartsInRows(
      width, still ? 190 : 280, theme, "Numbers of tokens",
      tokenNumbers(sentence).map(
          (numbers) => (each) => tokenBars(numbers, sentence, each, theme, still)));
}

function addTokensView() {
  const section = addSection(
      "tokens", "Token by token",
      "One number for each token; of the target, for the token that is produced.");
  const sums = el("div", {class: "quiet"});
  const figure = addFigure(
      section, "tokens", () => `Numbers of tokens, sentence ${choice.sentence + 1}`, drawTokens);
  section.append(sums);
  choiceListeners.push(() => {
    figure.redraw();
    const known = tokenNumbers(sentenceNow()).filter((t) => isNumber(t.error));
    sums.replaceChildren(...known.map(
        (t) =>
            el("p", {},
               `${t.title}: what the numbers should sum to differs from their sum by ${
                   format(t.error)}${t.unit ? ` ${t.unit}` : ""}.`)));
  });
}

// --- heads ---

const kHeadNumbers = ["importance", "entropy", "distance"];

function headMap(title, table, width, theme, still) {
  const cells = cellsOf(table), across = d3.max(table, (row) => row.length);
  const marginRight = Math.max(2, width - 34 - 72 * across);  // few heads need no wide cells
  const scale = colourScale(table.flat(), theme, false), fits = (width - 36) / across > 22;
  const svg = chart(
      {
        width,
        height: table.length * 28 + 42,
        marginLeft: 34,
        marginTop: 34,
        marginRight,
        marginBottom: 4,
        x: {
          domain: range(across),
          tickFormat: (i) => i + 1,
          label: "head",
          axis: "top",
          tickSize: 0
        },
        y: {domain: range(table.length), tickFormat: (i) => i + 1, label: "layer", tickSize: 0},
        marks: [
          Plot.cell(cells, {x: "column", y: "row", inset: 0.5, fill: (c) => scale.colour(c.value)}),
          Plot.text(fits ? cells : [], {
            x: "column",
            y: "row",
            text: (c) => brief(c.value),
            fontSize: (width - 36) / across > 34 ? 11 : 9,
            fill: (c) => inkOn(scale.colour(c.value))
          }),
        ],
      },
      theme, title);
  if (!still)
    reachable(svg, cells, theme, {
      x: (c) => c.column,
      y: (c) => c.row,
      line: (c) => c.row,
      text: (c) => `layer ${c.row + 1}, head ${c.column + 1}: ${format(c.value)}`
    });
  return titled(svg, fits ? title : `${title}, up to ${brief(scale.most)}`, theme);
}

function drawHeads({width, theme, still}) {
  const makers = report.heads.flatMap(
      (place) => kHeadNumbers.filter((key) => place[key]?.flat().some(isNumber))
                     .map(
                         (key) => (each) =>
                             headMap(`${place.place}: ${key}`, place[key], each, theme, still)));
  return chartsInRows(
      width, still ? 120 : 200, theme, "Importance, entropy and distance of heads", makers);
}

const pruningMetrics = () => [...new Set(report.pruning.map((curve) => curve.metric))];

function pruningPanel(metric, width, theme, still) {
  const curves = report.pruning.filter((curve) => curve.metric === metric);
  const points = curves.flatMap(({order, points: list}) => list.map((p) => ({...p, order})));
  const orders = curves.map((curve) => curve.order);
  const name = {importance: "least important first", random: "random order"};
  const words = (d) => `${d.kept} heads, ${name[d.order] ?? d.order}: ${format(d.value)}`;
  const svg = chart(
      {
        width,
        height: 270,
        marginLeft: 46,
        marginRight: 14,
        marginBottom: 38,
        marginTop: 44,
        x: {label: "heads kept →", labelAnchor: "center", labelArrow: "none", ticks: width / 80},
        y: {label: `↑ ${metric}`, labelArrow: "none", grid: true, zero: true, tickFormat: format},
        color: {domain: orders, range: theme.series},
        symbol: {domain: orders, range: ["circle", "square", "triangle", "diamond"]},
        marks: [
          Plot.lineY(
              points, {x: "kept", y: "value", stroke: "order", strokeWidth: 2, sort: "kept"}),
          Plot.dot(points, {x: "kept", y: "value", fill: "order", symbol: "order", r: 4}),
          ...keyMarks(orders.map((o) => name[o] ?? o), theme, 0),
          ...(still ? [] :
                      [Plot.tip(points, Plot.pointerX({x: "kept", y: "value", title: words}))]),
        ],
      },
      theme, `${metric} by the number of heads kept`);
  const shown = d3.sort(points.filter((d) => isNumber(d.value)), (d) => d.kept);
  if (!still)
    reachable(
        svg, shown, theme,
        {x: (d) => d.kept, y: (d) => d.value, line: (d) => d.order, text: words});
  return svg;
}

function drawPruning({width, theme, still}) {
  const makers =
      pruningMetrics().map((metric) => (each) => pruningPanel(metric, each, theme, still));
  return chartsInRows(
      Math.min(width, 640 * makers.length), 300, theme, "By the number of heads kept", makers);
}

// What colour and sign stand for, above a chart's frame, from `start` px right of its left: up to
// four names.
function keyMarks(names, theme, start) {
  const texts = names.map((name, i) => `${"●■▲◆"[i % 4]} ${name}`);
  const at = (i) => start + d3.sum(texts.slice(0, i), (text) => 1.08 * textWidth(text, 11) + 16);
  return texts.map((text, i) => Plot.text([text], {
    frameAnchor: "top-left",
    dx: at(i),
    dy: -22,
    textAnchor: "start",
    fill: theme.series[i % 4],
    fontWeight: 600
  }));
}

function addHeadsView() {
  if (report.heads.length === 0 && report.pruning.length === 0) return;
  const section = addSection(
      "heads", "Heads",
      "What each head does, as a mean over sentences" +
          (report.pruning.length ? ", and how the model does with fewer of them" : "") +
          ". Entropy is in nats, distance in positions.");
  if (report.heads.length)
    addFigure(
        section, "heads",
        "Importance, entropy and distance of every head; each map has its own scale of colours",
        drawHeads);
  if (report.pruning.length === 0) return;
  section.append(
      el("h3", {}, "Without heads"),
      el("p", {class: "lead"},
         "Heads of all places are taken out, in two orders; the better the measure of " +
             "importance, the longer its curve stays up."));
  addFigure(
      section, "pruning",
      `${pruningMetrics().map(spelled).join(" and ")} by the number of heads kept`, drawPruning);
}
