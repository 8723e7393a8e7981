"use strict";
// The chosen map, large: its values under the pointer and the arrow keys.

const kMapCells = 12000;  // more make blocks

const mapCursor = {row: 0, column: 0};

function mapLayout(width, axes) {
  const rows = axes.rows.tokens.length, columns = axes.columns.tokens.length;
  const widest = (axis) => d3.max(axis.tokens, (t) => textWidth(printable(t).slice(0, 60))) ?? 0;
  const left = Math.min(width * 0.26, 130, widest(axes.rows) + 4) + 8, labelRoom = Math.min(104, widest(axes.columns) + 4);
  // Labels of columns lean to the right and must end within the picture.
  const fits = axes.columns.tokens.map((t, c) => (width - left - 8 - 0.65 * Math.min(labelRoom, textWidth(printable(t)))) / (c + 0.5));
  const cell = Math.max(0.5, d3.min([38, (width - left - 4) / columns, ...fits]));
  return {rows, columns, left, cell, labelRoom, top: 30 + labelRoom * 0.77, cellHeight: Math.max(cell, Math.min(16, 900 / rows))};
}

// Leaves out labels where they would stand on each other.
const every = (step) => Math.max(1, Math.ceil(13 / step));

function drawMap({width, theme, still}) {
  if (!mapNow()) return null;
  const matrix = matrixNow(), axes = axesNow(), gold = goldNow(), at = mapLayout(width, axes);
  const scale = colourScale(matrix.flat(), theme, measureNow().signed);
  const bottom = at.top + at.rows * at.cellHeight + 12;
  const svg = picture(width, bottom + (gold.length ? 58 : 38), theme, `Map: ${choiceTitle()}, ${at.rows} rows, ${at.columns} columns`);
  drawMapLabels(svg, axes, at, theme);
  const body = svg.append("g").attr("transform", `translate(${at.left.toFixed(2)},${at.top.toFixed(2)})`);
  const {matrix: shown, block} = condensed(matrix, kMapCells);
  drawCells(body, shown, scale, at.cell * block, at.cellHeight * block, 48);
  drawGold(body, gold, at, theme);
  if (at.cell >= 30) drawNumbers(body, matrix, scale, at);
  drawLegend(svg, {x: 4, y: bottom, width: width - 8, scale, title: unitTitle(), theme});
  if (gold.length) svg.append("text").attr("x", 4).attr("y", bottom + 50).attr("fill", theme.muted).text(fit("outlined: gold links; dashed where only possible", width - 8));
  if (!still) listenToMap(svg, body, matrix, axes, at, theme);
  return svg.node();
}

function drawMapLabels(svg, axes, at, theme) {
  const rowStep = every(at.cellHeight), columnStep = every(at.cell);
  axes.rows.tokens.forEach((token, r) => {
    if (r % rowStep) return;
    appendToken(svg, token, at.left - 8, theme).attr("x", at.left - 6).attr("y", at.top + (r + 0.5) * at.cellHeight).attr("dy", "0.35em").attr("text-anchor", "end");
  });
  axes.columns.tokens.forEach((token, c) => {
    if (c % columnStep) return;
    appendToken(svg, token, at.labelRoom, theme)
      .attr("transform", `translate(${(at.left + (c + 0.5) * at.cell + 3).toFixed(1)},${(at.top - 6).toFixed(1)}) rotate(-50)`);
  });
  const kinds = `rows: ${axes.rows.kind}; columns: ${axes.columns.kind}`;
  svg.append("text").attr("x", 0).attr("y", 12).attr("fill", theme.muted).text(fit(kinds, Number(svg.attr("width"))));
}

function drawGold(body, gold, at, theme) {
  body.append("g").attr("fill", "none").attr("stroke", theme.ink).attr("stroke-width", Math.min(1.6, at.cell / 6)).selectAll("rect").data(gold).join("rect")
    .attr("x", (c) => (c.column * at.cell + 1).toFixed(1)).attr("y", (c) => (c.row * at.cellHeight + 1).toFixed(1))
    .attr("width", Math.max(1, at.cell - 2).toFixed(1)).attr("height", Math.max(1, at.cellHeight - 2).toFixed(1)).attr("stroke-dasharray", (c) => (c.sure ? null : "3 2"));
}

function drawNumbers(body, matrix, scale, at) {
  const fits = (c) => size(c.value) > 0.02 * scale.most && textWidth(brief(c.value), 10) < at.cell - 3;
  body.append("g").attr("font-size", 10).attr("text-anchor", "middle").selectAll("text").data(cellsOf(matrix).filter(fits)).join("text")
    .attr("x", (c) => ((c.column + 0.5) * at.cell).toFixed(1)).attr("y", (c) => ((c.row + 0.5) * at.cellHeight).toFixed(1)).attr("dy", "0.35em")
    .attr("fill", (c) => inkOn(scale.colour(c.value))).text((c) => brief(c.value));
}

function listenToMap(svg, body, matrix, axes, at, theme) {
  const cursor = body.append("rect").attr("width", at.cell).attr("height", at.cellHeight).attr("fill", "none")
    .attr("stroke", theme.series[1]).attr("stroke-width", 2).attr("visibility", "hidden");
  const show = (row, column) => {
    mapCursor.row = Math.max(0, Math.min(at.rows - 1, row));
    mapCursor.column = Math.max(0, Math.min(at.columns - 1, column));
    cursor.attr("visibility", "visible").attr("x", mapCursor.column * at.cell).attr("y", mapCursor.row * at.cellHeight);
    writeMapReadout(matrix, axes, mapCursor);
  };
  const hide = () => cursor.attr("visibility", "hidden");
  body.append("rect").attr("width", at.cell * at.columns).attr("height", at.cellHeight * at.rows).attr("fill", "transparent")
    .on("pointermove click", (event) => {
      const [x, y] = d3.pointer(event);
      show(Math.floor(y / at.cellHeight), Math.floor(x / at.cell));
    }).on("pointerleave", hide);
  svg.attr("tabindex", 0).attr("role", "application").attr("aria-roledescription", "heat map").attr("data-key", "map").attr("aria-describedby", "map-how")
    .on("focus", () => svg.node().matches(":focus-visible") && show(mapCursor.row, mapCursor.column)).on("blur", hide)
    .on("keydown", (event) => {
      const {row, column} = mapCursor;
      const to = {ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
                  Home: [row, 0], End: [row, at.columns - 1]}[event.key];
      if (!to) return;
      event.preventDefault();
      show(...to);
    });
}

function writeMapReadout(matrix, axes, {row, column}) {
  const isGold = goldNow().find((c) => c.row === row && c.column === column);
  document.getElementById("map-readout").replaceChildren(
    tokenElement(axes.rows.tokens[row]), ` (row ${row + 1}) and `, tokenElement(axes.columns.tokens[column]), ` (column ${column + 1}): `,
    el("strong", {}, format(matrix[row][column])), measureNow().unit ? ` ${measureNow().unit}` : "",
    isGold ? (isGold.sure ? ", a gold link" : ", a possible gold link") : "");
}

function addMapView() {
  const section = addSection("map", "The map", "Every number of the chosen layer and head: a row looks at a column.");
  const idle = "Point at a cell, or reach the map with Tab and move with the arrow keys, to read its number.";
  const readout = el("p", {id: "map-readout", class: "readout-line", "aria-live": "polite"});
  section.append(el("p", {id: "map-how", class: "how"}, idle), readout);
  const title = () => choiceTitle() + (condensed(matrixNow(), kMapCells).block > 1 ? "; each cell drawn is the largest of a block" : "");
  const figure = addFigure(section, "map", title, drawMap);
  choiceListeners.push(() => {
    readout.replaceChildren();
    figure.redraw();
  });
}
