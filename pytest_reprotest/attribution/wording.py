"""What follows from the rungs, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_reprotest.seeds import ONE_ULP, SOURCES

if TYPE_CHECKING:
    from pytest_reprotest.attribution.found import Climbed

SPELLED = {"init": "the initial weights", "data_order": "the data order", "noise": "the noise"}

_MOST = 0.8  # a share from which one source alone gives about all
_AT_LEAST = 0.5  # the lower end of its interval from which that is said
_AMPLIFIED = 0.5  # the share of one ulp from which other bits are as good as another seed


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.958), percent(0.004), percent(0.0)
    ('96%', '0.4%', '0%')
    """
    return f"{100 * share:.1f}%" if 0 < share < 0.01 else f"{100 * share:.0f}%"


def meaning(rungs: Sequence[Climbed]) -> tuple[str, ...]:
    """The sentences of an attribution."""
    return (*_found({rung.name: rung for rung in rungs if rung.n_runs}), *_left_out(rungs))


def _found(by_name: dict[str, Climbed]) -> Iterator[str]:
    identical, everything = by_name.get("identical"), by_name.get("all")
    if identical is not None and not identical.same_bits:
        yield (
            f"runs of one seed differ (PD {identical.prediction_difference.value:.3f}), in bits at least: "
            "something besides the seed decides, and every share holds that, too; --repro-deterministic "
            "tells where it begins"
        )
    if everything is None:
        yield "without runs in which everything varies no share can be told"
        return
    if not everything.prediction_difference.value:
        yield "no two runs differ though everything varies, so there is nothing to attribute"
        return
    sources = [by_name[source] for source in SOURCES if source in by_name]
    if sources:
        yield _of_sources(sources)
    nudged = by_name.get(ONE_ULP)
    if (
        nudged is not None
        and nudged.share.low >= _AMPLIFIED / 2
        and nudged.share.value >= _AMPLIFIED
    ):
        yield (
            f"one initial weight moved by one ulp gives {percent(nudged.share.value)} already: this training "
            "amplifies whatever differs, so another machine, version or number of threads may change as many "
            "predictions as another seed"
        )
    elif nudged is not None and not nudged.prediction_difference.value:
        yield "one initial weight moved by one ulp changes no prediction"
    still = [SPELLED[rung.name] for rung in sources if rung.same_bits]
    if still:
        yield f"varying only {' or '.join(still)} changes nothing, to the last bit: nothing draws from it"


def _of_sources(sources: Sequence[Climbed]) -> str:
    ordered = sorted(sources, key=lambda rung: -rung.share.value)
    top, full = ordered[0], "of the full prediction difference"
    large = [rung for rung in ordered if rung.share.value >= _MOST and rung.share.low >= _AT_LEAST]
    others = [rung for rung in ordered if rung not in large and rung.share.value > 0]
    if len(large) > 1:
        names = " or only ".join(SPELLED[rung.name] for rung in large)
        shares = " or ".join(percent(rung.share.value) for rung in large)
        return f"varying only {names} gives {shares} {full}: fixing one of the seeds alone will not help"
    if large:
        told = f"varying only {SPELLED[top.name]} gives {percent(top.share.value)} {full}"
        if not others:
            return f"{told}, and no other source any: fix the seed of {SPELLED[top.name]}"
        names = " and ".join(SPELLED[rung.name] for rung in others)
        return (
            f"{told}: fixing the seed of {names} alone will not help, and fixing that of "
            f"{SPELLED[top.name]} leaves the {percent(others[0].share.value)} of {SPELLED[others[0].name]}"
        )
    if top.share.value >= _MOST:
        end = percent(top.share.low) if not math.isnan(top.share.low) else "unknown"
        return (
            f"varying only {SPELLED[top.name]} gives {percent(top.share.value)} {full}, and with "
            f"{top.n_runs} runs its lower end is {end}: it takes more runs to tell which seed matters"
        )
    if not top.share.value:
        return "no source alone changes a prediction, only several together"
    rest = ",".join(source for source in SOURCES if source != top.name)
    return (
        f"no source alone gives more than {percent(top.share.value)} {full} ({top.name}): "
        f"--repro-vary={rest} tells what is left where its seed is fixed"
    )


def _left_out(rungs: Sequence[Climbed]) -> Iterator[str]:
    """The rungs that were left out, once a reason."""
    by_reason: dict[str, list[str]] = {}
    for rung in rungs:
        if rung.left_out:
            by_reason.setdefault(rung.left_out, []).append(rung.name)
    for reason, names in by_reason.items():
        yield f"{', '.join(names)} left out: {reason}"
