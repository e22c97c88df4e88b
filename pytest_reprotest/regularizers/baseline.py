"""The baseline, and names for what a user builds by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_reprotest.errors import OptionError, RegularizerRefused
from pytest_reprotest.interfaces import Regularizer

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """The model and recipe as they are."""

    name: ClassVar[str] = "none"
    summary: ClassVar[str] = "the model and recipe as they are: the baseline"


@dataclass(frozen=True)
class ByHand(Regularizer):
    """A label for a regularizer that the user's own factory or training function builds.

    Parameters
    ----------
    tag : str
        An identifier; the factory's parameter ``regularizer`` (or ``run.regularizer``) is this text.

    >>> ByHand("mixup").label
    'mixup'
    """

    tag: str
    name: ClassVar[str] = "by_hand"
    summary: ClassVar[str] = "by_hand('x'): the label x for what your own code builds"

    def __post_init__(self) -> None:
        if not isinstance(self.tag, str) or not self.tag.isidentifier():
            raise OptionError(f"by_hand({self.tag!r}); expected an identifier, such as 'mixup'")

    @property
    def label(self) -> str:
        """The tag alone."""
        return self.tag

    def modify_model(self, model: nn.Module) -> None:
        """Refuse: it is asked for only where the factory has no parameter ``regularizer``."""
        raise RegularizerRefused(
            f"{self.tag!r} is built by hand, and the model factory does not do it; give the factory a "
            "parameter named 'regularizer', which gets the label"
        )
