"""Packs the weights of functions into a single variable.

In a saved graph, every variable that a function reads is an argument of each function that calls
it, at about a hundred bytes each: dozens of variables and a dozen signatures add up to megabytes.
Packed functions read slices of one vector instead. The results are the same. The slices are aligned
so that TensorFlow shares the vector's memory and copies nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

# TensorFlow shares the memory of a slice if the slice is aligned like a tensor, to 64 bytes.
_ALIGNED_VALUES = 16  # of float32


class TracedFunction:
    """A function as a graph.

    Args:
        function: A function of tensors; it may read variables but must not change them.
        signature: The ``tf.TensorSpec`` of each argument, with the same nesting.

    Attributes:
        concrete: The traced function.
        graph_def: Its graph.
        variables: The variables that it reads, in the same order in every process.
        reads: Variables that are read as a whole, by the name of the node that reads them.
        looked_up: Variables that are used in other ways: to look up rows, or in a loop.
    """

    def __init__(self, function: Callable[..., Any], signature: Sequence[Any]):
        self.concrete = tf.function(function, input_signature=signature).get_concrete_function()
        self.graph_def = self.concrete.graph.as_graph_def()
        variables = {id(variable.handle): variable for variable in self.concrete.variables}
        handles = {
            name: variables[id(value)]
            for name, value in self.captured.items()
            if id(value) in variables
        }
        # In order of first use, because the order of ``concrete.variables`` depends on hashes.
        self.variables = list(handles.values())
        self.reads: dict[str, tf.Variable] = {}
        self.gathers: dict[str, tf.Variable] = {}
        self.others: list[tf.Variable] = []
        for node in self.graph_def.node:
            wanted = [handles[name] for name in node.input if name in handles]
            if node.op == "ReadVariableOp" and wanted:
                [self.reads[node.name]] = wanted
            elif node.op == "ResourceGather" and wanted:
                [self.gathers[node.name]] = wanted
            else:
                self.others += wanted

    @property
    def arguments(self) -> list[str]:
        """The names of its arguments' nodes, flattened."""
        names = [tensor.op.name for tensor in self.concrete.inputs]
        return names[: len(names) - len(self.concrete.captured_inputs)]

    @property
    def captured(self) -> dict[str, tf.Tensor]:
        """The tensors that it captures from outside, by the name of their node in its graph."""
        names = [tensor.op.name for tensor in self.concrete.inputs]
        return dict(zip(names[len(self.arguments) :], self.concrete.captured_inputs))


class PackedWeights(tf.Module):
    """The weights of functions; packs the variables that are only read as a whole.

    Args:
        functions: All functions that will be passed to :meth:`bind`.
        half: Whether to store float32 tables as float16 where only their rows are looked up. Rows
            are cast to float32 after the look-up, so nothing else is rounded.

    Attributes:
        vector: float32 (values,), the packed variables with zeros between them.
        tables: The variables that are not packed.
    """

    def __init__(self, functions: Sequence[TracedFunction], half: bool = False):
        super().__init__(name="weights")
        variables = {v.ref(): v for function in functions for v in function.variables}
        read = {v.ref() for function in functions for v in function.reads.values()}
        gathered = {v.ref() for function in functions for v in function.gathers.values()}
        others = {v.ref() for function in functions for v in function.others}
        apart = {
            ref for ref, v in variables.items() if ref in gathered | others or v.dtype != tf.float32
        }
        halves = {
            ref: tf.Variable(tf.cast(v, tf.float16), trainable=False, name="half")
            for ref, v in variables.items()
            if half and ref in gathered - read - others and v.dtype == tf.float32
        }
        self.tables = [halves.get(ref, variables[ref]) for ref in variables if ref in apart]
        self._half_handles = {ref: half.handle for ref, half in halves.items()}
        self._starts: dict[Any, int] = {}
        pieces: list[np.ndarray] = []
        size = 0
        for ref, variable in variables.items():
            if ref not in apart:
                self._starts[ref] = size
                values = variable.numpy().ravel()
                pieces.append(np.pad(values, (0, -len(values) % _ALIGNED_VALUES)))
                size += len(pieces[-1])
        self.vector = tf.Variable(
            np.concatenate([np.zeros(0, np.float32), *pieces]), trainable=False, name="packed"
        )

    def bind(self, function: TracedFunction) -> Callable[..., Any]:
        """Makes a function read its weights from the vector.

        Args:
            function: One of the functions that this object was built from.

        Returns:
            A function with the same arguments and results, for use inside a ``tf.function``.
        """
        reads = {name: v for name, v in function.reads.items() if v.ref() in self._starts}
        replaced = {*reads, *function.arguments, *function.captured}
        graph_def = _without(function.graph_def, replaced)
        _gather_halves(
            graph_def,
            {name for name, v in function.gathers.items() if v.ref() in self._half_handles},
        )
        halves = {id(ref.deref().handle): half for ref, half in self._half_handles.items()}
        used = {name for node in graph_def.node for name in node.input}
        results = [tensor.name for tensor in function.concrete.outputs]

        def run(*arguments: Any) -> Any:
            flat = map(tf.convert_to_tensor, tf.nest.flatten(arguments))
            values = dict(zip(function.arguments, flat))
            # Bring captured tensors into the current graph if a node still uses them.
            captured = {n: halves.get(id(v), v) for n, v in function.captured.items() if n in used}
            values.update((name, tf.identity(value)) for name, value in captured.items())
            vector = self.vector.read_value()
            values.update((name, self._slice(vector, v)) for name, v in reads.items())
            outputs = tf.graph_util.import_graph_def(
                graph_def,
                input_map={name: value for name, value in values.items() if name in used},
                return_elements=results,
                name="",
            )
            return tf.nest.pack_sequence_as(function.concrete.structured_outputs, outputs)

        return run

    def _slice(self, vector: tf.Tensor, variable: tf.Variable) -> tf.Tensor:
        start = self._starts[variable.ref()]
        return tf.reshape(vector[start : start + math.prod(variable.shape)], variable.shape)


def _without(graph_def: graph_pb2.GraphDef, names: set[str]) -> graph_pb2.GraphDef:
    """The graph without these nodes; inputs from them stay, for the caller to map."""
    result = graph_pb2.GraphDef(library=graph_def.library, versions=graph_def.versions)
    for node in graph_def.node:
        if node.name not in names:
            kept = result.node.add()
            kept.CopyFrom(node)
            # Drop control dependencies on, and colocation with, removed nodes.
            waits = [name for name in node.input if name[0] == "^" and name[1:] in names]
            kept.input[:] = [name for name in node.input if name not in waits]
            kept.attr.pop("_class", None)
    return result


def _gather_halves(graph_def: graph_pb2.GraphDef, names: set[str]) -> None:
    """Makes the look-ups of these names read float16 rows and cast them to float32."""
    for node in [node for node in graph_def.node if node.name in names]:
        gather = graph_def.node.add()
        gather.CopyFrom(node)
        gather.name = f"{node.name}/half"
        gather.attr["dtype"].type = tf.float16.as_datatype_enum
        node.op = "Cast"
        node.input[:] = [gather.name]
        node.attr.clear()
        node.attr["SrcT"].type = tf.float16.as_datatype_enum
        node.attr["DstT"].type = tf.float32.as_datatype_enum
