from dataclasses import replace

import numpy as np
from report_values import ENVIRONMENT, ORT, PLAN, attempt, sha

from profiler.core.outcome import Measurement, OutputError
from reports.rows import outcome_row
from reports.to_text import outcome_table
from reports.variants import beside_fp32


def measurement(precision="fp32", median_ns=5e6):
    rng = np.random.default_rng(0)
    attempts = tuple(attempt(rng, median_ns, PLAN.rounds, 0.01) for _ in range(3))
    target = replace(ORT, precision=precision)
    return Measurement(
        sha("net"), "net", target, PLAN, ENVIRONMENT.key, "session", (), attempts
    )  # fmt: skip


def row(precision, median_ns, **changes):
    base = outcome_row(measurement())
    return replace(base, precision=precision, median_ns=median_ns, **changes)


def test_a_smaller_precision_is_held_against_fp32_of_the_same_target():
    rows = beside_fp32(
        [
            row("fp32", 100.0),
            row("int8", 50.0, options="quantization=dynamic"),
            row("fp16", 120.0),
            row("int8", 50.0, threads=7),
        ]
    )
    assert [r.fp32_ratio for r in rows] == [None, 0.5, 1.2, None]
    assert rows[1].judged == rows[1].verdict
    assert rows[2].judged == f"{rows[2].verdict}, slower than fp32"


def test_a_broken_variant_is_marked_in_the_table():
    good = measurement("int8", 2.5e6)
    far = OutputError(5.0, 0.5, 0.894, 0.0)
    bad = replace(good, attempts=tuple(replace(a, output_error=far) for a in good.attempts))
    words = " ".join(outcome_table([measurement(), bad]).split())
    assert "broken: cosine 0.8940, top-1" in words
    assert "broken" not in outcome_table([measurement(), good])
    assert outcome_row(bad).judged.startswith(outcome_row(bad).verdict)


def test_the_table_says_which_variant_is_slower_and_how_far_its_outputs_are():
    text = outcome_table([measurement(), measurement("int8", 1e7)])
    words = " ".join(text.split())
    assert "slower than fp32" in words
    assert "2.00 x fp32's latency, cosine 1.0000, top-1 agreement 100%" in words
    assert "slower" not in outcome_table([measurement(), measurement("int8", 2.5e6)])
