"""Whatever stands in a file or an override: a clear error or a value that is used as it is, never a traceback."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.harness.trial.tiny import SPEC
from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import read_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.search_space import parse_hyperparameters, parse_search_space
from timetrial.harness.records.files import CorruptRecord, Evaluation, TrialFolder

CASES = settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["log", "linear", "min", "max", "scaling", "choices", 0, 1, 1e-3, -1.0, "${x}", "???"]),
)
names = st.one_of(
    st.sampled_from(["min", "max", "scaling", "choices", "learning_rate", "beta1"]), st.text(max_size=6), scalars
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(names, inner, max_size=3)),
    max_leaves=4,
)
axes = st.fixed_dictionaries(
    {"min": scalars, "max": scalars, "scaling": st.sampled_from(["log", "linear", "sqrt", None])}
)
spaces = st.one_of(values, st.dictionaries(st.sampled_from(["a", "b", "c"]), st.one_of(axes, values), max_size=3))


@CASES
@given(spaces)
def test_a_search_space_is_refused_in_a_line_or_draws_points_within_it(given_space) -> None:
    try:
        space = parse_search_space(given_space, "submission.yaml")
    except UsageError as error:
        assert "\n" not in str(error)
        return
    for point in space.draw(0, 5):
        for name, value in point.items():
            axis = space.axes.get(name)
            if hasattr(axis, "min"):
                assert math.isfinite(value)
                assert axis.min * (1 - 1e-9) - 1e-300 <= value <= axis.max * (1 + 1e-9) + 1e-300 or axis.min < 0
            elif axis is not None:
                assert value in axis.values


@CASES
@given(values)
def test_hyperparameters_are_refused_in_a_line_or_kept(given_values) -> None:
    try:
        kept = parse_hyperparameters(given_values, "submission.yaml")
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert list(kept.values()) == list(given_values.values())


fields = st.sampled_from(["author", "description", "references", "licence", "search_space", "hyperparameters", "other"])
documents = st.one_of(
    st.dictionaries(fields, values, max_size=6).map(lambda d: yaml.safe_dump(d, allow_unicode=True).encode()),
    st.fixed_dictionaries({"author": st.just("a"), "description": st.just("d"), "licence": st.just("l")}, optional={
        "search_space": spaces, "hyperparameters": values, "references": values,
    }).map(lambda d: yaml.safe_dump(d).encode()),
    st.binary(max_size=80),
    st.text(alphabet="{}[]:-,&*!|>'\"%@` \n\tab01", max_size=40).map(str.encode),
)  # fmt: skip


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("submissions")
    (root / "fuzzed").mkdir()
    (root / "fuzzed" / "submission.py").write_text("")
    return root


@CASES
@given(document=documents)
def test_a_submission_yaml_is_read_or_refused_in_a_line(document, submissions) -> None:
    (submissions / "fuzzed" / "submission.yaml").write_bytes(document)
    try:
        folder = read_submission("fuzzed", submissions / "fuzzed" / "submission.yaml")
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert folder.rulesets


EVALUATION = Evaluation(10.0, 1.0, 1.0, {"loss": 1.0}, {"loss": 1.0, "accuracy": 0.5}, None, 10)
lines = st.one_of(
    st.binary(max_size=100),
    values.map(lambda v: json.dumps(v, default=str, skipkeys=True).encode()),
    st.dictionaries(st.sampled_from(list(asdict(EVALUATION))), values, max_size=3).map(
        lambda d: json.dumps(asdict(EVALUATION) | json.loads(json.dumps(d, skipkeys=True))).encode()
    ),
    st.integers(0, 200).map(lambda n: json.dumps(asdict(EVALUATION)).encode()[:n]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> TrialFolder:
    folder = TrialFolder(tmp_path_factory.mktemp("trial"))
    folder.write_spec(SPEC)
    return folder


@CASES
@given(content=st.lists(lines, max_size=4))
def test_a_line_of_evaluations_is_read_as_it_stands_or_called_corrupt(content, folder) -> None:
    folder.evaluations_file.write_bytes(b"".join(line + b"\n" for line in content))
    try:
        read = folder.read_evaluations()
    except CorruptRecord as error:
        assert str(folder.evaluations_file) in str(error)
        return
    assert len(read) <= len(content) * 100
    assert all(math.isfinite(e.seconds) and e.seconds >= 0 and isinstance(e.validation, dict) for e in read)
    assert [e.step for e in read] == sorted({e.step for e in read})


@CASES
@given(
    content=st.one_of(st.binary(max_size=200), values.map(lambda v: json.dumps(v, default=str, skipkeys=True).encode()))
)
def test_any_content_of_the_other_files_is_called_corrupt(content, folder) -> None:
    other = TrialFolder(folder.path / "other")
    other.path.mkdir(exist_ok=True)
    for file, read in (
        (other.result_file, other.read_result),
        (other.checkpoint_file, other.read_checkpoint),
        (other.spec_file, other.read_spec),
    ):
        file.write_bytes(content)
        with pytest.raises(CorruptRecord):
            read()


KEYS = [
    "data",
    "studies",
    "ruleset.studies",
    "workloads",
    "variant_seed",
    "max_steps",
    "submission",
    "suite.version",
    "x",
]


@pytest.fixture(scope="module")
def config() -> dict:
    return compose(["submission=template", "suite=quickstart"])


@CASES
@given(
    key=st.sampled_from(["submission", "workloads", "data", "studies", "trials", "target", "sizes", "eval_every"]),
    value=values,
)
def test_a_configuration_makes_a_plan_or_is_refused_in_a_line(key, value, config) -> None:
    changed = json.loads(json.dumps(config))
    changed["ruleset"] |= {"studies": 1, "trials": 1}
    if key in ("studies", "trials"):
        changed["ruleset"][key] = value if not isinstance(value, int) or value < 9 else 9
    elif key in ("target", "sizes", "eval_every"):
        changed["suite"]["workloads"]["small_gpt"][key] = value
    else:
        changed[key] = value
    try:
        assert make_plan(changed, "cpu", 1)
    except UsageError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.tuples(st.sampled_from(KEYS), st.text(max_size=8)).map("=".join)), max_size=2
    )
)
@example(["=0"])
@example(["0=\n"])
def test_an_override_is_taken_or_refused_in_a_line(overrides) -> None:
    try:
        compose(["submission=template", *overrides])
    except UsageError as error:
        assert "\n" not in str(error)
