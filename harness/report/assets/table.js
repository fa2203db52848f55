"use strict";
/* Who wins: one row for each submission, sorted by any column. What was never reached sorts last either way. */

function columns() {
  const first = (estimate) => estimate && estimate[0];
  const speedup = `speed-up over ${board().reference}`;
  const found = [
    { key: "rank", title: "rank, submission", up: true, value: (row) => row.rank, class: "who", cell: whoCell },
    { key: "speedup", title: speedup, value: (row) => first(row.speedup), cell: speedupCell },
    { key: "score", title: "score", value: (row) => first(row.score), cell: scoreCell },
    { key: "best", title: "may be best", value: (row) => row.best && 1, cell: (row) => [yes(row.best)] },
    { key: "separated", title: "separated from", value: (row) => row.faster && row.faster.length, cell: separatedCell },
    { key: "way", title: "on the way", value: (row) => first(row.way), cell: (row) => estimateCell(row.way, times) },
    { key: "reach", title: "reach", number: true, value: (row) => row.reach, cell: reachCell },
    { key: "tuned", title: "tuning certificate", value: (row) => row.against && -row.against.length, cell: tunedCell },
  ];
  if (Object.keys(board().verifications).length) {
    const place = (row) => STANDINGS.indexOf(standingOf(row.name));
    found.push({ key: "verified", title: "verified by re-run", up: true, value: place, cell: verifiedCell });
  }
  for (const { name } of board().workloads) {
    const result = (row) => row.workloads && row.workloads[name];
    const value = (row) => (result(row) && result(row)[2] ? result(row)[0][0] : null);
    found.push({ key: name, title: name, up: true, number: true, value, cell: (row) => resultCell(result(row)) });
  }
  found.push(
    costColumn("tolerance", "tolerance of the learning rate", (factor) => `${factor.toFixed(1)}×`),
    { ...costColumn("memory", "optimizer state per parameter", (bytes) => `${bytes.toFixed(1)} B`), up: true },
    { ...costColumn("peak", "peak memory", (bytes) => `${Math.round(bytes / 1e6).toLocaleString("en")} MB`), up: true },
  );
  return found;
}

function rows() {
  const unscored = Object.keys(board().incomplete).filter((name) => !rowOf(name));
  return [...scored().rows, ...unscored.map((name) => ({ name, rank: null }))];
}

const yes = (answer) => (answer === null || answer === undefined ? "–" : answer ? "yes" : "no");

function whoCell(row) {
  const incomplete = (board().incomplete[row.name] || []).length;
  const remark = incomplete ? element("small", {}, ` ${incomplete} trials without a result`) : null;
  const rank = element("span", { class: "rank" }, row.rank === null ? "–" : String(row.rank));
  return [rank, " ", element("a", { href: `#submission-${encodeURIComponent(row.name)}` }, row.name), remark];
}

function estimateCell(estimate, form) {
  return estimate ? [element("b", {}, form(estimate[0])), element("small", {}, ` ${range(estimate, form)}`)] : ["–"];
}

/* A dot on a line with its interval; `at` gives the place of a number between 0 and 1. */
function dot(estimate, at) {
  const place = (value) => 4 + 80 * Math.min(1, Math.max(0, at(value)));
  const svg = drawn("svg", { width: 88, height: 14, "aria-hidden": "true", class: "mark" });
  svg.append(drawn("line", { x1: 4, x2: 84, y1: 7, y2: 7, stroke: "var(--line)" }));
  const [value, low, high] = estimate;
  if (low !== undefined) {
    const bar = { stroke: "var(--accent)", "stroke-width": 4, opacity: 0.45 };
    svg.append(drawn("line", { x1: place(low), x2: place(high), y1: 7, y2: 7, ...bar }));
  }
  svg.append(drawn("circle", { cx: place(value), cy: 7, r: 4, fill: "var(--accent)" }));
  return svg;
}

function speedupCell(row) {
  if (!row.score) return [element("span", { class: "miss" }, "none: incomplete")];
  if (!row.speedup) return ["–"];
  const all = scored().rows.flatMap((one) => one.speedup.map(Math.log));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const at = (value) => (Math.log(value) - low) / (high - low || 1);
  return [dot(row.speedup, at), ...estimateCell(row.speedup, times)];
}

function scoreCell(row) {
  return row.score ? [dot(row.score, (value) => value), ...estimateCell(row.score, hundredths)] : ["–"];
}

function separatedCell(row) {
  if (row.best === null || row.best === undefined) return ["–"];
  const said = [["faster than", row.faster], ["slower than", row.slower]].filter(([, names]) => names.length);
  const parts = said.map(([words, names]) => {
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    return element("small", { title: names.join(", ") }, `${words} ${names.slice(0, 3).join(", ")}${more}`);
  });
  return parts.length ? parts.flatMap((part, i) => (i ? [element("br"), part] : [part])) : ["nobody"];
}

function reachCell(row) {
  return [row.reach === undefined ? "–" : percent(row.reach)];
}

function tunedCell(row) {
  if (!row.against) return ["–"];
  return [element("span", { title: row.against.join("; ") }, yes(!row.against.length))];
}

const STANDINGS = ["verified", "self-reported", "challenged"];
const standingOf = (name) => board().verifications[name].standing;

function verifiedCell(row) {
  const { standing, reruns } = board().verifications[row.name];
  const last = reruns[reruns.length - 1];
  const when = last ? element("small", { title: last[1] }, ` ${last[0]}, ${last[2]} trials`) : null;
  return [element("span", { class: standing === "challenged" ? "miss" : null }, standing), when];
}

function resultCell(result) {
  if (!result) return ["–"];
  const [value, ratio, reach] = result;
  if (!reach) return [element("span", { class: "miss" }, "missed")];
  const few = reach < 1 ? ` ${percent(reach)}` : "";
  return [times(ratio), element("small", {}, ` ${digits(value[0])} ${unit()}${few}`)];
}

/* A column of what a submission asks for beside time: a number that the board has for each name, or none. */
function costColumn(key, title, form) {
  const value = (row) => board()[key][row.name];
  return { key, title, number: true, value, cell: (row) => [value(row) === null ? "–" : form(value(row))] };
}

function sorted(list, column) {
  const known = (row) => column.value(row) !== null && column.value(row) !== undefined;
  const sign = state.ascending ? 1 : -1;
  const inOrder = list.filter(known).sort((a, b) => sign * (column.value(a) - column.value(b)));
  return [...inOrder, ...list.filter((row) => !known(row))];
}

function drawWho() {
  const all = columns();
  const chosen = all.find((column) => column.key === state.sort) || all[0];
  const body = sorted(rows(), chosen).filter((row) => matches(row.name)).map((row) => {
    const cells = all.map((column) => {
      const content = column.cell(row).filter((part) => part !== null);
      if (column.class) return element("th", { scope: "row", class: column.class }, ...content);
      return element("td", { class: column.number ? "number" : null }, ...content);
    });
    return element("tr", { "data-name": row.name }, ...cells);
  });
  const empty = element("td", { class: "empty", colspan: all.length }, `no submission matches “${state.filter}”`);
  const heads = element("thead", {}, element("tr", {}, ...all.map((column) => headOf(column, chosen))));
  const lines = element("tbody", {}, ...(body.length ? body : [element("tr", {}, empty)]));
  place("ranking", element("table", {}, heads, lines));
  drawHeadline();
}

function headOf(column, chosen) {
  const sort = () => {
    state.ascending = state.sort === column.key ? !state.ascending : Boolean(column.up);
    state.sort = column.key;
    drawWho();
    document.querySelector(`#ranking th[data-key="${CSS.escape(column.key)}"] button`).focus();
  };
  return element("th", {
    scope: "col", "data-key": column.key, class: column.class || (column.number ? "number" : null),
    "aria-sort": column === chosen ? (state.ascending ? "ascending" : "descending") : null,
  }, element("button", { type: "button", onclick: sort }, ...breakable(column.title)));
}

function drawHeadline() {
  const list = scored().rows;
  place("headline", list.length ? headline(list) : "No submission is complete, so nobody has a score yet.");
  place("ranking-note",
    `Speed-up: how many times sooner than ${board().reference}, from what the best of a study is expected to be ` +
    "worth. May be best: with 95 % the best is one of these; separated from: who is faster or slower at " +
    "simultaneous 95 %. On the way: the speed-up at seven levels before each target. Reach: the expected share of " +
    `${board().study} that reach a target. Per workload: relative to the fastest, the expected time of a study, a ` +
    "miss counting as the budget, and its reach where it is not all. Tolerance of the learning rate: " +
    "the highest over the lowest drawn rate with a metric within 5 % of the best. Peak memory: of the training " +
    "process, libraries and data included.");
  place("notes", ...scored().notes.map((note) => element("li", { class: "hint" }, note)));
}

function headline(list) {
  const [leader] = list;
  const best = list.filter((row) => row.best);
  const sure = (row) => (range(row.speedup, hundredths) ? ` (${range(row.speedup, hundredths)})` : "");
  const reaches = `reaches a target in ${percent(leader.reach)} of ${board().study}`;
  const faster = leader.speedup && leader.name !== board().reference
    ? `trains ${times(leader.speedup[0])}${sure(leader)} as fast as ${board().reference} and ` : "";
  if (best.length === 1) return `By ${inWords()}, ${leader.name} is the fastest: it ${faster}${reaches}.`;
  const others = best.slice(1).map((row) => row.name);
  const open = others.length ? ` It may not be the best: ${others.join(", ")} cannot be excluded.` : "";
  return `By ${inWords()}, ${leader.name} comes first: it ${faster}${reaches}.${open}`;
}
