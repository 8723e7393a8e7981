"use strict";
// Puts the page together from the parts that the report has.

function addHeader() {
  const {model, sentences} = report;
  const directory = visible(model.directory || "a model"),
        name = directory.split("/").filter(Boolean).at(-1) ?? directory;
  document.title = `${name} – weft lab`;
  document.getElementById("title").replaceChildren(
      "What ", el("bdi", {class: "model"}, name), " attends to");
  document.getElementById("facts").textContent = [
    directory === name ? "" : directory, model.kind,
    isNumber(model.parameters) ? `${d3.format(",")(model.parameters)} parameters` : "",
    `${sentences.length} ${sentences.length === 1 ? "sentence" : "sentences"}`
  ].filter(Boolean).join(" · ");
  const settings = Object.entries(model.settings ?? {});
  document.querySelector("#settings dl")
      .append(...settings.map(
          ([key, value]) =>
              el("div", {}, el("dt", {}, key), el("dd", {}, visible(String(value))))));
  document.getElementById("settings").hidden = settings.length === 0;
}

// Source, translation and score of the chosen sentence.
function addSentenceFacts(main) {
  const facts = el("dl", {class: "facts"});
  main.append(facts);
  choiceListeners.push(() => {
    const {source, translation, score} = sentenceNow();
    const bdi = (text) => el("bdi", {class: "token"}, text);
    const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    facts.replaceChildren(
        fact("Source", hasSubwords ? bdi(sentenceText(source)) :
                                     source.flatMap((t) => [tokenElement(t), " "])),
        fact("Translation", bdi(visible(translation))), fact("Score", `${format(score)} nats`));
  });
}

function addSentenceViews(main) {
  if (report.sentences.length === 0) {
    main.append(
        el("p", {class: "quiet"}, "The report has no sentence, so there are no maps to show."));
    return;
  }
  const withMaps = report.sentences.some((s) => s.maps.length > 0);
  addControls(main);
  addSentenceFacts(main);
  const none = el("p", {class: "quiet"});
  main.append(none);
  choiceListeners.push(() => {
    none.textContent = mapNow() ?
        "" :
        "There are no maps of this sentence: the model has no attention that could be read.";
  });
  if (withMaps) [addLinksView, addGridView, addMapView].forEach((add) => add());
  addTokensView();
}

function start() {
  const main = document.getElementById("main");
  main.replaceChildren();
  addHeader();
  addSentenceViews(main);
  addHeadsView();
  addTablesView();
  addHistoryView();
  addFilmView();
  addWordsView();
  if (report.sentences.length) choose({});
}

start();
