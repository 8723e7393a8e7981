"use strict";
// The sentence view: columns at the left, rows at the right, and a link for each number of the map.

const kMostLinks = 400;
const kLinkStep = 24;

const tokenShown = {
  pinned: null,
  over: null
};  // {side: "row" or "column", index}
const shownToken = () => tokenShown.over ?? tokenShown.pinned;
const sameToken = (a, b) => a !== null && b !== null && a.side === b.side && a.index === b.index;

// The links to draw, weakest first: those of a token, or the strongest of all.
function linksToDraw(matrix, token) {
  const cells = cellsOf(matrix).filter((c) => token === null || c[token.side] === token.index);
  const most = d3.max(cells, (c) => size(c.value)) || 1;
  return cells.filter((c) => size(c.value) > 0.02 * most)
      .sort((a, b) => size(a.value) - size(b.value))
      .slice(-kMostLinks);
}

function describeToken(axes, {side, index}) {
  const axis = side === "row" ? axes.rows : axes.columns;
  return {
    token: axis.tokens[index],
    kind: axis.kind,
    place: `${index + 1} of ${axis.tokens.length}`
  };
}

function drawLinks({width, theme, still}) {
  if (!mapNow()) return null;
  const matrix = matrixNow(), axes = axesNow(), gold = goldNow();
  const scale = colourScale(matrix.flat(), theme, measureNow().signed);
  const full = Math.min(width, 640), rows = axes.rows.tokens.length,
        columns = axes.columns.tokens.length;
  const widest = d3.max(
                     [...axes.rows.tokens, ...axes.columns.tokens],
                     (t) => textWidth(printable(t).slice(0, 60))) ??
      0;
  const label = Math.min(full * 0.31, Math.max(60, widest + 4)), top = 30;
  const foot = top + Math.max(rows, columns) * kLinkStep + 12;
  const svg =
      picture(full, foot + (gold.length ? 60 : 40), theme, `Links of tokens: ${choiceTitle()}`);
  const left = label + 6, right = full - label - 6;
  const y = (index) => top + (index + 0.5) * kLinkStep;
  drawKinds(svg, axes, left, right, full, theme);
  const links = svg.append("g").attr("fill", "none");
  const path = (c) => {
    const [a, b, bend] =
        [y(c.column), y(c.row), (right - left) * 0.4].map((n) => Math.round(n * 10) / 10);
    const [from, out, into, to] = [left, left + bend, right - bend, right].map((x) => x.toFixed(1));
    return `M${from} ${a}C${out} ${a} ${into} ${b} ${to} ${b}`;
  };
  const goldLines = svg.append("g").attr("fill", "none").attr("stroke", theme.ink);
  const values = svg.append("g").attr("font-size", 11), tokens = svg.append("g");
  const parts = {svg, links, values, goldLines, tokens}, places = {left, right, y, path};
  const figure = {matrix, axes, gold, scale, theme, ...parts, ...places};
  drawTokenLabels(figure, label, still);
  drawLegend(svg, {x: 4, y: foot, width: full - 8, scale, title: unitTitle(), theme});
  if (gold.length) drawGoldKey(svg, 4, foot + 50, theme);
  const update = () => showLinks(figure);
  update();
  if (!still) listenToTokens(figure, update);
  return svg.node();
}

// What the tokens of each side are.
function drawKinds(svg, axes, left, right, width, theme) {
  const add = (x, anchor, kind) => svg.append("text")
                                       .attr("x", x)
                                       .attr("y", 14)
                                       .attr("text-anchor", anchor)
                                       .attr("fill", theme.muted)
                                       .text(kind);
  add(left - 6, "end", fit(axes.columns.kind, width / 2 - 10));
  add(Math.min(right + 6, width - textWidth(axes.rows.kind)), "start", axes.rows.kind);
}

function drawGoldKey(svg, x, y, theme) {
  svg.append("text")
      .attr("x", x)
      .attr("y", y)
      .attr("fill", theme.muted)
      .text("gold links: dashed; dotted where only possible");
}

function drawTokenLabels({svg, axes, y, left, right, tokens, theme, matrix}, label, still) {
  const add = (side, axis, x, anchor) => axis.tokens.forEach((token, index) => {
    const group = tokens.append("g").datum({side, index});
    if (!still) {
      const values = side === "row" ? matrix[index] ?? [] : matrix.map((row) => row[index]);
      group.attr("data-key", `${side} ${index}`)
          .attr("class", "pick")
          .attr("tabindex", -1)
          .attr("role", "option")
          .attr("aria-selected", "false")
          .attr(
              "aria-label",
              `${printable(token)}, ${axis.kind}, ${index + 1} of ${axis.tokens.length}; largest ${
                  format(d3.max(finite(values), Math.abs))}`);
      group.append("rect")
          .attr("x", side === "row" ? x - 4 : 0)
          .attr("y", y(index) - kLinkStep / 2 + 1)
          .attr("rx", 4)
          .attr("width", label + 4)
          .attr("height", kLinkStep - 2)
          .attr("fill", "transparent");
    }
    appendToken(group, token, label, theme)
        .attr("x", x)
        .attr("y", y(index))
        .attr("dy", "0.35em")
        .attr("text-anchor", anchor);
  });
  add("column", axes.columns, left - 6, "end");
  add("row", axes.rows, right + 6, "start");
  if (!still) {
    svg.attr("role", "listbox")
        .attr("aria-describedby", "links-how")
        .attr("aria-multiselectable", null);
    const first = tokens.selectAll("g.pick").filter((d) => sameToken(d, tokenShown.pinned));
    (first.empty() ? tokens.select("g.pick") : first).attr("tabindex", 0);
  }
}

// Links and numbers of the token that is pointed at, else of all.
function showLinks(figure) {
  const {matrix, gold, scale, theme, left, right, y, path, links, values, goldLines, tokens} =
      figure;
  const token = shownToken(), drawn = linksToDraw(matrix, token);
  const strength = (c) => Math.min(1, size(c.value) / scale.most);
  links.selectAll("path")
      .data(drawn)
      .join("path")
      .attr("d", path)
      .attr(
          "stroke",
          (c) =>
              d3.color(scale.colour(Math.sign(c.value) * scale.most * (0.45 + 0.4 * strength(c))))
                  .formatHex())
      .attr("stroke-width", (c) => (0.6 + 5.4 * strength(c)).toFixed(1))
      .attr("stroke-opacity", (c) => (token ? 0.95 : 0.12 + 0.83 * strength(c)).toFixed(2));
  const goldHere = gold.filter((c) => token === null || c[token.side] === token.index);
  goldLines.selectAll("path")
      .data(goldHere)
      .join("path")
      .attr("d", path)
      .attr("stroke-width", 1.2)
      .attr("stroke-dasharray", (c) => (c.sure ? "5 3" : "1.5 3"))
      .attr("stroke-opacity", token ? 1 : 0.55);
  const other = token?.side === "row" ? "column" : "row";
  const atRight = other === "row";
  values.selectAll("text")
      .data(token ? drawn : [])
      .join("text")
      .attr("x", atRight ? right - 5 : left + 5)
      .attr("y", (c) => y(c[other]))
      .attr("dy", "0.35em")
      .attr("text-anchor", atRight ? "end" : "start")
      .attr("fill", theme.ink)
      .attr("stroke", theme.paper)
      .attr("stroke-width", 6)
      .attr("stroke-linejoin", "round")
      .attr("paint-order", "stroke")
      .text((c) => format(c.value));
  const linked = new Set(drawn.map((c) => c[other]));
  tokens.selectAll("g")
      .attr(
          "opacity",
          (d) =>
              (token === null || sameToken(d, token) || (d.side === other && linked.has(d.index)) ?
                   1 :
                   0.6))
      .attr("font-weight", (d) => (sameToken(d, token) ? 700 : 400));
}

function listenToTokens(figure, update) {
  const picks = figure.tokens.selectAll("g.pick");
  const over = (token) => {
    tokenShown.over = token;
    update();
    writeTokenReadout(figure.matrix, figure.axes);
  };
  const pin = (token) => {
    tokenShown.pinned = sameToken(token, tokenShown.pinned) ? null : token;
    picks.attr("aria-selected", (d) => String(sameToken(d, tokenShown.pinned)));
    over(tokenShown.pinned ? token : null);
  };
  const focus = ({side, index}) => {
    const count = (side === "row" ? figure.axes.rows : figure.axes.columns).tokens.length;
    const at = Math.max(0, Math.min(count - 1, index));
    picks.attr("tabindex", (d) => (sameToken(d, {side, index: at}) ? 0 : -1))
        .filter((d) => sameToken(d, {side, index: at}))
        .node()
        ?.focus();
  };
  picks.attr("aria-selected", (d) => String(sameToken(d, tokenShown.pinned)))
      .on("pointerenter", (event, d) => event.pointerType === "mouse" && over(d))
      .on("pointerleave", () => over(null))
      .on("focus", (_, d) => over(d))
      .on("blur", () => over(null))
      .on("click", (_, d) => pin(d))
      .on("keydown", (event, d) => {
        const act = {
          ArrowDown: () => focus({...d, index: d.index + 1}),
          ArrowUp: () => focus({...d, index: d.index - 1}),
          Home: () => focus({...d, index: 0}),
          End: () => focus({...d, index: Infinity}),
          ArrowLeft: () => focus({...d, side: "column"}),
          ArrowRight: () => focus({...d, side: "row"}),
          Enter: () => pin(d),
          " ": () => pin(d),
          Escape: () => pin(tokenShown.pinned),
        }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
      });
}

// Beside the picture: the numbers of the token, largest first.
function writeTokenReadout(matrix, axes) {
  const host = document.getElementById("token-readout"), token = shownToken();
  if (token === null) {
    host.replaceChildren(
        el("p", {class: "quiet"}, "No token is chosen: the picture shows the links of all."));
    return;
  }
  const {token: text, kind, place} = describeToken(axes, token);
  const other = token.side === "row" ? "column" : "row",
        others = token.side === "row" ? axes.columns : axes.rows;
  const cells = cellsOf(matrix)
                    .filter((c) => c[token.side] === token.index)
                    .sort((a, b) => size(b.value) - size(a.value))
                    .slice(0, 10);
  const {log_probs: logProbs} = sentenceNow();
  const produced = token.side === "row" && choice.offset === "output" &&
      (choice.place === "cross" || choice.place === "decoder");
  host.replaceChildren(
      el("h3", {}, tokenElement(text)), el("p", {class: "quiet"}, `${kind}, ${place}`),
      produced ? el("p", {}, `Log-probability ${format(logProbs[token.index])}`) :
                 el("p", {hidden: true}),
      el("table", {},
         el("thead", {},
            el("tr", {}, el("th", {scope: "col"}, others.kind),
               el("th", {scope: "col", class: "number"}, measureNow().unit || "value"))),
         el("tbody", {},
            cells.map(
                (c) =>
                    el("tr", {}, el("td", {}, tokenElement(others.tokens[c[other]])),
                       el("td", {class: "number"}, format(c.value)))))));
}

function addLinksView() {
  const section = addSection(
      "sentence", "The sentence",
      "The larger the number, the thicker the link; it goes from what is looked at to what looks.");
  const count = () => cellsOf(matrixNow()).length;
  const how =
      el("p", {id: "links-how", class: "how"},
         "Point at a token, or reach it with Tab and the arrow keys, to see its links alone; a " +
             "click or Enter keeps them, Escape lets go.");
  const left = el("div", {});
  section.append(
      how,
      el("div", {class: "split"}, left,
         el("div", {id: "token-readout", class: "readout", "aria-live": "polite"})));
  const title = () => choiceTitle() +
      (count() > kMostLinks ? `; the strongest ${kMostLinks} of ${count()} links` : "");
  const figure = addFigure(left, "links", title, drawLinks);
  choiceListeners.push(() => {
    tokenShown.pinned = tokenShown.over = null;
    figure.redraw();
    if (mapNow()) writeTokenReadout(matrixNow(), axesNow());
  });
}
