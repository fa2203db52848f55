"use strict";
/* Who wins: the ranking, sorted by any of its columns. A miss sorts last either way. */

function columns() {
  const found = [
    { key: "rank", title: "rank, submission", up: true, value: (row) => row.rank, class: "who", cell: whoCell },
    { key: "score", title: "score (95 % interval)", value: (row) => row.score && row.score[0], cell: scoreCell },
    {
      key: "speedup",
      title: `speed-up over ${board().reference}`,
      number: true,
      value: (row) => row.speedup && row.speedup[0],
      cell: speedupCell,
    },
    { key: "reached", title: "targets reached", number: true, value: (row) => row.reached, cell: reachedCell },
  ];
  for (const workload of board().workloads) {
    const result = (row) => row.workloads && row.workloads[workload.name];
    found.push({
      key: workload.name,
      title: workload.name,
      up: true,
      number: true,
      value: (row) => result(row) && result(row)[0][0],
      cell: (row) => resultCell(result(row)),
    });
  }
  found.push({
    key: "memory",
    title: "optimizer state per parameter",
    up: true,
    number: true,
    value: (row) => board().memory[row.name],
    cell: memoryCell,
  });
  return found;
}

function rows() {
  const unscored = Object.keys(board().incomplete)
    .filter((name) => !rowOf(name))
    .map((name) => ({ name, rank: null }));
  return [...measure().rows, ...unscored];
}

function whoCell(row) {
  const incomplete = (board().incomplete[row.name] || []).length;
  const remark = incomplete ? element("small", {}, ` ${incomplete} trials without a result`) : null;
  const rank = row.rank === null ? "–" : `${row.rank}${row.tied ? "=" : ""}`;
  return [
    element("span", { class: "rank" }, rank),
    " ",
    element("a", { href: `#submission-${encodeURIComponent(row.name)}` }, row.name),
    remark,
  ];
}

function scoreCell(row) {
  if (!row.score) return [element("span", { class: "miss" }, "none: incomplete")];
  const [value, low, high] = row.score;
  const at = (score) => 4 + 80 * score;
  const svg = drawn("svg", { width: 88, height: 14, "aria-hidden": "true", class: "mark" });
  svg.append(drawn("line", { x1: 4, x2: 84, y1: 7, y2: 7, stroke: "var(--line)" }));
  for (const end of [4, 84]) svg.append(drawn("line", { x1: end, x2: end, y1: 4, y2: 10, stroke: "var(--line)" }));
  if (low !== undefined)
    svg.append(
      drawn("line", {
        x1: at(low),
        x2: at(high),
        y1: 7,
        y2: 7,
        stroke: "var(--accent)",
        "stroke-width": 4,
        opacity: 0.45,
      }),
    );
  svg.append(drawn("circle", { cx: at(value), cy: 7, r: 4, fill: "var(--accent)" }));
  return [
    svg,
    element("b", {}, hundredths(value)),
    element("small", {}, low === undefined ? "" : ` ${range(row.score, hundredths)}`),
  ];
}

function speedupCell(row) {
  if (!row.speedup) return ["–"];
  const interval = range(row.speedup, hundredths);
  return [`${times(row.speedup[0])}${row.marked ? "*" : ""} `, element("small", {}, interval)];
}

function reachedCell(row) {
  return [row.reached === undefined ? "–" : `${row.reached} of ${board().workloads.length}`];
}

function resultCell(result) {
  if (!result) return ["–"];
  const [value, ratio, reached, studies] = result;
  if (value[0] === null)
    return [element("span", { class: "miss" }, "miss"), element("small", {}, ` ${reached}/${studies}`)];
  const few = reached < studies ? ` ${reached}/${studies}` : "";
  return [times(ratio), element("small", {}, ` ${digits(value[0])} ${unit()}${few}`)];
}

function memoryCell(row) {
  const memory = board().memory[row.name];
  return [memory === null ? "–" : `${memory.toFixed(1)} B`];
}

function sorted(list, column) {
  const known = (row) => column.value(row) !== null && column.value(row) !== undefined;
  const sign = state.ascending ? 1 : -1;
  return [
    ...list.filter(known).sort((a, b) => sign * (column.value(a) - column.value(b))),
    ...list.filter((row) => !known(row)),
  ];
}

function drawRanking() {
  const all = columns();
  const chosen = all.find((column) => column.key === state.sort) || all[0];
  const heads = all.map((column) => {
    const direction = column === chosen ? (state.ascending ? "ascending" : "descending") : null;
    const sort = () => {
      state.ascending = state.sort === column.key ? !state.ascending : Boolean(column.up);
      state.sort = column.key;
      drawRanking();
      document.querySelector(`#ranking th[data-key="${CSS.escape(column.key)}"] button`).focus();
    };
    const button = element("button", { type: "button", onclick: sort }, ...breakable(column.title));
    return element(
      "th",
      {
        scope: "col",
        "data-key": column.key,
        "aria-sort": direction,
        class: column.class || (column.number ? "number" : null),
      },
      button,
    );
  });
  const body = sorted(rows(), chosen)
    .filter((row) => matches(row.name))
    .map((row) => {
      const cells = all.map((column) => {
        const content = column.cell(row).filter((part) => part !== null);
        if (column.class) return element("th", { scope: "row", class: column.class }, ...content);
        return element("td", { class: column.number ? "number" : null }, ...content);
      });
      return element("tr", { "data-name": row.name }, ...cells);
    });
  const none = element(
    "tr",
    {},
    element("td", { class: "empty", colspan: all.length }, `no submission matches “${state.filter}”`),
  );
  place(
    "ranking",
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...(body.length ? body : [none])),
    ),
  );
  drawHeadline();
}

function drawHeadline() {
  const first = measure().rows.filter((row) => row.rank === 1);
  const by = state.measure;
  const names = first.map((row) => row.name).join(", ");
  let said = "No submission is complete, so nobody has a score yet.";
  if (first.length > 1) said = `By ${by}, ${names} share the first place: their scores cannot be told apart.`;
  if (first.length === 1) {
    const { name, score, speedup, marked, reached } = first[0];
    const interval = score.length > 1 ? ` (${range(score, hundredths)})` : "";
    const targets = `${reached} of ${board().workloads.length} targets`;
    said = `By ${by}, ${name} wins with a score of ${hundredths(score[0])}${interval} and reaches ${targets}.`;
    if (speedup && name !== board().reference) {
      const factor = `${times(speedup[0])}${range(speedup) ? ` (${range(speedup, hundredths)})` : ""}`;
      const misses = marked ? ", where a miss counts as the budget" : "";
      said += ` It trains ${factor} as fast as ${board().reference}${misses}.`;
    }
  }
  place("headline", said);
  const missed = measure().rows.some((row) => row.marked) ? " * holds a miss, which counts as the budget." : "";
  place(
    "ranking-note",
    `Per workload: ${state.measure === "time" ? "time" : "steps"} to target relative to the fastest, `,
    "median over studies; 3/5: reached in 3 of 5 studies. ",
    `= marks a shared rank: neighbours whose scores cannot be told apart.${missed}`,
  );
}
