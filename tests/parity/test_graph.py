"""The exported graph against the network in torch, and the graph by itself."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from larnn_export.families import FAMILIES
from larnn_export.graph import build_graph
from larnn_export.publish import contract_of
from larnn_export.verify import BOUND, ParityError, verify
from larnn_service.contract import METADATA_KEY, TensorSignature
from tests import networks

CHUNKS = [(1, 1, 1), (4, 2, 0), (7, 7, 7), (1, 0, 1), (3, 9, 5)]
"""Lengths of three rows; more than k + 2 steps in all, some rows resting."""


@pytest.mark.parametrize("name", networks.CHANGES)
def test_graph_equals_network_over_ragged_chunks(name: str) -> None:
    torch_state = graph_state = networks.initial_state(name, 3)
    for seed, lengths in enumerate(map(np.array, CHUNKS)):
        x = networks.signal(3, lengths.max(), seed)
        expected, torch_state = networks.in_torch(name)(x, lengths, torch_state)
        logits, graph_state = networks.in_graph(name)(x, lengths, graph_state)
        for row, length in enumerate(lengths):
            assert networks.difference(logits[row, :length], expected[row, :length]) < BOUND
        assert networks.state_difference(graph_state, torch_state) < BOUND


@pytest.mark.parametrize("name", networks.CHANGES)
def test_signature_and_metadata_are_the_contract(name: str) -> None:
    contract = contract_of(networks.network(name))
    session = networks.session(name)
    contract.check_graph(_signatures(session.get_inputs()), _signatures(session.get_outputs()))
    contract.check_metadata(session.get_modelmeta().custom_metadata_map[METADATA_KEY])


@pytest.mark.parametrize("name", FAMILIES)
def test_bytes_are_the_same_each_time_and_tell_nothing_of_the_machine(name: str) -> None:
    network = networks.network(name)
    model, again = (build_graph(network, contract_of(network)) for _ in range(2))
    data = model.SerializeToString(deterministic=True)
    assert data == again.SerializeToString(deterministic=True)
    assert not any(mark in data for mark in (b"/home", b"/work", b"/tmp", b".py"))
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("name", [*FAMILIES, "position", "raw"])
def test_padding_may_hold_anything(name: str) -> None:
    lengths = np.array([2, 0, 4])
    x, state = networks.signal(3, 4), networks.initial_state(name, 3)
    logits, after = networks.in_graph(name)(x, lengths, state)
    for row, length in enumerate(lengths):
        x[row, length:] = np.nan
    same, after_padded = networks.in_graph(name)(x, lengths, state)
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(same[row, :length], logits[row, :length])
    for tensor, value in after.items():
        np.testing.assert_array_equal(after_padded[tensor], value)


@pytest.mark.parametrize("name", [name for name in networks.CHANGES if "width-of-16" in name])
def test_a_row_has_the_same_bits_alone_in_a_batch_and_in_chunks(name: str) -> None:
    advance, x = networks.in_graph(name), networks.signal(7, 9)
    together, after = advance(x, np.full(7, 9), networks.initial_state(name, 7))
    for row in range(7):
        state, pieces = networks.initial_state(name, 1), []
        for start, end in ((0, 2), (2, 3), (3, 9)):
            piece, state = advance(x[[row], start:end], np.array([end - start]), state)
            pieces.append(piece[0])
        np.testing.assert_array_equal(np.concatenate(pieces), together[row])
        for tensor, value in state.items():
            np.testing.assert_array_equal(value[0], after[tensor][row])


def test_verify_measures_and_refuses() -> None:
    network = networks.network("larnn")
    parity = verify(network, build_graph(network, contract_of(network)))
    assert parity.steps > networks.config("larnn").window_size + 2
    assert 0 <= max(parity.logits, parity.state) < BOUND
    other = networks.random_network(network.config)
    other.output.bias.add_(1e-4)
    with pytest.raises(ParityError, match="logits differs by"):
        verify(network, build_graph(other, contract_of(other)))


def _signatures(tensors: list[onnxruntime.NodeArg]) -> list[TensorSignature]:
    dtypes = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}
    return [
        TensorSignature(
            name=tensor.name,
            dtype=dtypes[tensor.type],
            shape=tuple(size if isinstance(size, int) else None for size in tensor.shape),
        )
        for tensor in tensors
    ]
