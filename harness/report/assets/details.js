"use strict";
/* What is it: one fold for each submission, filled when it is opened. */

function drawDetails() {
  const folds = board().names.filter(matches).map((name) => {
    const { description } = board().submissions[name];
    const summary = element("summary", {}, mark(name), element("b", {}, name), description);
    const fold = element("details", { id: `submission-${encodeURIComponent(name)}`, "data-name": name }, summary);
    fold.addEventListener("toggle", () => {
      if (fold.open && fold.children.length === 1) fold.append(...describe(name));
    });
    return fold;
  });
  const none = element("p", { class: "empty" }, `no submission matches “${state.filter}”`);
  place("details", ...(folds.length ? folds : [none]));
}

function describe(name) {
  const it = board().submissions[name];
  const facts = [["author", it.author], ["licence", it.licence]].filter(([, value]) => value);
  const list = facts.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]);
  for (const reference of it.references) {
    list.push(element("dt", {}, "reference"), element("dd", {}, ...linked(reference)));
  }
  for (const line of it.imports) list.push(element("dt", {}, "imports"), element("dd", {}, line));
  if (board().ruleset !== "self_tuning") {
    for (const [key, value] of it.space) list.push(element("dt", {}, key), element("dd", {}, String(value)));
  }
  const code = (index) => [element("pre", { tabindex: 0 }, element("code", {}, DATA.texts[index]))];
  const sources = Object.entries(it.files).map(([file, index]) => lazyFold(file, () => code(index)));
  const told = (value) => (typeof value === "number" ? shortest(value) : String(value));
  const winners = it.winners.map(([workload, study, trial, time, values]) => [
    ...[workload, study, trial, time === null ? "missed" : digits(time)], ...values.map(told),
  ]);
  return [
    element("dl", {}, ...list),
    element("h4", {}, "The fastest trial of each study, with its hyperparameters"),
    grid(["workload", "study", "trial", target(), ...it.hyperparameters], winners, 1),
    element("h4", {}, "Source as it ran"),
    ...sources,
    lazyFold(`All ${it.trials.length} trials`, () => [trialsTable(it)]),
    element("p"),
  ];
}

/* The heading of times to target, which are those of the clock that the board was written for. */
function target() {
  return board().clock === "steps" ? "steps to target" : `${board().clock} seconds to target`;
}

/* The text with what looks like a web address as a link; nothing else is ever one. */
function linked(text) {
  const link = (part) => element("a", { href: part, rel: "noopener noreferrer" }, part);
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) => (i % 2 ? link(part) : part));
}

function shortest(value) {
  const extreme = value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5);
  return extreme ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

function lazyFold(title, fill) {
  const fold = element("details", {}, element("summary", {}, title));
  fold.addEventListener("toggle", () => {
    if (fold.open && fold.children.length === 1) fold.append(...fill());
  });
  return fold;
}

function grid(heads, body, numbersFrom = heads.length) {
  const kind = (i) => ({ class: i >= numbersFrom ? "number" : null });
  const head = element("tr", {}, ...heads.map((title, i) => element("th", { scope: "col", ...kind(i) }, title)));
  const content = (cell) => (Array.isArray(cell) ? cell : [String(cell)]);
  const cells = (line) => line.map((cell, i) => element("td", kind(i), ...content(cell)));
  const lines = body.map((line) => element("tr", {}, ...cells(line)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": heads.join(", ") }, table);
}

function trialsTable(it) {
  const lines = it.trials.map(([workload, study, trial, status, seconds, steps, last, flags, reason]) => {
    const place = it.folders ? `${it.link}/${workload}/study_${study}/trial_${trial}` : it.link;
    const own = ["spec.json", "evals.jsonl", "result.json"].slice(0, status === "missing" ? 1 : 3);
    const files = it.folders ? own : ["trials.jsonl"];
    const links = files.flatMap((file) => [element("a", { href: `${place}/${file}` }, file.split(".")[0]), " "]);
    const ended = [status.replaceAll("_", " "), flags || reason ? element("small", {}, ` ${flags} ${reason}`) : ""];
    return [workload, study, trial, ended, digits(seconds), digits(steps), digits(last), links];
  });
  const heads = ["workload", "study", "trial", "status", target(), "steps to target", "seconds trained", "files"];
  return grid(heads, lines);
}
