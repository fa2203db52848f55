"use strict";
/* The choices at the top, and drawing everything that depends on them. */

function chooser(id, title, options, chosen, choose) {
  const offered = options.map((option) => element("option", { value: option }, option));
  const list = element("select", { id, onchange: (event) => choose(event.target.value) }, ...offered);
  list.value = chosen;
  return options.length > 1 ? [element("label", { for: id }, title), list] : [];
}

function chooseBoard(suite, ruleset) {
  const found = DATA.boards.findIndex((one) => one.suite === suite && one.ruleset === ruleset);
  state.board = found >= 0 ? found : DATA.boards.findIndex((one) => one.suite === suite);
  hideMost();
  draw();
}

function drawChoices() {
  const { suite, ruleset } = board();
  const suites = [...new Set(DATA.boards.map((one) => one.suite))];
  const rulesets = DATA.boards.filter((one) => one.suite === suite).map((one) => one.ruleset);
  const clocks = Object.keys(board().clocks).map((key) => {
    const choose = () => {
      state.clock = key;
      draw();
      document.querySelector(`[data-clock="${CSS.escape(key)}"]`).focus();
    };
    const pressed = { "data-clock": key, "aria-pressed": clock() === key };
    return element("button", { type: "button", ...pressed, onclick: choose }, key);
  });
  const filter = element("input", {
    type: "search", id: "filter", placeholder: "filter submissions", "aria-label": "Filter submissions by text",
    oninput: (event) => { state.filter = event.target.value; drawFiltered(); },
  });
  filter.value = state.filter;
  const group = element("span", { class: "switch", role: "group", "aria-label": "Clock" }, ...clocks);
  place("choices",
    ...chooser("suite", "suite", suites, suite, (value) => chooseBoard(value, ruleset)),
    ...chooser("ruleset", "ruleset", rulesets, ruleset, (value) => chooseBoard(suite, value)),
    ...(clocks.length > 1 ? [group] : []),
    filter);
}

function drawFiltered() {
  drawWho();
  drawHeat();
  drawDetails();
}

function draw() {
  place("frame", board().frame);
  place("warnings", ...board().warnings.map((warning) => element("p", { class: "warning" }, `⚠ ${warning}`)));
  drawChoices();
  drawWho();
  drawWhy();
  drawDetails();
  drawTrust();
}

function openLinked() {
  const fold = location.hash.startsWith("#submission-") && document.getElementById(location.hash.slice(1));
  if (fold) { fold.open = true; fold.scrollIntoView(); }
}

let lastWidth = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === lastWidth) return;
  lastWidth = window.innerWidth;
  drawProfiles();
  drawTuning();
  drawCurves();
});
window.addEventListener("hashchange", openLinked);
hideMost();
draw();
openLinked();
