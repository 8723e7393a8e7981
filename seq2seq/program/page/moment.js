"use strict";
// The moment of training that attention and samples are shown of: a slider over the validations.

const kStepSeconds = 0.5;

const moment = {
  at: null,  // an update; null: the last one, whichever that is by now
  timer: null,
  listeners: []
};

// The updates of which there is something to show.
function momentList() {
  const all = shownRuns().flatMap(
      ({film, samples}) =>
          [...(film?.frames.map((frame) => frame.update) ?? []), ...samples.at.map((s) => s.step)]);
  return [...new Set(all)].sort((a, b) => a - b);
}

// What a list of {[key]: update} has at the moment: the last that is not later, or its first.
function atMoment(list, key) {
  if (moment.at === null) return list.at(-1);
  return list.findLast((item) => item[key] <= moment.at) ?? list[0];
}

function addMoment(section) {
  const slider = el("input", {
    type: "range",
    id: "moment-slider",
    min: 0,
    "aria-label": "Moment of training",
    input: () => {
      stop();
      go(Number(slider.value));
    }
  });
  const words = el("p", {id: "moment-words"});
  const button = el(
      "button",
      {type: "button", id: "moment-play", click: () => (moment.timer === null ? play() : stop())},
      "Play");
  const box = el("div", {class: "film-controls"}, button, slider, words);
  const draw = () => {
    const all = momentList(), last = all.length - 1;
    box.hidden = last < 0;
    if (last < 0) return;
    const index = moment.at === null ? last : Math.max(0, all.findLastIndex((u) => u <= moment.at));
    slider.max = last;
    slider.value = index;
    slider.disabled = button.disabled = last === 0;
    const text = `Update ${grouped(all[index])}, ${index + 1} of ${last + 1}`;
    slider.setAttribute("aria-valuetext", text);
    words.textContent = moment.at === null ? `${text}: the latest, followed as it comes` : text;
  };
  const go = (index) => {
    const all = momentList();
    moment.at = index >= all.length - 1 ? null : all[index];
    draw();
    moment.listeners.forEach((listen) => listen());
  };
  const stop = () => {
    clearInterval(moment.timer);
    moment.timer = null;
    button.textContent = "Play";
  };
  const play = () => {
    button.textContent = "Pause";
    if (moment.at === null) go(0);
    moment.timer = setInterval(() => {
      go(Number(slider.value) + 1);
      if (moment.at === null) stop();
    }, 1000 * kStepSeconds);
  };
  section.append(box);
  return draw;
}
