"use strict";
/* Can I trust it: where the numbers come from, what is missing, and what speaks against a submission's tuning. */

function facts(pairs) {
  const line = ([term, value]) => [element("dt", {}, term), element("dd", {}, String(value))];
  return element("dl", {}, ...pairs.flatMap(line));
}

function machine(environment) {
  const known = Object.entries(environment.libraries || {}).filter(([, version]) => version);
  const gigabytes = environment.memory_bytes ? `${digits(environment.memory_bytes / 2 ** 30)} GiB` : "–";
  const gpus = (environment.gpus || []).join("; ");
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const cores = `${count(environment.cores, "core")}, ${count(environment.threads, "thread")} for a trial`;
  return facts([
    ["processor", `${environment.processor}, ${cores}`],
    ...(gpus ? [["GPUs", gpus]] : []),
    ["trained on", environment.device], ["memory", gigabytes], ["system", environment.system],
    ["Python", environment.python], ["libraries", known.map(([name, version]) => `${name} ${version}`).join(", ")],
    ["commit", environment.commit],
  ]);
}

function drawTrust() {
  const { suite, trust, incomplete } = board();
  const hashes = Object.entries(trust.data_hashes).map(([workload, found]) => `${workload} ${found.join(" and ")}`);
  const parts = [facts([
    ["suite", `${suite}, version ${trust.suite_version}, ${trust.data} data`],
    ["dates", [...new Set(trust.dates)].join(" to ") || "–"], ["data hashes", hashes.join(", ") || "–"],
  ])];
  trust.environments.forEach((environment, i) => {
    const title = trust.environments.length > 1 ? `Machine and libraries ${i + 1}` : "Machine and libraries";
    parts.push(element("h3", {}, title), machine(environment));
  });
  parts.push(element("h3", {}, "How every trial ended"), statusTable());
  parts.push(element("h3", {}, "What stood between a submission and the machine"), wallTable());
  if (Object.keys(board().verifications).length) {
    parts.push(element("h3", {}, "Run again"), element("p", { class: "hint" },
      "Studies that are drawn at random are run again from the stored source. On the same libraries and processor " +
      "family their metrics must be equal bit for bit, and elsewhere as near as repeated trials are."), rerunTable());
  }
  for (const [name, trials] of Object.entries(incomplete)) {
    const named = () => [element("ul", {}, ...trials.map((trial) => element("li", {}, trial)))];
    parts.push(lazyFold(`${name} is incomplete: ${trials.length} trials without a result`, named));
  }
  parts.push(element("h3", {}, "Was it tuned?"), element("p", { class: "hint" },
    "A submission has a tuning certificate where nothing speaks against it: each target is reached in 90 % of " +
    `${board().study}, twice the draws would not surely be 10 % sooner, and the best values are not at an edge of ` +
    "the search space."), certificateTable());
  place("evidence", ...parts);
}

function statusTable() {
  const { statuses } = board().trust;
  const seen = [...new Set(Object.values(statuses).flatMap(Object.keys))].sort();
  const lines = board().names.map((name) => [
    name, ...seen.map((status) => statuses[name][status] || 0), board().unsteady[name] || 0, flagged(name, "test_gap"),
  ]);
  const heads = seen.map((status) => status.replaceAll("_", " "));
  return grid(["submission", ...heads, "with an unsteady clock", "with a test metric far from the target"], lines, 1);
}

function rerunTable() {
  const lines = board().names.flatMap((name) => {
    const { standing, reruns } = board().verifications[name];
    if (!reruns.length) return [[name, standing, "–", "–", "–", "–", "–"]];
    return reruns.map(([when, where, trials, equal, problems, times]) => [
      name, problems.length ? "challenged" : "verified", when, linked(where), `${trials}, ${equal} bit for bit`, times,
      problems.length ? problems.flatMap((problem, i) => (i ? [element("br"), problem] : [problem])) : "nothing",
    ]);
  });
  return grid(["submission", "standing", "when", "where", "trials", "a step took", "what differs"], lines);
}

function wallTable() {
  const lines = board().names.map((name) => {
    const [stood, missing] = board().trust.walls[name];
    return [name, stood || "nothing", missing ? `⚠ ${missing}` : "nothing"];
  });
  return grid(["submission", "kept from it in every trial", "not kept from it"], lines);
}

function flagged(name, flag) {
  return board().submissions[name].trials.filter((trial) => trial[7].split(" ").includes(flag)).length;
}

function certificateTable() {
  const lines = scored().rows.filter((row) => row.against).map((row) => [
    row.name, yes(!row.against.length), row.against.flatMap((reason, i) => (i ? [element("br"), reason] : [reason])),
  ]);
  return grid(["submission", "certificate", "what speaks against it"], lines);
}
