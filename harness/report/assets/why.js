"use strict";
/* Why: the legend, the performance profiles, the heat map and the training curves. */
const MOST_AT_FIRST = 10;

const visible = () => board().names.filter((name) => !state.hidden.has(name));

function drawLegend() {
  const buttons = board().names.map((name) => {
    const toggle = () => {
      if (!state.hidden.delete(name)) state.hidden.add(name);
      drawWhy();
      [...document.querySelectorAll("#legend button")].find((button) => button.dataset.name === name).focus();
    };
    const button = element(
      "button",
      { type: "button", "data-name": name, "aria-pressed": !state.hidden.has(name), onclick: toggle },
      mark(name),
      name,
    );
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => singleOut(name));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => singleOut(null));
    return button;
  });
  const set = (names) => () => {
    state.hidden = new Set(names);
    drawWhy();
  };
  const everything = element("button", { type: "button", class: "all", onclick: set([]) }, "all");
  const nothing = element("button", { type: "button", class: "all", onclick: set(board().names) }, "none");
  place("legend", ...buttons, everything, nothing);
  document.getElementById("legend").classList.toggle("few", buttons.length <= MOST_AT_FIRST);
}

function hideMost() {
  state.hidden = new Set(board().names.slice(MOST_AT_FIRST));
}

function stairs([taus, rhos]) {
  const points = [];
  taus.forEach((tau, i) => {
    if (i) points.push([tau, rhos[i - 1]]);
    points.push([tau, rhos[i]]);
  });
  return [...points, [4, rhos[rhos.length - 1]]];
}

function drawProfiles() {
  const holder = element("div", { class: "card" }, element("h3", {}, "Performance profiles"));
  place("profiles", holder);
  holder.append(
    element(
      "p",
      { class: "hint" },
      "How large a share of the workloads a submission reaches within τ times the fastest. ",
      "Higher and further left is better; the area under the line is the score. ",
      "Hover or focus a line or a name to single it out with its 95 % band; click a name to hide it.",
    ),
  );
  const series = visible()
    .map(rowOf)
    .filter(Boolean)
    .map((row) => ({
      name: row.name,
      points: stairs(row.profile),
      band: row.band && row.band[0].map((tau, i) => [tau, row.band[1][i], row.band[2][i]]),
      title: `${row.name}: score ${hundredths(row.score[0])}`,
    }));
  if (!series.length) return void holder.append(element("p", { class: "empty" }, "nothing to draw"));
  const percent = (value) => `${Math.round(100 * value)} %`;
  lineChart(holder, {
    series,
    height: 340,
    label: "Performance profiles",
    names: true,
    x: {
      low: 1,
      high: 4,
      form: (tau) => String(tau),
      title: `τ: ${state.measure === "time" ? "time" : "steps"} to target, relative to the fastest`,
    },
    y: { low: 0, high: 1, form: percent, title: "share of workloads" },
  });
}

function drawHeat() {
  const names = board().names.filter((name) => rowOf(name) && matches(name));
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "submission"),
    ...board().workloads.map(({ name }) => element("th", { scope: "col" }, ...breakable(name))),
  );
  const body = names.map((name) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...board().workloads.map((workload) => heatCell(rowOf(name).workloads[workload.name])),
    ),
  );
  const table = element("table", { class: "heat" }, element("thead", {}, head), element("tbody", {}, ...body));
  const said =
    `${state.measure === "time" ? "Seconds" : "Steps"} to target with 95 % interval; ` +
    "the stronger the colour, the nearer to the fastest. Hatched: missed.";
  place(
    "heat",
    element(
      "div",
      { class: "card" },
      element("h3", {}, "Where it is won"),
      element("p", { class: "hint" }, said),
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Heat map" }, table),
    ),
  );
}

function heatCell(result) {
  const [value, ratio, reached, studies] = result;
  if (value[0] === null)
    return element(
      "td",
      { class: "miss" },
      "miss",
      element("br"),
      element("small", {}, `${reached} of ${studies} studies`),
    );
  const share = Math.max(0, 1 - Math.log2(ratio === null ? 4 : ratio) / 2);
  const cell = element(
    "td",
    {},
    `${times(ratio)}  ${digits(value[0])} ${unit()}`,
    element("br"),
    element("small", {}, range(value)),
  );
  const strength = Math.round(4 + 86 * share);
  cell.style.background = `color-mix(in srgb, var(--heat) ${strength}%, var(--ground))`;
  cell.classList.toggle("strong", strength > 66);
  return cell;
}

function drawCurves() {
  const cards = board().workloads.map(() => element("div", { class: "card" }));
  place(
    "curves",
    element("h3", {}, "Training curves"),
    element(
      "p",
      { class: "hint" },
      "Median over studies of each study's best trial; with four submissions or fewer, or one singled out, ",
      "the range over studies as well. A line ends where the median study ends.",
    ),
    ...cards,
  );
  board().workloads.forEach((workload, i) => {
    const pair = element("div", { class: "pair" }, element("div"), element("div"));
    cards[i].append(element("h3", {}, workload.name), pair);
    drawCurve(pair.firstChild, workload, "seconds", "training time (s)");
    drawCurve(pair.lastChild, workload, "step", "steps (batches drawn)");
  });
}

function drawCurve(holder, workload, axis, title) {
  const series = visible()
    .filter((name) => workload.curves[axis][name])
    .map((name) => {
      const [first, last, median, low, high] = workload.curves[axis][name];
      const at = (i) => first + ((last - first) * i) / Math.max(1, median.length - 1);
      return {
        name,
        dot: true,
        points: median.map((value, k) => [at(k), value]),
        band: median.map((_, k) => [at(k), low[k], high[k]]),
      };
    });
  if (!series.length) return void holder.append(element("p", { class: "empty" }, "nothing to draw"));
  const values = series.flatMap((one) => one.points.map((point) => point[1]));
  const edges = [Math.min(...values, workload.target), Math.max(...values, workload.target)];
  const margin = 0.06 * (edges[1] - edges[0]) || 0.1;
  const last = Math.max(...series.map((one) => one.points[one.points.length - 1][0]));
  const bounds = [{ y: workload.target, text: `target ${workload.target}` }];
  if (axis === "seconds")
    bounds.push({ x: workload.budget, text: `budget ${digits(workload.budget)} s`, below: workload.higher });
  lineChart(holder, {
    series,
    bounds,
    height: 260,
    label: `${workload.name}: validation ${workload.metric} against ${title}`,
    x: {
      low: 0,
      high: axis === "seconds" ? Math.max(last, workload.budget) : last,
      form: (value) => value.toLocaleString("en"),
      title,
    },
    y: {
      low: edges[0] - margin,
      high: edges[1] + margin,
      form: (value) => String(value),
      title: `validation ${workload.metric}`,
    },
  });
}

function drawWhy() {
  drawLegend();
  drawProfiles();
  drawHeat();
  drawCurves();
}
