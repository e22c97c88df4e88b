"""What data hold, as one short text: two stored audits can then tell whether theirs were the same."""

from __future__ import annotations

import hashlib

import torch

from pytest_reprotest.training.data import Source, TensorSource


def content_hash(source: Source) -> str | None:
    """A hash of types, shapes and bytes of inputs and targets; None for samples that are not held.

    A Dataset whose samples are random has no content to speak of, and a sparse tensor has more than one
    set of bytes for the same content.

    >>> ones = TensorSource(torch.ones(2, 3), torch.tensor([0, 1]))
    >>> content_hash(ones) == content_hash(TensorSource(torch.ones(2, 3), torch.tensor([0, 1])))
    True
    """
    if not isinstance(source, TensorSource):
        return None
    digest = hashlib.blake2b(digest_size=16)
    for tensor in (source.inputs, source.targets):
        if tensor.layout is not torch.strided:
            return None
        plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(f"{plain.dtype} {tuple(plain.shape)} ".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
