"""The stacked engine: R runs as one model whose parameters, buffers and optimizer state have a run axis.

``kernels`` are the operations on stacked weights; ``direct`` and ``vmapped`` are the two ways to give a
model the run axis, and ``traced`` and ``reading`` bring classes to the first; ``optimizer``, ``graph`` and
``engine`` train it; ``checks`` decides whether a model, optimizer and loss may be stacked at all.
"""
