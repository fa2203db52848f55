"use strict";
/* What is it: one fold for each submission, filled when it is opened. */

function drawDetails() {
  const folds = board()
    .names.filter(matches)
    .map((name) => {
      const { description } = board().submissions[name];
      const fold = element(
        "details",
        { id: `submission-${encodeURIComponent(name)}`, "data-name": name },
        element("summary", {}, mark(name), element("b", {}, name), description),
      );
      fold.addEventListener("toggle", () => {
        if (fold.open && fold.children.length === 1) fold.append(...describe(name));
      });
      return fold;
    });
  place(
    "details",
    ...(folds.length ? folds : [element("p", { class: "empty" }, `no submission matches “${state.filter}”`)]),
  );
}

function describe(name) {
  const it = board().submissions[name];
  const facts = [
    ["author", it.author],
    ["licence", it.licence],
  ].filter(([, value]) => value);
  const list = facts.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]);
  for (const reference of it.references)
    list.push(element("dt", {}, "reference"), element("dd", {}, ...linked(reference)));
  if (board().ruleset !== "self_tuning")
    for (const [key, value] of it.space) list.push(element("dt", {}, key), element("dd", {}, String(value)));
  const sources = Object.entries(it.files).map(([file, index]) =>
    lazyFold(file, () => [element("pre", { tabindex: 0 }, element("code", {}, DATA.texts[index]))]),
  );
  return [
    element("dl", {}, ...list),
    element("h4", {}, "Trials that count, with their hyperparameters"),
    grid(
      ["workload", "study", "trial", "time to target (s)", ...it.hyperparameters],
      it.winners.map(([workload, study, trial, time, values]) => [
        workload,
        study,
        trial,
        time === null ? "missed" : digits(time),
        ...values.map((value) => (typeof value === "number" ? shortest(value) : String(value))),
      ]),
      1,
    ),
    element("h4", {}, "Source as it ran"),
    ...sources,
    lazyFold(`All ${it.trials.length} trials`, () => [trialsTable(it)]),
    element("p"),
  ];
}

/* The text with what looks like a web address as a link; nothing else is ever one. */
function linked(text) {
  return text
    .split(/(https?:\/\/[^\s<>"]+)/)
    .map((part, i) => (i % 2 ? element("a", { href: part, rel: "noopener noreferrer" }, part) : part));
}

const shortest = (value) =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(3)));

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
  const lines = body.map((line) =>
    element(
      "tr",
      {},
      ...line.map((cell, i) => element("td", kind(i), ...(Array.isArray(cell) ? cell : [String(cell)]))),
    ),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": heads.join(", ") },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines)),
  );
}

function trialsTable(it) {
  const lines = it.trials.map(([workload, study, trial, status, seconds, steps, last, flags, reason]) => {
    const place = it.folders ? `${it.link}/${workload}/study_${study}/trial_${trial}` : it.link;
    const files = it.folders
      ? ["spec.json", "evals.jsonl", "result.json"].slice(0, status === "missing" ? 1 : 3)
      : ["trials.jsonl"];
    const links = files.flatMap((file) => [element("a", { href: `${place}/${file}` }, file.split(".")[0]), " "]);
    return [
      workload,
      study,
      trial,
      [status.replaceAll("_", " "), flags || reason ? element("small", {}, ` ${flags} ${reason}`) : ""],
      digits(seconds),
      steps === null ? "–" : steps.toLocaleString("en"),
      digits(last),
      links,
    ];
  });
  return grid(
    ["workload", "study", "trial", "status", "time to target (s)", "steps to target", "seconds trained", "files"],
    lines,
  );
}
