"""What each part of an audit leaves in its store beside its runs: all that judges them, and which there are to be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_reprotest.digests import digest
from pytest_reprotest.errors import DataError, OptionError, shown
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.options import Options
from pytest_reprotest.parsing import MAX_BYTES, parsed
from pytest_reprotest.plan import Plan
from pytest_reprotest.shards.judging import options_in, options_out
from pytest_reprotest.shards.shard import Shard
from pytest_reprotest.store.database import Database, StoreError
from pytest_reprotest.store.keys import beside, run_key
from pytest_reprotest.stored import entry, pack, texts, unpack
from pytest_reprotest.tasks import Array, Task, stored_task

_VERSION = 1


@dataclass(frozen=True)
class Part:
    """An audit as a part describes it; all parts of it say the same.

    Attributes
    ----------
    name, baseline : str
    task : Task
    y_true : array (n_samples,) or (n_samples, n_labels)
    options : Options
    settings, refusals : mapping
        As of the result.
    notes : tuple of str
    contexts : mapping
        Label → the key of its context in the store, in the order of the report.
    runs : mapping
        Label → the keys of its runs there, in their order.
    """

    name: str
    baseline: str
    task: Task
    y_true: Array
    options: Options
    settings: Mapping[str, Any]
    refusals: Mapping[str, str]
    notes: tuple[str, ...]
    contexts: Mapping[str, str]
    runs: Mapping[str, Sequence[str]]

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "version": _VERSION,
            "name": self.name,
            "baseline": self.baseline,
            "task": self.task.to_dict(),
            "y_true": pack(self.y_true),
            "options": options_out(self.options),
            "settings": dict(self.settings),
            "refusals": dict(self.refusals),
            "notes": list(self.notes),
            "regularizers": [
                {"label": label, "context": self.contexts[label], "runs": list(keys)}
                for label, keys in self.runs.items()
            ],
        }

    @classmethod
    def from_dict(cls, stored: Any) -> Part:
        """The inverse of ``to_dict``.

        Raises
        ------
        DataError
        """
        if entry(stored, "version", int) != _VERSION:
            raise DataError("it is of another version; upgrade pytest-reprotest")
        task = stored_task(stored.get("task"))
        y_true = unpack(stored.get("y_true"), task.y_true_dims, task.floats)
        try:
            y_true = task.check_y_true(y_true)
        except (DataError, OptionError) as error:
            raise DataError(f"its true values: {error}") from None
        each = entry(stored, "regularizers", list)
        labels = [entry(found, "label", str) for found in each]
        if not labels or len(set(labels)) < len(labels):
            raise DataError("it names no regularizer, or one twice")
        return cls(
            entry(stored, "name", str),
            entry(stored, "baseline", str),
            task,
            y_true,
            options_in(entry(stored, "options", dict)),
            entry(stored, "settings", dict),
            entry(stored, "refusals", dict),
            texts(stored, "notes"),
            {
                label: entry(found, "context", str)
                for label, found in zip(labels, each, strict=True)
            },
            {label: texts(found, "runs") for label, found in zip(labels, each, strict=True)},
        )

    @property
    def decides(self) -> dict[str, Any]:
        """What has to be the same in all parts: on a CPU the size of chunks and the workers change no run."""
        told = self.to_dict()
        if self.settings.get("device") == "cpu":
            told["settings"] = {
                key: value
                for key, value in self.settings.items()
                if key not in ("chunk", "workers")
            }
        return told

    @property
    def text(self) -> str:
        """The part in its one spelling."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))


def run_keys(plan: Plan, placement: Placement, n_workers: int) -> dict[str, list[str]]:
    """Label → the keys under which a store keeps its runs."""
    found: dict[str, list[str]] = {label: [] for label in plan.regularizers}
    for piece in placement.pieces(plan, n_workers):
        for run in piece:
            found[run.regularizer].append(run_key(run, beside(piece)))
    return found


def keep(part: Part, shard: Shard, database: Database) -> None:
    """Put a part into a store.

    Raises
    ------
    StoreFailed
    """
    database.write(  # of an earlier division, as where a store is kept from pipeline to pipeline
        "DELETE FROM shards WHERE name = ? AND parts <> ?", (part.name, shard.parts)
    )
    database.write(
        "INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?, ?)",
        (part.name, shard.part, shard.parts, part.text, _checksum(part.text)),
    )


def kept(database: Database) -> Iterator[tuple[Shard, Part]]:
    """The parts in a store.

    Raises
    ------
    StoreError
        Where one can't be read.
    """
    for row, name, number, count, size in database.ask(
        "SELECT rowid, substr(name, 1, 1000), part, parts, length(CAST(audit AS BLOB)) FROM shards "
        "ORDER BY name, part"
    ):
        try:
            if size > MAX_BYTES:
                raise DataError(f"it has {size:,} bytes; expected at most {MAX_BYTES:,}")
            ((text, checked),) = database.ask(
                "SELECT audit, substr(checksum, 1, 32) FROM shards WHERE rowid = ?", (row,)
            )
            yield Shard(int(number), int(count)), _part_in(str(text), str(checked))
        except (ValueError, TypeError) as damage:
            raise StoreError(
                f"{database.path}: part {shown(number, 20)} of {shown(name, 80)} can't be read: {damage}"
            ) from None


def damaged_parts(database: Database) -> Iterator[str]:
    """A sentence for the first part in a store that can't be read, where there is one."""
    try:
        for _ in kept(database):
            pass
    except StoreError as damage:
        yield str(damage)


def _checksum(text: str) -> str:
    return digest([text.encode("utf-8", "surrogatepass")])


def _part_in(text: str, checked: str) -> Part:
    if checked != _checksum(text):
        raise DataError("it does not match its checksum")
    return Part.from_dict(parsed(text.encode("utf-8", "surrogatepass")))
