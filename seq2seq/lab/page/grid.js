"use strict";
// The map of every layer and head, small; one is chosen for the other views.

const kGridCells = 12000;  // of all small maps together: more make blocks

// Draws a matrix from (0, 0) with cells of w x h: a path for each of `levels` colours, so that a
// picture stays small. Those next to nothing are left to the ground.
function drawCells(svg, matrix, scale, w, h, levels = 24) {
  const [rows, columns] = shapeOf(matrix), byColour = new Map(), round = d3.format(".2~f");
  svg.append("rect")
      .attr("width", round(columns * w))
      .attr("height", round(rows * h))
      .attr("fill", d3.color(scale.colour(0)).formatHex());
  const level = (value) => (isNumber(value) ? Math.round((value / scale.most) * levels) : 0);
  for (const r of range(rows))
    for (let c = 0; c < columns;) {
      const at = level(matrix[r][c]);
      let end = c + 1;
      while (end < columns && level(matrix[r][end]) === at) ++end;
      if (at !== 0)
        byColour.set(at, `${byColour.get(at) ?? ""}M${c} ${r}h${end - c}v1h${c - end}z`);
      c = end;
    }
  const cells = svg.append("g")
                    .attr("transform", `scale(${w.toFixed(3)},${h.toFixed(3)})`)
                    .attr("shape-rendering", "crispEdges");
  for (const [at, path] of byColour)
    cells.append("path").attr("d", path).attr(
        "fill", d3.color(scale.colour((at / levels) * scale.most)).formatHex());
}

// {layer, head, matrix} by rows of layers, the mean last in each direction.
function gridEntries(map) {
  const indices = (count) => (count === 1 ? [0] : [...range(count), null]);
  return indices(map.layers.length)
      .map(
          (layer) => indices(map.layers[0].length)
                         .map((head) => ({layer, head, matrix: matrixOf(map, layer, head)})));
}

const gridLabel = ({layer, head}) => `${numbered("layer", layer)}, ${numbered("head", head)}`;

// Of each small map.
function mostCells({layers}) {
  const maps = (layers.length + (layers.length > 1)) * (layers[0].length + (layers[0].length > 1));
  return Math.max(1, Math.floor(kGridCells / maps));
}

function gridTitle() {
  const map = mapNow(), blocks = condensed(map.layers[0][0], mostCells(map)).block > 1;
  return `${measureNow().label}, ${choice.place}, every layer and head${
      blocks ? "; each cell drawn is the largest of a block" : ""}`;
}

function drawGrid({width, theme, still}) {
  const map = mapNow();
  if (!map || map.layers.length * map.layers[0].length === 1) return null;
  const entries = gridEntries(map), across = entries[0].length;
  const [rows, columns] = shapeOf(entries[0][0].matrix);
  const scale = colourScale(map.layers.flat(3), theme, measureNow().signed);
  const left = 46, top = 22, gap = across > 10 ? 3 : 8;
  const side = Math.min(150, (width - left - 4) / across - gap);
  const height = Math.max(side * 0.4, Math.min(side * 1.6, (side * rows) / columns));
  const total = top + entries.length * (height + gap) + 8;
  const svg = picture(
      width, total + 38, theme,
      `Small maps of every layer and head: ${measureNow().label}, ${choice.place}`);
  const x = (h) => left + h * (side + gap), y = (l) => top + l * (height + gap);
  const name = (index) => (index === null ? "mean" : String(index + 1));
  svg.append("text").attr("x", 0).attr("y", 12).attr("fill", theme.muted).text("layer");
  entries[0].forEach(
      ({head}, h) =>
          svg.append("text")
              .attr("x", x(h) + side / 2)
              .attr("y", 14)
              .attr("text-anchor", "middle")
              .attr("fill", theme.muted)
              .text(fit(side > 56 && head !== null ? `head ${head + 1}` : name(head), side + gap)));
  entries.forEach((line, l) => {
    svg.append("text")
        .attr("x", left - 8)
        .attr("y", y(l) + height / 2)
        .attr("dy", "0.35em")
        .attr("text-anchor", "end")
        .attr("fill", theme.muted)
        .text(name(line[0].layer));
    line.forEach((entry, h) => {
      const group = svg.append("g")
                        .attr("transform", `translate(${x(h).toFixed(2)},${y(l).toFixed(2)})`)
                        .datum({...entry, l, h});
      const {matrix} = condensed(entry.matrix, mostCells(map)), [r, c] = shapeOf(matrix);
      drawCells(group, matrix, scale, side / c, height / r, 16);
      drawFrame(group, entry, side, height, theme, still);
    });
  });
  drawLegend(svg, {
    x: left,
    y: total,
    width: width - left,
    scale,
    title: `${unitTitle()}, one scale for all`,
    theme
  });
  if (!still) listenToGrid(svg, across);
  return svg.node();
}

function drawFrame(group, entry, side, height, theme, still) {
  const chosen = entry.layer === layerNow() && entry.head === headNow();
  group.append("rect")
      .attr("x", chosen ? -1.5 : 0)
      .attr("y", chosen ? -1.5 : 0)
      .attr("width", side + (chosen ? 3 : 0))
      .attr("height", height + (chosen ? 3 : 0))
      .attr("fill", "transparent")
      .attr("stroke", chosen && !still ? theme.series[1] : theme.line)
      .attr("stroke-width", chosen && !still ? 2.5 : 1);
  if (still) return;
  group.attr("role", "option")
      .attr("class", "pick")
      .attr("aria-selected", String(chosen))
      .attr("tabindex", chosen ? 0 : -1)
      .attr("aria-label", gridLabel(entry))
      .attr("data-key", gridLabel(entry))
      .append("title")
      .text(gridLabel(entry));
}

function listenToGrid(svg, across) {
  const picks = svg.attr("role", "listbox").selectAll("g.pick");
  const focus = (l, h) => {
    const at = picks.filter((d) => d.l === l && d.h === h);
    if (at.empty()) return;
    picks.attr("tabindex", -1);
    at.attr("tabindex", 0).node().focus();
  };
  picks.on("click", (_, d) => choose({layer: d.layer, head: d.head}))
      .on("keydown", (event, {l, h, layer, head}) => {
        const act = {
          ArrowDown: () => focus(l + 1, h),
          ArrowUp: () => focus(l - 1, h),
          ArrowLeft: () => focus(l, h - 1),
          ArrowRight: () => focus(l, h + 1),
          Home: () => focus(l, 0),
          End: () => focus(l, across - 1),
          Enter: () => choose({layer, head}),
          " ": () => choose({layer, head}),
        }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
      });
}

function addGridView() {
  const isSingle = (map) => map.layers.flat().length === 1;
  if (report.sentences.every((sentence) => sentence.maps.every(isSingle))) return;
  const section = addSection(
      "grid", "Layers and heads",
      "One small map for each layer (down) and head (across), and their means; rows look at " +
          "columns.");
  section.append(
      el("p", {class: "how"},
         "A click, or the arrow keys and Enter, chooses the one that the other views show."));
  const only = el("p", {class: "quiet"});
  section.append(only);
  const figure = addFigure(section, "grid", gridTitle, drawGrid);
  choiceListeners.push(() => {
    const single = mapNow() && isSingle(mapNow());
    only.textContent =
        single ? "This measure has one map for all layers and heads: it is the one below." : "";
    figure.redraw();
  });
}
