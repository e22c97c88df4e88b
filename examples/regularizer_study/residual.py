"""x + branch(x), with stochastic depth."""

from __future__ import annotations

from torch import Tensor, nn


class ResidualStage(nn.Module):
    """The sum of a branch and its inputs, or of a projection of them.

    Parameters
    ----------
    branch : nn.Module
    omitted : float
        Stochastic depth (Huang et al., 2016): the probability that a sample skips the branch in training. A
        branch that is kept is scaled by 1 / (1 - omitted), so that predicting needs no change.
    projection : nn.Module, optional
        Where the branch changes the shape.
    """

    def __init__(
        self, branch: nn.Module, omitted: float = 0.0, projection: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.branch = branch
        self.projection = projection
        # Dropout of whole channels drops samples whole where each has one channel. The package replaces the
        # module by one whose masks are keyed by the run.
        self.omit = nn.Dropout3d(omitted) if omitted else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Add them up."""
        added: Tensor = self.branch(inputs)
        if self.omit is not None:
            as_channel = added.reshape(len(added), 1, -1, 1, 1)
            added = self.omit(as_channel).reshape(added.shape)
        kept: Tensor = inputs if self.projection is None else self.projection(inputs)
        return kept + added
