"""The metrics by their definitions: loops over pairs of runs, in exact fractions."""

import itertools
import math
from fractions import Fraction


def difference(first, second):
    """Fraction of samples that two runs label differently."""
    return Fraction(sum(a != b for a, b in zip(first, second, strict=True)), len(first))


def prediction_difference(predictions):
    runs = [list(map(int, run)) for run in predictions]
    pairs = list(itertools.combinations(runs, 2))
    return sum(difference(a, b) for a, b in pairs) / Fraction(len(pairs))


def accuracy(predictions, y_true):
    runs = [list(map(int, run)) for run in predictions]
    truth = list(map(int, y_true))
    return sum(1 - difference(run, truth) for run in runs) / Fraction(len(runs))


def effective_accuracy(predictions, y_true):
    return accuracy(predictions, y_true) - prediction_difference(predictions)


def difference_error_ratio(predictions, y_true):
    error = 1 - accuracy(predictions, y_true)
    return prediction_difference(predictions) / error if error else math.nan


def run_difference(predictions, run):
    """Mean difference of one run from the others."""
    others = [other for index, other in enumerate(predictions) if index != run]
    return sum(difference(predictions[run], other) for other in others) / Fraction(len(others))


def flip_rate(predictions, sample):
    """Fraction of pairs of runs that disagree on one sample."""
    pairs = list(itertools.combinations([int(run[sample]) for run in predictions], 2))
    return Fraction(sum(a != b for a, b in pairs), len(pairs))


def pseudo_values(statistic, predictions):
    """R θ - (R - 1) θ_(-i), each run literally left out and the statistic computed anew."""
    runs = list(predictions)
    count = len(runs)
    whole = statistic(runs)
    return [
        count * whole - (count - 1) * statistic(runs[:index] + runs[index + 1 :])
        for index in range(count)
    ]


def half_width(values, t):
    """t · sd / √R of the pseudo-values."""
    count = len(values)
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    return t * math.sqrt(variance) / math.sqrt(count)
