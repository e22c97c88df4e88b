"""The import table of the design, held over the syntax tree of every module."""

import ast
from pathlib import Path

import pytest

import pytest_reprotest

PACKAGE = Path(pytest_reprotest.__file__).parent
NAME = "pytest_reprotest"

# Each room imports only rooms above it, itself, and what ALLOWED says from outside.
ROOMS = [
    "errors",
    "kinds",
    "metrics",
    "statistics",
    "seeds",
    "predictions",
    "tasks",
    "thresholds",
    "readers",
    "origins",
    "contradictions",
    "options",
    "plan",
    "recipe",
    "verdict",
    "digests",
    "trace",
    "parsing",
    "stored",
    "pictures",
    "interfaces",
    "results_file",
    "fingerprint",
    "changes",
    "gates",
    "divergence",
    "proof",
    "attribution",
    "details",
    "regularizer_result",
    "comparisons",
    "result",
    "differences",
    "conditions",
    "joined",
    "baseline",
    "bank",
    "references",
    "hookspecs",
    "flags",
    "registry",
    "selection",
    "regularizers",
    "training",
    "execution",
    "store",
    "forecast",
    "report",
    "foresight",
    "pilots",
    "settling",
    "planner",
    "measuring",
    "locating",
    "attributing",
    "illustrating",
    "_audit",
    "shards",
    "api",
    "settings",
    "files",
    "outputs",
    "marker",
    "retraining",
    "session",
    "plugin",
    "dashboard",
    "commands",
    "__main__",
]

# The modules that lay out with Dash: what they show is worked out without it.
DASH = ["app", "callbacks", "elements", "layout", "overview", "panes"]
# Where a package from outside may be imported; each entry is a room or a module.
HOMES = {
    "pytest": ["marker", "plugin"],
    "pluggy": ["session"],
    "torch": ["training", "regularizers"],
    "scipy": ["statistics"],
    "tabulate": ["report"],
    "tqdm": ["report"],
    "cloudpickle": ["training"],
    "ray": [
        "execution.ray_actor",
        "execution.ray_cluster",
        "execution.ray_connection",
        "execution.ray_crew",
        "execution.ray_worker",
    ],
    "plotly": ["report.plots.interactive"],
    "dash": [f"dashboard.{name}" for name in DASH],
    "flask": ["dashboard.app"],
    "werkzeug": ["dashboard.serve"],
    "matplotlib": ["report.plots.static"],
    "sklearn": [],
}
# Loaded at every start of pytest: nothing but the standard library, pytest and each other.
LIGHT = ["", "flags", "hookspecs", "plugin", "session", "settings"]

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    .removesuffix("__init__")
    .strip("."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


def imported(tree, lazily=True):
    """The modules that a syntax tree imports, in full; inside functions, too, where ``lazily``."""
    found = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not lazily:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            # a name may be a module: pytest_reprotest.regularizers._parameters
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        waiting.extend(ast.iter_child_nodes(node))
    return found


def imports_of(module, lazily=True):
    return imported(ast.parse(MODULES[module].read_text(encoding="utf-8")), lazily)


def rooms_of(names):
    """The rooms among imported names; a name that the package itself lends is none."""
    return {f"{name}.".split(".")[1] for name in names if name.split(".")[0] == NAME}


def test_every_module_has_a_room_and_every_room_a_module():
    found = {module.split(".")[0] for module in MODULES if module}
    assert found == set(ROOMS)


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_a_room_imports_only_rooms_above_it(module):
    room = module.split(".")[0]
    above = set(ROOMS[: ROOMS.index(room) + 1])
    assert rooms_of(imports_of(module)) - above == set()


@pytest.mark.parametrize("module", MODULES)
def test_outside_packages_stay_in_their_rooms(module):
    packages = {name.split(".")[0] for name in imports_of(module)}
    for package in packages & set(HOMES):
        homes = HOMES[package]
        assert any(f"{module}.".startswith(f"{home}.") for home in homes), (
            f"{module} imports {package}, whose place is {homes or 'nowhere'}"
        )


@pytest.mark.parametrize("module", LIGHT)
def test_what_loads_at_every_start_imports_light_things_at_its_top(module):
    import sys

    for name in imports_of(module, lazily=False):
        package, *rest = name.split(".")
        if package == NAME:
            assert rest[0] in LIGHT or not rest
        else:
            assert package in {*sys.stdlib_module_names, "pytest", "pluggy"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_at_most_300_lines(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 300


def test_no_module_is_named_utils():
    assert not [
        module for module in MODULES if {"utils", "util", "helpers"} & set(module.split("."))
    ]


def test_pytests_private_modules_are_left_alone():
    for module in MODULES:
        assert not [name for name in imports_of(module) if name.startswith("_pytest")]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import torch.nn", {"torch.nn"}),
        ("from torch import nn", {"torch.nn"}),
        ("def f():\n    import ray", {"ray"}),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
            {"typing.TYPE_CHECKING"},
        ),
        ("if x:\n    import torch\nelse:\n    import ray", {"torch", "ray"}),
        ("try:\n    import ray\nexcept ImportError:\n    pass", {"ray"}),
    ],
)
def test_the_reading_of_imports_misses_none(source, names):
    assert imported(ast.parse(source)) == names


def test_a_name_that_the_package_lends_is_no_room():
    assert rooms_of({"pytest_reprotest.plugin.retrain", "torch.nn"}) == {"plugin"}
    assert rooms_of({"pytest_reprotest.AuditResult"}) - set(ROOMS) == {"AuditResult"}
    assert rooms_of({"pytest_reprotest"}) - set(ROOMS) == {""}
