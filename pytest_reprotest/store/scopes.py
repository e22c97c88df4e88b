"""Which globals a function changes in place, as its source tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_CHANGING = frozenset(
    [
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "setdefault",
        "update",
    ]
)


def functions_in(raw: bytes) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    r"""Each function of a source, and the names that are local to it or to a function around it.

    >>> [sorted(names) for _, names in functions_in(b"def f(a):\n b = 1\n return lambda c: a")]
    [['a', 'b'], ['a', 'b', 'c']]
    """
    try:
        tree = ast.parse(raw)
        yield from _within(tree, frozenset())
    except (SyntaxError, ValueError, RecursionError):  # nothing that could be imported
        return


def _within(node: ast.AST, hidden: frozenset[str]) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            own = hidden | _locals_of(child)
            yield child, own
            yield from _within(child, own)
        else:
            yield from _within(child, hidden)


def _locals_of(function: ast.AST) -> set[str]:
    """Parameters, and what the function binds itself."""
    given = getattr(function, "args", None)
    found = {each.arg for each in ast.walk(given) if isinstance(each, ast.arg)} if given else set()
    declared: set[str] = set()
    for node in _own(function):
        if isinstance(node, ast.Global):
            declared |= set(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found - declared


def changed_by(function: ast.AST, hidden: frozenset[str]) -> set[str]:
    """The names of globals, as far as can be told, that a function changes itself: not those inside it.

    Parameters
    ----------
    hidden : frozenset of str
        Names that are local there.
    """
    declared: set[str] = set()
    changed: set[str] = set()
    for node in _own(function):
        if isinstance(node, ast.Global):
            declared |= set(node.names)
        elif isinstance(target := _target(node), ast.Name):
            changed.add(target.id)
    return declared | (changed - hidden)


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FUNCTIONS):
            waiting.extend(ast.iter_child_nodes(node))


def _target(node: ast.AST) -> ast.AST | None:
    """What a statement or call changes in place."""
    if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in _CHANGING else None
    return None
