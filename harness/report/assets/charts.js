"use strict";
/* A line chart: axes, one line for each submission that can be singled out, and names at the lines' ends. */

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step) {
    found.push(Number(tick.toPrecision(12)));
  }
  return found;
}

function innerWidthOf(holder) {
  const style = getComputedStyle(holder);
  return holder.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}

/* series: [{name, points: [[x, y]...], band: [[x, low, high]...]}]; bounds: [{y, text} or {x, text, below}] */
function lineChart(holder, { series, x, y, bounds = [], height = 300, label, names = false }) {
  const width = Math.max(260, innerWidthOf(holder));
  const named = names && series.length <= 8 && width > 420;
  const longest = Math.max(0, ...series.map((one) => one.name.length));
  const edge = { top: 16, right: named ? Math.min(150, 14 + 7 * longest) : 12, bottom: 40, left: 58 };
  const [left, right, top, bottom] = [edge.left, width - edge.right, edge.top, height - edge.bottom];
  const across = (value) => left + ((value - x.low) / (x.high - x.low || 1)) * (right - left);
  const upward = (value) => bottom - ((value - y.low) / (y.high - y.low || 1)) * (bottom - top);
  const kind = `chart${series.length <= 4 ? " few" : ""}`;
  const chart = drawn("svg", { class: kind, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const tick of ticks(y.low, y.high, 5)) {
    chart.append(drawn("line", { class: "grid", x1: left, x2: right, y1: upward(tick), y2: upward(tick) }));
    chart.append(drawn("text", { x: left - 6, y: upward(tick) + 4, "text-anchor": "end" }, y.form(tick)));
  }
  for (const tick of ticks(x.low, x.high, Math.min(8, width / 80))) {
    chart.append(drawn("line", { class: "grid", x1: across(tick), x2: across(tick), y1: bottom, y2: bottom + 4 }));
    chart.append(drawn("text", { x: across(tick), y: bottom + 17, "text-anchor": "middle" }, x.form(tick)));
  }
  const title = { class: "axis-title", "text-anchor": "middle" };
  chart.append(drawn("text", { ...title, x: (left + right) / 2, y: height - 5 }, x.title));
  const middle = (bottom + top) / 2;
  chart.append(drawn("text", { ...title, x: 13, y: middle, transform: `rotate(-90 13 ${middle})` }, y.title));
  for (const bound of bounds) drawBound(chart, bound, across, upward, edge, width, height);
  for (const one of [...series].reverse()) chart.append(drawSeries(one, across, upward));
  if (named) nameEnds(chart, series, upward, width - edge.right + 8, height - edge.bottom);
  holder.append(chart);
}

function drawBound(chart, bound, across, upward, edge, width, height) {
  if (bound.y !== undefined) {
    const at = { x1: edge.left, x2: width - edge.right, y1: upward(bound.y), y2: upward(bound.y) };
    chart.append(drawn("line", { class: "bound", "stroke-dasharray": "2 3", ...at }));
    chart.append(drawn("text", { x: edge.left + 4, y: upward(bound.y) - 5 }, bound.text));
  } else {
    const at = across(bound.x);
    const line = { x1: at, x2: at, y1: edge.top, y2: height - edge.bottom };
    chart.append(drawn("line", { class: "bound", "stroke-dasharray": "6 3", ...line }));
    const foot = bound.below ? height - edge.bottom - 8 : edge.top + 4;
    const turned = { transform: `rotate(-90 ${at - 5} ${foot})`, "text-anchor": bound.below ? "start" : "end" };
    chart.append(drawn("text", { x: at - 5, y: foot, ...turned }, bound.text));
  }
}

function drawSeries(one, across, upward) {
  const [colour, dash] = board().styles[one.name];
  const path = "M" + one.points.map(([px, py]) => `${across(px).toFixed(1)} ${upward(py).toFixed(1)}`).join("L");
  const group = drawn("g", { class: "series", "data-name": one.name });
  if (one.band && one.band.length > 1) {
    const high = one.band.map(([px, , top]) => `${across(px).toFixed(1)} ${upward(top).toFixed(1)}`);
    const low = one.band.map(([px, bottom]) => `${across(px).toFixed(1)} ${upward(bottom).toFixed(1)}`).reverse();
    group.append(drawn("path", { class: "band", fill: colour, d: `M${[...high, ...low].join("L")}Z` }));
  }
  group.append(drawn("path", { class: "curve", stroke: colour, "stroke-dasharray": dash.join(" "), d: path }));
  if (one.dot) {
    const [px, py] = one.points[one.points.length - 1];
    group.append(drawn("circle", { cx: across(px), cy: upward(py), r: 3.5, fill: colour }));
  }
  const hit = drawn("path", { class: "hit", d: path }, drawn("title", {}, one.title || one.name));
  hit.addEventListener("pointerenter", () => singleOut(one.name));
  hit.addEventListener("pointerleave", () => singleOut(null));
  group.append(hit);
  return group;
}

/* Names beside the lines' ends, moved apart so that none covers another. */
function nameEnds(chart, series, upward, x, bottom) {
  const ends = series.map((one) => ({ name: one.name, y: upward(one.points[one.points.length - 1][1]) }));
  ends.sort((a, b) => a.y - b.y);
  for (let i = 1; i < ends.length; i++) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + 14);
  let limit = bottom;
  for (let i = ends.length - 1; i >= 0; i--, limit -= 14) ends[i].y = Math.min(ends[i].y, limit);
  for (const { name, y } of ends) {
    const text = drawn("text", { class: "name", x, y: y + 4 }, name);
    text.style.fill = board().styles[name][0];
    chart.append(drawn("g", { class: "series", "data-name": name }, text));
  }
}

function singleOut(name) {
  for (const chart of document.querySelectorAll(".chart")) {
    const known = name !== null && [...chart.querySelectorAll(".series")].some((one) => one.dataset.name === name);
    chart.classList.toggle("single", known);
    for (const one of chart.querySelectorAll(".series")) one.classList.toggle("on", one.dataset.name === name);
  }
}
