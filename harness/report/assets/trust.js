"use strict";
/* Can I trust it: where the numbers come from, what is missing, and what they depend on. */

function facts(pairs) {
  return element(
    "dl",
    {},
    ...pairs.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, String(value))]),
  );
}

function machine(environment) {
  const libraries = Object.entries(environment.libraries || {})
    .filter(([, version]) => version)
    .map(([name, version]) => `${name} ${version}`);
  const gigabytes = environment.memory_bytes ? `${digits(environment.memory_bytes / 2 ** 30)} GiB` : "–";
  const gpus = (environment.gpus || []).join("; ");
  return facts([
    ["processor", `${environment.processor}, ${environment.cores} cores, ${environment.threads} threads for a trial`],
    ...(gpus ? [["GPUs", gpus]] : []),
    ["trained on", environment.device],
    ["memory", gigabytes],
    ["system", environment.system],
    ["Python", environment.python],
    ["libraries", libraries.join(", ")],
    ["commit", environment.commit],
  ]);
}

function drawTrust() {
  const { trust, notes, incomplete, neighbours } = board();
  const parts = [];
  if (notes.length) parts.push(element("ul", {}, ...notes.map((note) => element("li", {}, note))));
  const hashes = Object.entries(trust.data_hashes).map(([workload, found]) => `${workload} ${found.join(" and ")}`);
  parts.push(
    facts([
      ["suite", `${board().suite}, version ${trust.suite_version}, ${trust.data} data`],
      ["dates", [...new Set(trust.dates)].join(" to ") || "–"],
      ["data hashes", hashes.join(", ") || "–"],
    ]),
  );
  trust.environments.forEach((environment, i) =>
    parts.push(
      element("h3", {}, trust.environments.length > 1 ? `Machine and libraries ${i + 1}` : "Machine and libraries"),
      machine(environment),
    ),
  );
  parts.push(element("h3", {}, "How every trial ended"), statusTable());
  for (const [name, trials] of Object.entries(incomplete))
    parts.push(
      lazyFold(`${name} is incomplete: ${trials.length} trials without a result`, () => [
        element("ul", {}, ...trials.map((trial) => element("li", {}, trial))),
      ]),
    );
  parts.push(
    element("h3", {}, "What a score depends on"),
    element(
      "p",
      { class: "hint" },
      "The score again when any one other submission or any one workload is left out: the lowest and the highest.",
    ),
    fragilityTable(),
  );
  if (neighbours.length)
    parts.push(element("h3", {}, "Neighbours, compared study by study"), neighbourTable(neighbours));
  place("evidence", ...parts);
}

function statusTable() {
  const { statuses } = board().trust;
  const seen = [...new Set(Object.values(statuses).flatMap(Object.keys))].sort();
  const lines = board().names.map((name) => [
    name,
    ...seen.map((status) => statuses[name][status] || 0),
    board().unsteady[name] || 0,
    flagged(name, "test_gap"),
  ]);
  return grid(
    [
      "submission",
      ...seen.map((status) => status.replaceAll("_", " ")),
      "with an unsteady clock",
      "with a test metric far from the target",
    ],
    lines,
    1,
  );
}

function flagged(name, flag) {
  return board().submissions[name].trials.filter((trial) => trial[7].split(" ").includes(flag)).length;
}

function fragilityTable() {
  const without = (name) => (name ? [element("small", {}, ` without ${name}`)] : []);
  const lines = measure().rows.map((row) => {
    const [low, lowWithout, high, highWithout] = row.fragility;
    return [
      row.name,
      hundredths(row.score[0]),
      [hundredths(low), ...without(lowWithout)],
      [hundredths(high), ...without(highWithout)],
    ];
  });
  return grid(["submission", "score", "lowest", "highest"], lines);
}

function neighbourTable(neighbours) {
  const lines = neighbours.map(([better, worse, difference, distinguishable]) => [
    `${better} over ${worse}`,
    hundredths(difference[0]),
    difference.length > 1 ? range(difference, hundredths) : "–",
    distinguishable ? "yes" : "not distinguishable",
  ]);
  return grid(["by time", "score difference", "95 % interval", "told apart?"], lines);
}
