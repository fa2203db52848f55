import numpy as np

from tests.harness.report.generator import WORKLOADS, Algorithm, write_run
from timetrial.harness.records.metric import TargetMetric, target_metric
from timetrial.harness.report.curves import median_curve


def test_the_median_of_studies_that_reach_the_target_ends_at_it_at_the_median_time():
    studies = [(np.array([0.0, end]), np.array([0.0, 1.0])) for end in (2.0, 4.0, 6.0)]
    curve = median_curve(studies)
    assert (curve.x[-1], curve.median[-1], curve.low[-1], curve.high[-1]) == (4.0, 1.0, 4 / 6, 1.0)


def test_a_study_of_one_evaluation_is_a_point():
    curve = median_curve([(np.array([3.0]), np.array([0.7]))])
    assert curve.x.tolist() == [3.0] and curve.median.tolist() == [0.7]


def test_the_metric_of_a_target_is_found_in_the_records(tmp_path):
    run = write_run(tmp_path, [Algorithm("one")], studies=1, trials=1)
    ended = {folder.read_spec().workload.name: folder.read_curve() for folder in run.trials()}
    trials = {name: [(result.status == "target_reached", curve)] for name, (result, curve) in ended.items()}
    found = {spec.name: target_metric(spec, trials[spec.name]) for spec in WORKLOADS}
    assert found["small_gpt"] == TargetMetric("loss", False)
    assert found["cifar_resnet"] == TargetMetric("accuracy", True)
