"""Datasets of other libraries as (picture, label) pairs that an audit can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """A map-style dataset of (float32 tensor (channels, height, width), int) pairs.

    Attributes
    ----------
    rows : map-style dataset
        Its rows are mappings, as Hugging Face's are, or sequences, as torchvision's are.
    image, label : str
        Keys of the picture and of its label in a mapping; of a sequence the first two parts are taken.
    """

    rows: Any
    image: str = "image"
    label: str = "label"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        row = self.rows[number]
        if not isinstance(row, Mapping):
            picture, label = row[0], row[1]
        else:
            for key in (self.image, self.label):
                if key not in row:
                    raise KeyError(
                        f"row {number} has no {key!r}; expected one of {', '.join(map(repr, row))}. "
                        "Name it: as_pairs(dataset, image=..., label=...)"
                    )
            picture, label = row[self.image], row[self.label]
        return as_pixels(picture), int(label)


def as_pairs(dataset: Any, image: str = "image", label: str = "label") -> Pairs:
    """A dataset's rows as pairs; see ``Pairs``.

    >>> rows = [{"img": np.full((2, 2), 255, np.uint8), "label": 3}]
    >>> as_pairs(rows, image="img")[0]
    (tensor([[[1., 1.],
             [1., 1.]]]), 3)
    """
    return Pairs(dataset, image, label)


def as_pixels(picture: Any) -> Tensor:
    """A picture as float32 (channels, height, width); bytes become 0 to 1.

    Parameters
    ----------
    picture : Pillow image, or array (height, width[, channels]), or tensor (channels, height, width)
    """
    if isinstance(picture, Tensor):
        return picture.float() / 255.0 if picture.dtype == torch.uint8 else picture.float()
    if hasattr(picture, "convert") and picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")  # a palette's numbers are no brightness
    array = np.array(picture)
    if array.ndim == 2:
        array = array[:, :, None]
    pixels = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    return as_pixels(pixels)
