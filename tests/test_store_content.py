"""Digests of code and objects: every edit that a training could notice changes them, and no other does."""

from __future__ import annotations

import collections
import contextlib
import contextvars
import dataclasses
import datetime
import decimal
import enum
import functools
import importlib
import os
import pathlib
import random
import re
import subprocess
import sys
import textwrap
import threading
import types
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pytest_reprotest.store.content import Content, parts_of
from pytest_reprotest.store.scopes import changed_by, functions_in
from pytest_reprotest.store.sources import moving_globals, sources_behind
from pytest_reprotest.store.unknown import Unknown
from pytest_reprotest.store.unseen import unseen_in

PROGRAM = {
    "program.py": """
        import functools
        import helper
        import package.inner
        from base import Base, decorated
        from other import by_name

        WIDTH = 8
        TABLE = {"a": [1, (2, 3.0)], "b": {4, 5}}
        calls = []

        def inner(x, y=2, *, z=3):
            return x * y * z

        class Net(Base):
            size = 4

            def forward(self, x):
                return [each + 0.5 for each in x]

            @property
            def doubled(self):
                return self.size * 2

        @decorated(3)
        def make(width=16):
            # builds the thing
            global LAST
            calls.append(width)

            def nested(x):
                try:
                    return x - 1
                except ValueError:
                    return 7

            LAST = width
            import lazy
            from package import late

            return Net, nested, inner(WIDTH), helper.layer(), package.inner.ask(), by_name(), TABLE

        def unrelated():
            return 1
        """,
    "helper.py": """
        from deeper import amount

        WIDTH = 5

        def layer():
            return amount() + WIDTH

        def unused():
            return 1
        """,
    "deeper.py": "def amount():\n    return 10\n",
    "other.py": "import deepest\n\ndef by_name():\n    return deepest.VALUE\n",
    "deepest.py": "VALUE = 1\n",
    "base.py": """
        import functools

        class Base:
            kind = "x"

        def decorated(times):
            def around(function):
                @functools.wraps(function)
                def inside(*args):
                    return [function(*args) for _ in range(times)]
                return inside
            return around
        """,
    "lazy.py": "import lazier\n",
    "lazier.py": "A = 1\n",
    "package/__init__.py": "",
    "package/inner.py": "from . import leaf\n\ndef ask():\n    return leaf.ANSWER\n",
    "package/leaf.py": "ANSWER = 42\n",
    "package/late.py": "B = 1\n",
}
NAMES = {name.split("/")[0].removesuffix(".py") for name in PROGRAM}


@contextlib.contextmanager
def imported(folder, files=PROGRAM, name="program"):
    """A module of a program in a folder of its own, as a fresh process would have it."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(textwrap.dedent(text), encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for each in [each for each in sys.modules if each.split(".")[0] in NAMES]:
            del sys.modules[each]


def digest(folder, files=PROGRAM, of="make", homes=("program",)):
    with imported(folder, files) as program:
        return Content(homes).digest(getattr(program, of))


def edited(path, before, after):
    assert before in PROGRAM[path], (path, before)
    return {**PROGRAM, path: PROGRAM[path].replace(before, after, 1)}


RELEVANT = {
    "first value of a global that is changed": ("program.py", "calls = []", "calls = [1]"),
    "constant of a global": ("program.py", "WIDTH = 8", "WIDTH = 9"),
    "type of a global": ("program.py", "WIDTH = 8", "WIDTH = 8.0"),
    "value deep in a global": ("program.py", "3.0", "-3.0"),
    "member of a set": ("program.py", "{4, 5}", "{4, 6}"),
    "default": ("program.py", "y=2", "y=3"),
    "keyword default": ("program.py", "z=3", "z=4"),
    "default of the factory": ("program.py", "width=16", "width=17"),
    "operator": ("program.py", "x * y * z", "x * y + z"),
    "nested function": ("program.py", "return x - 1", "return x - 2"),
    "handler": ("program.py", "except ValueError", "except TypeError"),
    "comprehension": ("program.py", "each + 0.5", "each + 0.25"),
    "class attribute": ("program.py", "size = 4", "size = 5"),
    "property": ("program.py", "self.size * 2", "self.size * 3"),
    "base class": ("base.py", 'kind = "x"', 'kind = "y"'),
    "argument of a decorator": ("program.py", "@decorated(3)", "@decorated(4)"),
    "decorator": ("base.py", "range(times)", "range(times + 1)"),
    "function of an imported module": ("helper.py", "amount() + WIDTH", "amount() - WIDTH"),
    "global of an imported module": ("helper.py", "WIDTH = 5", "WIDTH = 6"),
    "helper of a helper": ("deeper.py", "return 10", "return 11"),
    "module behind a name": ("deepest.py", "VALUE = 1", "VALUE = 2"),
    "module in a package": ("package/leaf.py", "ANSWER = 42", "ANSWER = 43"),
    "module imported in the factory": ("lazy.py", "import lazier", "import lazier  # x"),
    "module that it imports": ("lazier.py", "A = 1", "A = 2"),
    "module from a package, in the factory": ("package/late.py", "B = 1", "B = 2"),
}
IRRELEVANT = {
    "comment": ("program.py", "# builds the thing", "# builds another"),
    "lines": ("program.py", "WIDTH = 8", "\n\n\n        WIDTH = 8"),
    "another function": (
        "program.py",
        "def unrelated():\n            return 1",
        "def other():\n            return 2",
    ),
    "another import": ("program.py", "import functools", "import functools, json"),
    "spelling of a number": ("program.py", "WIDTH = 8", "WIDTH = 0x8"),
}


@pytest.fixture(scope="module")
def unedited(tmp_path_factory):
    return digest(tmp_path_factory.mktemp("unedited"))


@pytest.mark.parametrize("edit", RELEVANT.values(), ids=RELEVANT)
def test_what_a_training_could_notice_changes_the_digest(edit, tmp_path, unedited):
    assert digest(tmp_path, edited(*edit)) != unedited


@pytest.mark.parametrize("edit", IRRELEVANT.values(), ids=IRRELEVANT)
def test_other_edits_do_not(edit, tmp_path, unedited):
    assert digest(tmp_path, edited(*edit)) == unedited


def test_what_functions_change_themselves_is_not_taken_as_it_stands(tmp_path, unedited):
    with imported(tmp_path) as program:
        program.calls.extend([1, 2])
        program.LAST = 3
        assert Content(["program"]).digest(program.make) == unedited
        assert moving_globals(program).keys() == {"calls", "LAST"}


def test_a_global_of_another_module_counts_as_it_is_now(tmp_path, unedited):
    """It may come from a file that was read at import."""
    with imported(tmp_path) as program:
        program.helper.WIDTH = 50
        assert Content(["program"]).digest(program.make) != unedited


FRESH = """
import sys
for name in sys.argv[1].split(","):
    __import__(name)
import program
from pytest_reprotest.store.content import Content
print(Content(["program"]).digest(program.make))
"""


def test_fresh_processes_agree_whatever_hashes_of_texts_and_the_order_of_imports(
    tmp_path, unedited
):
    with imported(tmp_path):
        pass
    found = set()
    for seed, first in (("1", "deepest,numpy,lazy"), ("2", "package.leaf,json,helper,lazy")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        command = [sys.executable, "-c", FRESH, first]
        found.add(subprocess.check_output(command, env=environment, text=True).strip())
    assert found == {unedited}


def test_names_of_installed_modules_are_no_shelter(tmp_path):
    """A function that claims to be installed, and a module of the user's that is named like one of Python's."""

    def made(width):
        def function():
            return width

        function.__module__, function.__qualname__ = "json", "loads"
        return function

    def unlisted(body):
        world = {"__name__": "made_up"}
        exec(f"def function():\n    return {body}", world)
        return world["function"]

    assert Content().digest(made(1)) != Content().digest(made(2))
    assert Content().digest(unlisted(1)) != Content().digest(unlisted(2))
    (tmp_path / "colorsys.py").write_text("A = 1\n", encoding="utf-8")
    kept = sys.modules.pop("colorsys", None)
    sys.path.insert(0, str(tmp_path))
    try:
        assert sources_behind(["colorsys"])["colorsys"] != "python"
        importlib.import_module("colorsys")
        assert sources_behind(["colorsys"])["colorsys"] != "python"
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["colorsys"]
        if kept is not None:
            sys.modules["colorsys"] = kept


def wrapped_by_torch(width):
    @torch.no_grad()
    def function():
        return width

    return function


def closed_over(value):
    return lambda: value


class Color(enum.Enum):
    RED = 1


class Flags(enum.Flag):
    A = 1
    B = 2


class Meta(type):
    pass


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a


class Callable:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return x * self.k


@dataclasses.dataclass(frozen=True)
class Data:
    a: int = 1
    b: list = dataclasses.field(default_factory=list)


Point = collections.namedtuple("Point", "x y")
linear = nn.Linear(2, 2)


def frozen(requires_grad):
    model = nn.Linear(1, 1)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    model.weight.requires_grad_(requires_grad)
    return model


PAIRS = {
    "partial": (functools.partial(max, 1), functools.partial(max, 2)),
    "callable instance": (Callable(1), Callable(2)),
    "bound method": (Callable(1).__call__, Callable(2).__call__),
    "module": (frozen(True), frozen(False)),
    "dropout": (nn.Dropout(0.1), nn.Dropout(0.2)),
    "class made with another metaclass": (type("C", (), {}), Meta("C", (), {})),
    "dataclass": (Data(), Data(b=[1])),
    "made dataclass": tuple(dataclasses.make_dataclass("D", [("x", int, n)]) for n in (1, 2)),
    "flags": (Flags.A, Flags.A | Flags.B),
    "enumeration": (enum.Enum("E", {"A": 1}), enum.Enum("E", {"A": 2})),
    "slots": (Slotted(1), Slotted(2)),
    "named tuple": (Point(1, 2), Point(1, 3)),
    "named tuple and tuple": (Point(1, 2), (1, 2)),
    "Decimal": (decimal.Decimal("0.1"), decimal.Decimal("0.10")),
    "date": (datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)),
    "Path": (pathlib.Path("a"), pathlib.Path("b")),
    "pattern": (re.compile("a"), re.compile("a", re.I)),
    "generic alias": (list[int], list[str]),
    "cached function": (functools.cache(closed_over(1)), functools.cache(closed_over(2))),
    "wrapped by torch": (wrapped_by_torch(1), wrapped_by_torch(2)),
    "function attribute": (closed_over(1), closed_over(1)),
    "zero and minus zero": (0.0, -0.0),
    "number and truth": (1, True),
    "text and bytes": ("a", b"a"),
    "list and tuple": ([1, 2], (1, 2)),
    "nesting": ([[1], 2], [[1, 2]]),
    "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "array and list": (np.arange(3), [0, 1, 2]),
    "array bits": (np.zeros(2), np.array([0.0, -0.0])),
    "array shape": (np.zeros((2, 1)), np.zeros((1, 2))),
    "array dtype": (np.zeros(2, "f4"), np.zeros(1, "f8")),
    "fields of an array": (np.zeros(1, [("a", "f4")]), np.zeros(1, [("b", "f4")])),
    "mask": (np.ma.masked_array([1], [0]), np.ma.masked_array([1], [1])),
    "tensor": (torch.zeros(2), torch.tensor([0.0, -0.0])),
    "tensor and array": (torch.zeros(2), np.zeros(2, "f4")),
    "tensor that is trained": (torch.zeros(2), torch.zeros(2, requires_grad=True)),
    "dtype": (torch.float32, torch.float64),
    "library": (torch.relu, torch.tanh),
    "optimizer": (lambda p: torch.optim.SGD(p, lr=0.1), lambda p: torch.optim.SGD(p, lr=0.2)),
    "compiled": tuple(torch.compile(nn.Dropout(p), backend="eager") for p in (0.1, 0.2)),
    "default of a dict": (collections.defaultdict(int), collections.defaultdict(list)),
}
PAIRS["function attribute"][0].width = 5


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_objects_that_differ(pair):
    one, other = pair
    assert Content().digest(one) != Content().digest(other)
    assert Content().digest(one) == Content().digest(one)
    holding = [Content().digest(closed_over(each)) for each in pair]
    assert holding[0] != holding[1]


def test_composite_flags_change_no_digest_of_their_class():
    before = Content().digest(Flags)
    assert Flags.A | Flags.B
    assert Content().digest(Flags) == before


@pytest.mark.parametrize("shared", [random.shuffle, np.random.rand, torch.randn, torch.manual_seed])
def test_global_generators_are_seeded_so_their_state_is_of_no_account(shared):
    before = Content().digest(shared)
    random.random(), np.random.rand(), torch.rand(1)
    assert Content().digest(shared) == before


class Hostile:
    def __getattribute__(self, name):
        raise OSError("no")


def deep():
    found = []
    for _ in range(5000):
        found = [found]
    return found


UNKNOWN = {
    "numpy generator": (np.random.default_rng(0), "a generator that goes on from run to run"),
    "torch generator": (torch.Generator(), "a generator that goes on from run to run"),
    "random.Random": (random.Random(0), "a generator that goes on from run to run"),
    "lock": (threading.Lock(), "a _thread.lock"),
    "weak reference": (weakref.ref(linear), "a weakref.ReferenceType"),
    "context variable": (contextvars.ContextVar("x"), "a _contextvars.ContextVar"),
    "generator": ((x for x in "a"), "a generator (cannot pickle"),
    "single dispatch": (functools.singledispatch(closed_over(1)), "a weakref.ReferenceType"),
    "module of no file": (types.ModuleType("nowhere"), "the module 'nowhere', which has no source"),
    "hostile": (Hostile(), "that can't be read (OSError: no)"),
    "too deep": (deep(), "nested too deeply"),
}


@pytest.mark.parametrize("case", UNKNOWN.values(), ids=UNKNOWN)
def test_what_can_not_be_told(case):
    value, told = case
    with pytest.raises(Unknown, match=re.escape(told)):
        Content().digest(closed_over(value))
    with pytest.raises(Unknown, match=r"^train_fn holds "):
        parts_of({"train_fn": closed_over(value)}, ())


def test_an_open_file(tmp_path):
    with (tmp_path / "f").open("w") as file, pytest.raises(Unknown, match="TextIOWrapper"):
        Content().digest(closed_over(file))


def test_cycles_end():
    one, other = [], []
    one.append(other), other.append(one)
    looped = []
    looped.append(looped)
    assert Content().digest(one) != Content().digest(looped)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain, plain)
def test_values_collide_only_where_they_are_the_same(one, other):
    same = repr(one) == repr(other)
    assert (Content().digest(one) == Content().digest(other)) == same


def test_a_freed_object_lends_its_identity_to_no_other():
    reader = Content()
    found = {reader.digest(closed_over(index)) for index in range(200)}
    assert len(found) == 200


def reading():
    return open("data.csv").read()  # noqa: PTH123


def test_names_that_tell_of_files_are_told_by_part():
    _, names, _ = parts_of({"train_fn": reading, "loss": max}, [__name__])
    assert unseen_in(names, True, told=True) == (
        "train_fn names 'open', and what is read there can't be seen; say what it reads with depends_on=[...]"
    )
    assert unseen_in(names, ("train_fn",), told=False)
    assert unseen_in(names, ("loss",), told=False) is None
    assert unseen_in(names, False, told=False) is None


CODE = {
    "function of a usual name": (
        "import helper\ndef make():\n    return helper.update(1)\n",
        {"helper.py": "def update(x):\n    return x\n"},
        {"helper.py": "def update(x):\n    return -x\n"},
    ),
    "module on which something is set": (
        "import helper\ndef other():\n    helper.A = 1\ndef make():\n    return helper.f()\n",
        {"helper.py": "def f():\n    return 1\n"},
        {"helper.py": "def f():\n    return 2\n"},
    ),
    "module that is a default": (
        "import helper\ndef make(h=helper):\n    return h.WIDTH\nhelper.WIDTH = helper.F()\n",
        {
            "helper.py": "def F():\n    return len(__file__) * 0 + __import__('base').W\n",
            "base.py": "W = 1\n",
        },
        {
            "helper.py": "def F():\n    return len(__file__) * 0 + __import__('base').W\n",
            "base.py": "W = 2\n",
        },
    ),
    "function on which something is set": (
        "from base import W\ndef step():\n    return W\ndef make():\n    step.calls = 1\n    return step()\n",
        {"base.py": "W = 1\n"},
        {"base.py": "W = 2\n"},
    ),
    "registry": (
        "import base\nfound = []\ndef add(f):\n    found.append(f)\n    return f\n@add\ndef f():\n    return base.W\n"
        "def make():\n    return found[0]()\n",
        {"base.py": "W = 1\n"},
        {"base.py": "W = 2\n"},
    ),
}


@pytest.mark.parametrize("case", CODE.values(), ids=CODE)
def test_code_counts_whatever_functions_set_on_it(case, tmp_path):
    program, *others = case
    found = [
        digest(tmp_path / str(number), {"program.py": program, **files})
        for number, files in enumerate([*others, others[0]])
    ]
    assert found[0] == found[2]
    assert found[0] != found[1]


@pytest.mark.parametrize("change", ["table['a'] = value", "global table; table = {'a': value}"])
def test_what_the_training_does_not_change_itself_counts_as_it_stands(change, tmp_path):
    """A test, or a fixture, that sets a global before each of its audits."""
    program = f"table = {{}}\ndef test(value):\n    {change}\ndef make():\n    return table['a']\n"
    with imported(tmp_path, {"program.py": program}) as module:
        found = []
        for value in (1, 2, 1):
            module.test(value)
            found.append(Content(["program"]).digest(module.make))
    assert found[0] == found[2] != found[1]


def test_what_the_training_changes_elsewhere_is_not_taken_as_it_stands(tmp_path):
    """The function that changes it is met after the global, and in another module."""
    files = {
        "program.py": "import helper\ndef make():\n    return helper.cache, helper.load()\n",
        "helper.py": "cache = {}\ndef load():\n    cache['a'] = 1\n    return cache\n",
    }
    with imported(tmp_path, files) as module:
        before = Content(["program"]).digest(module.make)
        module.make()
        assert Content(["program"]).digest(module.make) == before


def test_an_installed_package_counts_by_its_files(tmp_path, monkeypatch):
    """One's own keeps its version from commit to commit."""
    from pytest_reprotest.store import homes

    folder = tmp_path / "mine-0.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 0.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for code, other in (("a", "x"), ("b", "x"), ("a", "y")):
        record = f"mine/__init__.py,sha256={code},1\nmine-0.1.dist-info/direct_url.json,sha256={other},1\n"
        (folder / "RECORD").write_text(record)
        found.append(homes._distribution("mine"))
    assert found[0].startswith("mine 0.1 ")
    assert found[0] == found[2] != found[1]


def test_weights_that_are_tied_are_not_two_that_are_equal():
    def pair(tied):
        first, second = frozen(True), frozen(True)
        if tied:
            second.weight = first.weight
        return nn.Sequential(first, second)

    assert Content().digest(pair(True)) != Content().digest(pair(False))
    assert Content().digest(pair(True)) == Content().digest(pair(True))


# --- what is in hand under another name, behind a path, or imported late ------------------------


def test_a_reader_in_hand_counts_under_whatever_name():
    import numpy as np

    opener, loader = open, functools.partial(np.load, "x.npy")
    reader = Content([__name__])
    reader.digest(lambda: (opener, loader))
    assert {"open", "load"} <= reader.names


def test_paths_that_an_object_holds_are_met(tmp_path):
    reader = Content()
    reader.digest({"root": tmp_path, "other": "data/train", "label": "cat"})
    assert {str(tmp_path), "data/train"} <= reader.paths
    assert "cat" not in reader.paths


def test_a_module_imported_late_counts_as_it_stands(tmp_path, monkeypatch):
    (tmp_path / "late_settings.py").write_text("P = 0.1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def train_fn(run):
        import late_settings

        return late_settings.P

    before = Content([__name__]).digest(train_fn)
    assert Content([__name__]).digest(train_fn) == before
    import late_settings

    monkeypatch.setattr(late_settings, "P", 0.5)
    assert Content([__name__]).digest(train_fn) != before
    sys.modules.pop("late_settings")


def test_a_parameter_of_a_globals_name_moves_no_global():
    source = (
        b"config = {}\ndef prepare(config):\n config['q'] = 1\ndef other():\n config['p'] = 1\n"
    )
    changed = [changed_by(function, hidden) for function, hidden in functions_in(source)]
    assert changed == [set(), {"config"}]
