"""Audits that are killed again and again at random moments, and resumed until they finish.

    python tests/faults/kills.py FOLDER [--kills 200] [--seed 0] [--workers 1]

One process that has imported torch forks each attempt, so that a kill costs no start-up. Prints one JSON object:
how often was killed, and what went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.store.homes import own_code

REGULARIZERS = {"function": ("none", "momentum", "dropout"), "torch": ("none", "dropout")}
RUNS = 6
LOG = "KILLS_LOG"

inputs = np.random.default_rng(0).normal(size=(80, 6)).astype("float32")
targets = (inputs[:, :3].sum(axis=1) > 0).astype("int64")


def log(*words: object) -> None:
    """One line of the log that all attempts at an audit share; a line is whole, or not there."""
    file = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND)
    os.write(file, (" ".join(map(str, words)) + "\n").encode())
    os.close(file)


def train_fn(run):
    """A perceptron on noisy labels, some 30 ms; its scores."""
    log("trains", run.regularizer, run.index)
    drawn, until = run.generator("noise", kind="numpy"), time.perf_counter() + 0.03
    weights = run.generator("init", kind="numpy").normal(size=(6, 2))
    shuffled = run.generator("data_order", kind="numpy").permutation(80)
    for _ in range(20):
        for index in shuffled:
            wrong = int((inputs[index] @ weights).argmax()) != targets[index]
            step = wrong * 0.1 + 0.01 * drawn.normal()
            weights[:, targets[index]] += step * inputs[index]
            weights[:, 1 - targets[index]] -= step * inputs[index]
    time.sleep(max(0.0, until - time.perf_counter()))
    return (inputs @ weights).astype("float32")


def make_net():
    """Of the torch trainer."""
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def report(outcome) -> None:
    """Called once the executor has yielded a run: it counts as finished from here on."""
    log("reported", outcome.run.regularizer, outcome.run.index)
    os.write(SIGNALS, b".")


SIGNALS = 2  # replaced by a pipe in each attempt


def audited(kind: str, store: Path | None, workers: int) -> dict:
    """Everything of an audit that training decides."""
    trainer = {"model_factory": make_net}
    if kind == "function":
        trainer = {"model_factory": FunctionTrainer(train_fn, y_true=targets, depends_on=[])}
    else:
        trainer |= {"train": (inputs, targets), "test": (inputs, targets), "epochs": 6, "lr": 0.05}
        trainer |= {"batch_size": 8, "engine": "sequential"}
    found = audit(
        **trainer,
        name=kind,
        runs=RUNS,
        regularizers=",".join(REGULARIZERS[kind]),
        device="cpu",
        workers=workers,
        progress=lambda plan: report,
        store=store,
        resume=store is not None,
        max_prediction_difference=0.15,
    )
    return {
        label: {
            "predictions": (held.predictions.dtype.str, held.predictions.tolist()),
            "losses": [[loss.hex() for loss in run] for run in held.losses],
            "scores": held.score_distance.hex(),
            "summary": repr(held.summary),
            "verdict": repr(held.verdict),
        }
        for label, held in found.by_regularizer.items()
    }


def attempt(kind: str, folder: Path, store: Path | None, workers: int) -> tuple[int, int]:
    """A forked process that audits, as (its pid, the end of a pipe that tells of finished runs)."""
    global SIGNALS
    ours, SIGNALS = os.pipe()
    child = os.fork()
    if child:
        os.close(SIGNALS)
        return child, ours
    try:
        found = audited(kind, store, workers)
        (folder / "result.part").write_text(json.dumps(found), encoding="utf-8")
        (folder / "result.part").rename(folder / "result.json")
    except BaseException as error:
        (folder / "error").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
    os._exit(0)


def waited(signals: int, seconds: float, count: int) -> bool:
    """Whether an attempt still runs after some time, or after so many finished runs."""
    until = time.monotonic() + seconds
    while count > 0 and (left := until - time.monotonic()) > 0:
        if select.select([signals], [], [], left)[0]:
            if not os.read(signals, 1):
                return False
            count -= 1
    return True


def committed(store: Path) -> dict[tuple[str, int], tuple[float, str]]:
    """(regularizer, run) of what the store holds → when it was finished, and the checksum."""
    path = store / "runs.sqlite3"
    if not path.exists():
        return {}
    connection = sqlite3.connect(path, timeout=60)
    try:
        found = connection.execute(
            "SELECT regularizer, run, finished, checksum FROM runs JOIN contexts ON key = context"
        ).fetchall()
    except sqlite3.OperationalError:  # killed before there were tables
        found = []
    connection.close()
    return {(label, int(run.split("run ")[1].split(",")[0])): row for label, run, *row in found}


def workers_of(pid: int) -> list[int]:
    """The worker processes of an attempt."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def result_of(folder: Path) -> dict | None:
    path = folder / "result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


class Trial:
    """One audit, killed until it is through."""

    def __init__(self, kind: str, folder: Path, workers: int, drawn: random.Random) -> None:
        self.kind, self.folder, self.workers, self.drawn = kind, folder, workers, drawn
        folder.mkdir()
        self.log = folder / "log"
        self.log.touch()
        os.environ[LOG] = str(self.log)
        self.kills = self.of_workers = 0
        self.wrong: list[str] = []

    def run(self, most: int) -> None:
        """Attempt until there is a result; kill up to ``most`` times."""
        store, held = self.folder / "store", {}
        while result_of(self.folder) is None and not self.wrong:
            before = len(self.lines())
            pid, signals = attempt(self.kind, self.folder, store, self.workers)
            if self.kills < most:
                self.kill(pid, signals)
            os.waitpid(pid, 0)
            os.close(signals)
            lines = self.lines()
            if again := held.keys() & {run for what, run in lines[before:] if what == "trains"}:
                self.wrong.append(f"trained again: {sorted(again)}")
            now = committed(store)
            if other := [run for run in held if run in now and now[run] != held[run]]:
                self.wrong.append(f"written again: {other}")
            reported = {run for what, run in lines if what == "reported"}
            if gone := (held.keys() | reported) - now.keys():
                self.wrong.append(f"not in the store: {sorted(gone)}")
            held = now
            if (self.folder / "error").exists():
                self.wrong.append((self.folder / "error").read_text(encoding="utf-8"))

    def kill(self, pid: int, signals: int) -> None:
        """At a moment drawn at random, half of them right after a run was finished."""
        drawn = self.drawn
        if self.workers > 1:
            moment = waited(signals, 60, drawn.randint(1, 8))
            victims = workers_of(pid)
            if moment and victims and not self.of_workers:
                os.kill(drawn.choice(victims), signal.SIGKILL)
                self.of_workers += 1
                moment = waited(signals, 60, drawn.randint(1, 6))
        elif drawn.random() < 0.5:
            moment = waited(signals, drawn.uniform(0, 0.8), 10**6)
        else:
            moment = waited(signals, 5, drawn.randint(1, 8))
            time.sleep(drawn.uniform(0, 0.01))
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if moment and not ended:
            os.kill(pid, signal.SIGKILL)
            self.kills += 1

    def lines(self) -> list[tuple[str, tuple[str, int]]]:
        """What happened to which run, in order."""
        lines = (line.split() for line in self.log.read_text(encoding="utf-8").splitlines())
        return [(what, (label, int(index))) for what, label, index in lines]


def main() -> None:
    """Kill, resume, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    own_code()  # once for all attempts
    drawn, wrong = random.Random(given.seed), []
    kills = of_workers = audits = 0
    expected: dict[str, dict | None] = {}
    for kind in REGULARIZERS:
        trial = Trial(kind, given.folder / kind, given.workers, drawn)
        os.waitpid(attempt(kind, trial.folder, None, 1)[0], 0)
        expected[kind] = result_of(trial.folder)
        assert expected[kind] is not None, (trial.folder / "error").read_text(encoding="utf-8")
    started = time.monotonic()
    while kills < given.kills and not wrong:
        kind = list(REGULARIZERS)[audits % len(REGULARIZERS)] if given.workers == 1 else "function"
        trial = Trial(kind, given.folder / f"{audits}", given.workers, drawn)
        trial.run(min(given.kills - kills, 5))
        kills, of_workers, audits = kills + trial.kills, of_workers + trial.of_workers, audits + 1
        wrong += trial.wrong
        if not wrong and result_of(trial.folder) != expected[kind]:
            wrong.append(f"another result than that of an uninterrupted audit of {kind}")
    told = {"kills": kills, "of_workers": of_workers, "audits": audits, "wrong": wrong}
    print(json.dumps({**told, "seconds": round(time.monotonic() - started, 1)}))


if __name__ == "__main__":
    main()
