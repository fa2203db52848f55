"use strict";
/* Why: the legend, the performance profiles, the heat map, the tuning curves and the training curves. */
const MOST_AT_FIRST = 10;

const visible = () => board().names.filter((name) => !state.hidden.has(name));

function drawLegend() {
  const buttons = board().names.map((name) => {
    const toggle = () => {
      if (!state.hidden.delete(name)) state.hidden.add(name);
      drawWhy();
      [...document.querySelectorAll("#legend button")].find((button) => button.dataset.name === name).focus();
    };
    const pressed = { "data-name": name, "aria-pressed": !state.hidden.has(name) };
    const button = element("button", { type: "button", ...pressed, onclick: toggle }, mark(name), name);
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => singleOut(name));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => singleOut(null));
    return button;
  });
  const set = (names) => () => { state.hidden = new Set(names); drawWhy(); };
  const everything = element("button", { type: "button", class: "all", onclick: set([]) }, "all");
  const nothing = element("button", { type: "button", class: "all", onclick: set(board().names) }, "none");
  place("legend", ...buttons, everything, nothing);
  document.getElementById("legend").classList.toggle("few", buttons.length <= MOST_AT_FIRST);
}

function hideMost() {
  state.hidden = new Set(board().names.slice(MOST_AT_FIRST));
}

function drawProfiles() {
  const holder = element("div", { class: "card" }, element("h3", {}, "Performance profiles"));
  place("profiles", holder);
  holder.append(element("p", { class: "hint" },
    "How large a share of the workloads a study is expected to reach within τ times the fastest. Higher and further " +
    "left is better; the area under the line is the score. Hover or focus a line or a name to single it out with its " +
    "95 % band; click a name to hide it."));
  const { taus } = board();
  const series = visible().map(rowOf).filter(Boolean).map((row) => ({
    name: row.name,
    points: taus.map((tau, i) => [tau, row.profile[i]]),
    band: row.band && taus.map((tau, i) => [tau, row.band[0][i], row.band[1][i]]),
    title: `${row.name}: score ${hundredths(row.score[0])}`,
  }));
  if (!series.length) return void holder.append(element("p", { class: "empty" }, "nothing to draw"));
  const share = (value) => `${Math.round(100 * value)} %`;
  lineChart(holder, {
    series, height: 340, label: "Performance profiles", names: true,
    x: { low: 1, high: 4, form: (tau) => String(tau), title: `τ: ${inWords()} relative to the fastest` },
    y: { low: 0, high: 1, form: share, title: "expected share of workloads" },
  });
}

function drawHeat() {
  const names = board().names.filter((name) => rowOf(name) && matches(name));
  const titles = board().workloads.map(({ name }) => element("th", { scope: "col" }, ...breakable(name)));
  const head = element("tr", {}, element("th", { scope: "col" }, "submission"), ...titles);
  const body = names.map((name) => {
    const cells = board().workloads.map((workload) => heatCell(rowOf(name).workloads[workload.name]));
    return element("tr", {}, element("th", { scope: "row" }, name), ...cells);
  });
  const table = element("table", { class: "heat" }, element("thead", {}, head), element("tbody", {}, ...body));
  const hint = element("p", { class: "hint" },
    `Expected ${inWords()} to target of a study with 95 % interval, a miss counting as the budget, and the expected ` +
    `share of ${board().study} that reach it. The stronger the colour, the nearer to the fastest. ` +
    "Hatched: never reached.");
  const scroll = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Heat map" }, table);
  place("heat", element("div", { class: "card" }, element("h3", {}, "Where it is won"), hint, scroll));
}

function heatCell([value, ratio, reach, , hits, trials]) {
  const many = element("small", {}, `${hits} of ${trials} trials`);
  if (!reach) return element("td", { class: "miss" }, "missed", element("br"), many);
  const share = Math.max(0, 1 - Math.log2(ratio === null ? 4 : ratio) / 2);
  const few = reach < 1 ? `, reach ${percent(reach)}` : "";
  const interval = element("small", {}, `${range(value)}${few}`);
  const cell = element("td", {}, `${times(ratio)}  ${digits(value[0])} ${unit()}`, element("br"), interval);
  const strength = Math.round(4 + 86 * share);
  cell.style.background = `color-mix(in srgb, var(--heat) ${strength}%, var(--ground))`;
  cell.classList.toggle("strong", strength > 66);
  return cell;
}

function drawTuning() {
  if (board().draws < 2 || !scored().rows.length) return place("tuning");
  const cards = board().workloads.map(({ name }) => element("div", {}, element("h3", {}, name)));
  const pairs = element("div", { class: "pair" }, ...cards);
  const hint = element("p", { class: "hint" },
    `What more tuning is worth: the expected ${inWords()} of the best of k draws from the search space, a miss ` +
    `counting as the budget. A study has ${board().draws} draws; a line that still falls there is not tuned.`);
  place("tuning", element("div", { class: "card" }, element("h3", {}, "Tuning curves"), hint, pairs));
  board().workloads.forEach((workload, i) => {
    const series = visible().map(rowOf).filter((row) => row && row.tuning[workload.name].length).map((row) => ({
      name: row.name, points: row.tuning[workload.name].map((value, k) => [k + 1, value]),
    }));
    if (!series.length) return void cards[i].append(element("p", { class: "empty" }, "nothing to draw"));
    const draws = Math.max(...series.map((one) => one.points.length));
    const most = Math.max(...series.flatMap((one) => one.points.map((point) => point[1])));
    lineChart(cards[i], {
      series, height: 240, label: `${workload.name}: best of k draws`, bounds: [{ x: board().draws, text: "a study" }],
      x: { low: 1, high: draws, form: String, title: "draws k" },
      y: { low: 0, high: 1.05 * most, form: (value) => digits(value, 2), title: `best of k (${unit()})` },
    });
  });
}

function drawCurves() {
  const cards = board().workloads.map(() => element("div", { class: "card" }));
  place("curves", element("h3", {}, "Training curves"), element("p", { class: "hint" },
    "Median over studies of each study's best trial; with four submissions or fewer, or one singled out, the range " +
    "over studies as well. A line ends where the median study ends."), ...cards);
  const axes = clock() === "steps" ? [board().clock, "steps"] : [clock(), "steps"];
  board().workloads.forEach((workload, i) => {
    const known = [...new Set(axes)].filter((axis) => workload.curves[axis]);
    const holders = known.map(() => element("div"));
    cards[i].append(element("h3", {}, workload.name), element("div", { class: "pair" }, ...holders));
    known.forEach((axis, k) => drawCurve(holders[k], workload, axis));
  });
}

function drawCurve(holder, workload, axis) {
  const title = axis === "steps" ? "steps (batches drawn)" : `${axis} seconds`;
  const series = visible().filter((name) => workload.curves[axis][name]).map((name) => {
    const [first, last, median, low, high] = workload.curves[axis][name];
    const at = (i) => first + ((last - first) * i) / Math.max(1, median.length - 1);
    const points = median.map((value, k) => [at(k), value]);
    return { name, dot: true, points, band: median.map((_, k) => [at(k), low[k], high[k]]) };
  });
  if (!series.length) return void holder.append(element("p", { class: "empty" }, "nothing to draw"));
  const values = series.flatMap((one) => one.points.map((point) => point[1]));
  const edges = [Math.min(...values, workload.target), Math.max(...values, workload.target)];
  const margin = 0.06 * (edges[1] - edges[0]) || 0.1;
  const last = Math.max(...series.map((one) => one.points[one.points.length - 1][0]));
  const bounds = [{ y: workload.target, text: `target ${workload.target}` }];
  const budget = axis === "steps" ? undefined : workload.budgets[axis];
  if (budget) bounds.push({ x: budget, text: `budget ${digits(budget)} s`, below: workload.higher });
  lineChart(holder, {
    series, bounds, height: 260, label: `${workload.name}: validation ${workload.metric} against ${title}`,
    x: { low: 0, high: Math.max(last, budget || 0), form: (value) => value.toLocaleString("en"), title },
    y: {
      low: edges[0] - margin, high: edges[1] + margin, form: (value) => String(value),
      title: `validation ${workload.metric}`,
    },
  });
}

function drawWhy() {
  drawLegend();
  drawProfiles();
  drawHeat();
  drawTuning();
  drawCurves();
}
