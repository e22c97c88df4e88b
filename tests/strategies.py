"""Hypothesis strategies: label matrices with true labels."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")

_WIDE = (0, 1, 255, 256, 1023, 1024, 70_000, 2**40)  # each side of every dtype and block limit


@st.composite
def audits(draw, min_runs=2, max_runs=6, max_samples=12):
    """Predictions (n_runs, n_samples) and y_true (n_samples,), int64; from one class to large labels."""
    shape = (
        draw(st.integers(min_runs, max_runs)),
        draw(st.integers(1, max_samples)),
    )
    label = st.integers(0, draw(st.integers(0, 4))) | draw(
        st.sampled_from([st.nothing(), st.sampled_from(_WIDE)])
    )
    predictions = draw(npst.arrays(np.int64, shape, elements=label))
    if draw(st.booleans()):  # runs that mostly agree, as trained ones do
        keep = draw(npst.arrays(bool, shape))
        predictions = np.where(keep, predictions[0], predictions)
    y_true = draw(npst.arrays(np.int64, shape[1], elements=label))
    return predictions, y_true


@st.composite
def two_groups(draw, max_runs=4):
    """Labels of two groups of runs over one test set, of types that may differ, and y_true."""
    labels, y_true = draw(audits(min_runs=2, max_runs=2 * max_runs))
    first = draw(st.integers(1, len(labels) - 1))
    kinds = ["int64", "uint64", *(["uint8"] if labels.max() < 256 else [])]
    old, new = (labels[:first], labels[first:])
    return (
        old.astype(draw(st.sampled_from(kinds))),
        new.astype(draw(st.sampled_from(kinds))),
        y_true,
    )


@st.composite
def targets(draw, min_runs=2, max_runs=6, max_samples=8):
    """Predicted numbers (n_runs, n_samples), a tolerance that some pairs hit exactly, and y_true.

    Whole or tenth multiples of a unit, so that there are ties, or anything that float64 holds.
    """
    shape = (draw(st.integers(min_runs, max_runs)), draw(st.integers(1, max_samples)))
    unit = draw(st.sampled_from([1.0, 0.1, 0.125, 1e-300, 1e300]))
    number = st.integers(-6, 6).map(lambda multiple: multiple * unit)
    if draw(st.booleans()):
        number |= st.floats(allow_nan=False, allow_infinity=False)
    tolerance = unit * draw(st.sampled_from([0.5, 1.0, 2.0, 3.0]))
    predictions = draw(npst.arrays(np.float64, shape, elements=number))
    return predictions, tolerance, draw(npst.arrays(np.float64, shape[1], elements=number))


@st.composite
def label_sets(draw, min_runs=2, max_runs=5, max_samples=5, max_labels=10):
    """Several labels a sample, 0 or 1: predictions (n_runs, n_samples, n_labels) and y_true."""
    shape = tuple(
        draw(st.integers(low, high))
        for low, high in ((min_runs, max_runs), (1, max_samples), (1, max_labels))
    )
    kind = draw(st.sampled_from(["uint8", "int64", "bool"]))
    bits = st.integers(0, 1)
    return (
        draw(npst.arrays(np.int64, shape, elements=bits)).astype(kind),
        draw(npst.arrays(np.int64, shape[1:], elements=bits)).astype(kind),
    )


@st.composite
def scores(draw, element, max_runs=4, max_samples=4, max_classes=4):
    """An array (n_runs, n_samples, n_classes), float64."""
    shape = tuple(
        draw(st.integers(low, high))
        for low, high in ((2, max_runs), (1, max_samples), (2, max_classes))
    )
    return draw(npst.arrays(np.float64, shape, elements=element))
