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
