"""The metrics by their definitions: loops over pairs of runs, in exact fractions."""

import decimal
import itertools
import math
import operator
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
    """(1 + 1/(2R)) · t · sd / √R of the pseudo-values."""
    count = len(values)
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    return (1 + 1 / (2 * count)) * t * math.sqrt(variance) / math.sqrt(count)


# --- any task: what counts as a difference is a function of two predictions -----------------------


def beyond(tolerance):
    """Whether two numbers are further apart than a tolerance, in float64 as Python subtracts."""
    return lambda a, b: abs(float(a) - float(b)) > tolerance


def counts(runs, others, differ=operator.ne):
    """Samples on which each run differs from another, summed over the others."""
    return [
        sum(differ(a, b) for other in others for a, b in zip(run, other, strict=True))
        for run in runs
    ]


def matrix(runs, differ=operator.ne):
    """Fractions of samples on which two runs differ; a run differs from itself nowhere."""
    return [
        [Fraction(counts([a], [b], differ)[0], len(a)) if a is not b else Fraction(0) for b in runs]
        for a in runs
    ]


def flip_rates(runs, differ=operator.ne):
    """Fraction of pairs of runs that differ, for each sample."""
    return [
        mean(differ(a, b) for a, b in itertools.combinations(sample, 2))
        for sample in zip(*runs, strict=True)
    ]


def mean_over_pairs(runs, differ=operator.ne):
    """Mean fraction of samples on which two runs differ."""
    return mean(
        Fraction(counts([a], [b], differ)[0], len(a)) for a, b in itertools.combinations(runs, 2)
    )


def without(items, index):
    return [item for place, item in enumerate(items) if place != index]


def mean(values):
    values = [Fraction(value) for value in values]
    return sum(values) / len(values)


# --- further measures -----------------------------------------------------------------------------


def ranks(sample):
    """Each label's rank among the labels that one sample is given."""
    return [sorted(set(sample)).index(label) for label in sample]


def ambiguity(runs):
    """Fraction of samples on which any two runs differ."""
    return mean(len(set(sample)) > 1 for sample in zip(*runs, strict=True))


def class_flips(runs, y_true):
    """By class of the test set: the prediction difference on its samples, and how many they are."""
    found = []
    for label in sorted(set(y_true)):
        samples = [place for place, truth in enumerate(y_true) if truth == label]
        own = [[run[place] for place in samples] for run in runs]
        found.append((label, prediction_difference(own), len(samples)))
    return found


def negative_flip_rate(old, new, y_true):
    """Fraction of samples that one run has right and another wrong, over all pairs of an old and a new."""
    return mean(
        Fraction(sum(a == t != b for a, b, t in zip(was, now, y_true, strict=True)), len(y_true))
        for was in old
        for now in new
    )


def softmax(row):
    """To 40 digits."""
    with decimal.localcontext() as context:
        context.prec = 40
        powers = [decimal.Decimal(float(value)).exp() for value in row]
        return [power / sum(powers) for power in powers]


def score_distance(probabilities):
    """Squared distance of two runs' probabilities, mean over samples and pairs."""
    return mean(
        sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(first[x], second[x], strict=True))
        for first, second in itertools.combinations(probabilities, 2)
        for x in range(len(first))
    )


def r2(run, y_true):
    exact, truth = [Fraction(float(value)) for value in run], [Fraction(float(y)) for y in y_true]
    unexplained = sum((y - value) ** 2 for y, value in zip(truth, exact, strict=True))
    return 1 - unexplained / sum((y - mean(truth)) ** 2 for y in truth)


def mae(run, y_true):
    return mean(
        abs(Fraction(float(a)) - Fraction(float(b))) for a, b in zip(run, y_true, strict=True)
    )
