"use strict";
/* Elements, numbers and the state that every part of the page reads. Text only ever enters as text. */
const DATA = JSON.parse(document.getElementById("data").textContent);
const state = { board: 0, clock: DATA.boards[0].clock, filter: "", hidden: new Set(), sort: "rank", ascending: true };
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (["onclick", "oninput", "onchange", "ontoggle"].includes(name)) made[name] = value;
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function place(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

const board = () => DATA.boards[state.board];
const clock = () => (board().clocks[state.clock] ? state.clock : board().clock);
const scored = () => board().clocks[clock()];
const rowOf = (name) => scored().rows.find((row) => row.name === name);
const inWords = () => {
  if (clock() === "steps") return "steps";
  return clock().startsWith("at ") ? `seconds ${clock()}` : `${clock()} seconds`;
};
const matches = (name) => {
  const submission = board().submissions[name];
  return `${name} ${submission.description} ${submission.author}`.toLowerCase().includes(state.filter.toLowerCase());
};

/* Three significant digits without an exponent: 12.3, 0.0456, 1,234. */
function digits(value, count = 3) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const places = Math.max(0, Math.min(8, count - 1 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
}

function range(estimate, form = digits) {
  if (!estimate || estimate.length < 3 || estimate[1] === estimate[2]) return "";
  return `${form(estimate[1])} to ${form(estimate[2])}`;
}

/* The name, with places after underscores where a narrow column may break it. */
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")]);
}

const unit = () => scored().unit;

const hundredths = (value) => (value === null ? "–" : value.toFixed(2));
const times = (value) => (value === null ? "–" : `${value < 10 ? value.toFixed(2) : digits(value)}×`);

/* A share, without rounding what is not certain to certainty. */
function percent(share) {
  const shown = share > 0 && share < 1 ? Math.min(0.99, Math.max(0.01, share)) : share;
  return `${Math.round(100 * shown)} %`;
}

function mark(name) {
  const [colour, dash] = board().styles[name];
  const svg = drawn("svg", { class: "mark", width: 26, height: 10, "aria-hidden": "true" });
  const line = { x1: 1, x2: 25, y1: 5, y2: 5, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash.join(" ") };
  svg.append(drawn("line", line));
  return svg;
}
