"""The command line as data: each option with its ini twin. Standard library only, read at pytest's start."""

from __future__ import annotations

from typing import NamedTuple


class Flag(NamedTuple):
    """One ``--repro-…`` option.

    Attributes
    ----------
    key : str
        Names it in Options, in the marker and (``repro_key``) in ini files.
    metavar : str or None
        None: a switch.
    help : str
    ini : bool
        Whether it has an ini twin.
    writer : str
        Of a file that is written at the session's end: the ``"module:object"`` that writes it, called with
        the path and the session's ``report.finished.Finished``; returns sentences for the summary.
    library : str
        That the writer takes, of an extra.
    of_session : bool
        Says something of the session, not of an audit; so does every file that is written.
    """

    key: str
    metavar: str | None
    help: str
    ini: bool = True
    writer: str = ""
    library: str = ""
    of_session: bool = False

    @property
    def option(self) -> str:
        """The spelling on the command line, ``--repro-max-accuracy-std``."""
        return "--repro-" + self.key.replace("_", "-")

    @property
    def dest(self) -> str:
        """The name in ``config.option`` and in ini files, ``repro_max_accuracy_std``."""
        return f"repro_{self.key}"


FLAGS = (
    Flag("runs", "N", "trainings per regularizer, at least 2 (default 5)"),
    Flag(
        "regularizers",
        "A,B",
        "regularizers to audit, such as none,dropout,weight_decay(1e-3),batch_norm+dropout; "
        "all takes every registered one (see --repro-list); default none, the baseline",
    ),
    Flag("seed", "INT", "base seed from which every stream of every run derives (default 0)"),
    Flag(
        "vary",
        "SOURCES",
        "what differs between runs: any of init,data_order,noise, or all (default), or none",
    ),
    Flag(
        "device",
        "DEVICE",
        "auto (default: the GPUs, else the CPU), cpu, cuda, cuda:1, cuda:0,1 (a worker each) or mps",
    ),
    Flag(
        "engine",
        "ENGINE",
        "how runs are trained: stacked (all runs of a regularizer as one model), sequential, or auto "
        "(default: stacked where model, optimizer and loss allow it)",
    ),
    Flag(
        "workers",
        "N",
        "processes that train runs side by side, or auto: one a GPU, or one a core (default 1)",
    ),
    Flag(
        "executor",
        "WHERE",
        "where runs are trained: local (this process), processes (of this machine), ray (a Ray cluster; takes "
        "the extra ray) or auto (default: this process for one worker, else processes)",
    ),
    Flag(
        "ray_address",
        "ADDRESS",
        "with --repro-executor=ray: the cluster, as auto, HOST:PORT or ray://HOST:10001 (default: RAY_ADDRESS, "
        "else a Ray on this machine that is started and ended by the session)",
    ),
    Flag(
        "timeout",
        "SECONDS",
        "end a run that takes longer, which has failed then; seconds, or such as 90s, 5m or 2h (default none: "
        "runs take as long as they take)",
    ),
    Flag(
        "max_prediction_difference",
        "X",
        "fail where the mean pairwise prediction difference is above X, a fraction of test samples; "
        "may tighten a marker's threshold, not loosen it",
    ),
    Flag(
        "min_effective_accuracy",
        "X",
        "fail where Effective Test Accuracy (accuracy minus prediction difference) is below X; "
        "may tighten a marker's threshold, not loosen it",
    ),
    Flag(
        "decision",
        "HOW",
        "point (default: estimates are held against thresholds) or confidence (their one-sided bounds are: "
        "pass, fail or inconclusive)",
    ),
    Flag("confidence", "X", "of --repro-decision=confidence, above 0.5 and below 1 (default 0.95)"),
    Flag(
        "max_runs",
        "N",
        "with --repro-decision=confidence: add runs until the thresholds are decided, up to N",
    ),
    Flag(
        "on_inconclusive",
        "WHAT",
        "what becomes of a test whose audit decides nothing: fail (default), pass or skip",
    ),
    Flag("compat", "WHAT", "study: show the study's own p-value, labelled as what it is worth"),
    Flag(
        "deterministic",
        None,
        "prove that a seed decides everything: train the same one several times, each in a process of its "
        "own, and fail where weights, losses or predictions are not the same to the last bit",
    ),
    Flag(
        "attribute",
        None,
        "train further runs that vary one thing alone (one initial weight by one ulp, init, data_order, noise), "
        "and tell which share of the prediction difference each gives",
    ),
    Flag(
        "report_only",
        None,
        "report breached thresholds without failing tests; broken runs still fail",
    ),
    Flag(
        "max_accuracy_drop",
        "X",
        "with --repro-compare: how much accuracy may fall, a fraction of test samples (default 0.005)",
    ),
    Flag(
        "max_effective_accuracy_drop",
        "X",
        "with --repro-compare: how much Effective Test Accuracy may fall (default 0.01)",
    ),
    Flag(
        "max_prediction_difference_increase",
        "X",
        "with --repro-compare: how much the prediction difference may rise (default 0.005)",
    ),
    Flag(
        "max_negative_flip_excess",
        "X",
        "with --repro-compare: by how much what old runs have right and new runs wrong may exceed that "
        "among old runs (default 0.005)",
    ),
    Flag(
        "compare",
        "RESULT.json",
        "hold every audit against the one of the same name in a file of --repro-json or "
        "--repro-save-bank; worse by more than is tolerated fails",
        of_session=True,
    ),
    Flag(
        "json",
        "PATH",
        "write every audit of this session, with all predictions, to a JSON file",
        writer="pytest_reprotest.report.results:write_json",
    ),
    Flag(
        "json_predictions",
        "yes|no",
        "with --repro-json: whether the file holds every prediction (default yes)",
        of_session=True,
    ),
    Flag(
        "pictures",
        "yes|no",
        "keep small pictures of the test samples that flip most, where inputs look like images, in results "
        "and on pages (default yes)",
        of_session=True,
    ),
    Flag(
        "csv",
        "PATH",
        "write a row for each regularizer to a CSV file, in the columns of the study's tables and more",
        writer="pytest_reprotest.report.results_csv:write_csv",
    ),
    Flag(
        "markdown",
        "PATH",
        "write the verdict, a table for each task and why it fails to a Markdown file",
        writer="pytest_reprotest.report.markdown:write_markdown",
    ),
    Flag(
        "save_bank",
        "PATH",
        "write the runs of every audit to a bank, to hold later ones against with --repro-bank",
        writer="pytest_reprotest.report.results:write_bank",
    ),
    Flag(
        "html",
        "PATH",
        "write a page of every audit, with its figures, into one file that opens offline; takes the extra "
        "report",
        writer="pytest_reprotest.report.html:write_html",
        library="plotly",
    ),
    Flag(
        "plots",
        "DIR",
        "write the figures of every audit into a folder, as PNG and as SVG, without a browser; takes the extra "
        "report",
        writer="pytest_reprotest.report.pictures:write_plots",
        library="matplotlib",
    ),
    Flag(
        "bank",
        "PATH",
        "train a few new runs only, and fail where they disagree with the runs of a bank more than those "
        "with each other",
        of_session=True,
    ),
    Flag(
        "store",
        "DIR",
        "keep each finished run in a database in a folder, and take from it those that were trained before from "
        "the same code, data, settings and versions",
        of_session=True,
    ),
    Flag(
        "resume",
        None,
        "with --repro-store: go on with an audit that was interrupted; where what it depends on has changed "
        "since, fail and say what, rather than train all of it anew",
        ini=False,
        of_session=True,
    ),
    Flag(
        "shard",
        "K/N",
        "with --repro-store: train the Kth of N parts of every audit, judge nothing, and leave the verdict to "
        "python -m pytest_reprotest merge",
        ini=False,
        of_session=True,
    ),
    Flag("bank_runs", "K", "with --repro-bank: new trainings per regularizer (default 1)"),
    Flag(
        "plan",
        None,
        "train nothing: time a few steps, and tell what would be trained, how long it takes, how wide the "
        "intervals will be and what it cannot answer",
        ini=False,
    ),
    Flag(
        "half_width",
        "X",
        "with --repro-plan: the half-width of an interval to reach, a fraction of test samples (default "
        "0.005)",
        of_session=True,
    ),
    Flag(
        "pilot",
        "RESULT.json",
        "with --repro-plan: a file of --repro-json or --repro-save-bank; its spread over runs is expected "
        "in place of a typical one",
        of_session=True,
    ),
    Flag("list", None, "print the registered regularizers, a line each, and exit", ini=False),
)

WRITTEN = tuple(flag for flag in FLAGS if flag.writer)
"""The files that a session writes at its end, in that order: a new one is a line of FLAGS and its module."""

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable that asks for a summary, and names the file that it is appended to."""
STEP_SUMMARY_WRITER = "pytest_reprotest.report.markdown:append_step_summary"
