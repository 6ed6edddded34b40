"""Modules of one's own: published equal to what torch computes, or refused by name."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from larnn_export.graph.stepped import ModuleError
from larnn_export.own_network import publish_module
from larnn_export.placing import PublishError
from larnn_export.verify import BOUND, ParityError
from larnn_service.backend.model_repository import load_model
from larnn_service.contract import Channel, Contract, Input, StateTensor
from larnn_service.outputs import Output, classes


def _contract(*state: StateTensor) -> Contract:
    channels = (Channel(name="left", unit="m"), Channel(name="right", unit="m"))
    return Contract(
        input=Input(channels=channels),
        outputs=classes(("A", "B", "C")),
        sample_rate_hz=10,
        state=state,
    )


def _floats(name: str, *shape: int) -> StateTensor:
    return StateTensor(name=name, shape=shape, dtype="float32", description=name)


class TwoLSTMs(nn.Module):
    """Its state has layers, which torch wants before the batch."""

    contract = _contract(_floats("hidden", 2, 8), _floats("cell", 2, 8))

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 8, num_layers=2, batch_first=True, dropout=0.5)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        state = (hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous())
        outputs, (hidden, cell) = self.lstm(x, state)
        return self.output(outputs), hidden.transpose(0, 1), cell.transpose(0, 1)


class MeanSoFar(nn.Module):
    """A sum and a count: no parameters, an integer and a scalar of state."""

    contract = _contract(
        StateTensor(name="count", shape=(), dtype="int64", description="steps so far"),
        StateTensor(name="total", shape=(2,), dtype="float32", initial=0.5, description="sum"),
    )

    def forward(self, x: Tensor, count: Tensor, total: Tensor) -> tuple[Tensor, ...]:
        totals = total[:, None] + x.cumsum(1)
        counts = count[:, None] + torch.arange(1, x.shape[1] + 1)
        logits = torch.cat([totals / counts[..., None], counts[..., None].float() / 100], dim=2)
        return logits, counts[:, -1], totals[:, -1]


class LooksAhead(MeanSoFar):
    """Its first answer depends on later steps, which a stream has not yet."""

    def forward(self, x: Tensor, count: Tensor, total: Tensor) -> tuple[Tensor, ...]:
        logits, count, total = super().forward(x, count, total)
        return logits.flip(1), count, total


@pytest.mark.parametrize("kind", [TwoLSTMs, MeanSoFar])
def test_a_module_is_published_equal_and_loads(
    kind: type[TwoLSTMs] | type[MeanSoFar], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = kind()
    like = torch.rand(30, 2) * 9
    folder = publish_module(module, kind.contract, "mine", 3, tmp_path, like=like)
    assert folder == tmp_path / "mine" / "3"
    manifest = load_model(folder, "cpu").manifest
    assert manifest.contract == kind.contract
    assert manifest.metrics["parity"]["logits"] < BOUND
    assert module.training  # as it was
    assert "agrees with the module" in (folder / "README.md").read_text()
    text = onnx.load(folder / "model.onnx").SerializeToString()
    assert b"/export/" not in text and b"site-packages" not in text  # no path of this machine


def _read_as(output: Output, rate: float | None = 10) -> Contract:
    """MeanSoFar's contract, its three numbers read in another way."""
    update = {"outputs": (output,), "sample_rate_hz": rate}
    return MeanSoFar.contract.model_copy(update=update)


ABC = ("A", "B", "C")
QUANTITIES = tuple(Channel(name=name, unit="m") for name in ABC)


@pytest.mark.parametrize(
    "output",
    [
        Output(name="tags", task="tags", labels=ABC),
        Output(name="chance", task="probability", labels=ABC),
        Output(name="height", task="values", values=QUANTITIES),
        Output(name="frame", task="raw", shape=(3,)),
    ],
    ids=lambda output: output.task,
)
def test_its_numbers_may_be_of_any_task(output: Output, tmp_path: Path) -> None:
    folder = publish_module(MeanSoFar(), _read_as(output, None), "mine", root=tmp_path)
    model = load_model(folder, "cpu")
    assert model.manifest.contract.outputs == (output,)
    card = (folder / "README.md").read_text()
    assert f"It answers\n{output.task}" in card and f"({output.name})" in card


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ((Output(name="y", task="raw", shape=(3,), dtype="float64"),), r"y \(float64\)"),
        (
            (*classes(ABC), Output(name="more", task="raw")),
            r"logits \(float32\), more \(float32\)",
        ),
    ],
)
def test_other_outputs_are_refused(outputs: tuple[Output, ...], told: str, tmp_path: Path) -> None:
    contract = MeanSoFar.contract.model_copy(update={"outputs": outputs})
    with pytest.raises(ModuleError, match=f"one output of float32; the contract has {told}"):
        publish_module(MeanSoFar(), contract, "mine", root=tmp_path)
    assert not list((tmp_path / "mine").iterdir())


def test_a_module_that_looks_ahead_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="logits differs"):
        publish_module(LooksAhead(), MeanSoFar.contract, "mine", root=tmp_path)
    assert not list((tmp_path / "mine").iterdir())


def test_a_version_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "mine" / "1").mkdir(parents=True)
    with pytest.raises(PublishError, match="take another version"):
        publish_module(MeanSoFar(), MeanSoFar.contract, "mine", root=tmp_path)


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (_contract(_floats("total", 2)), r"does not take tensors \[2, 1, 2\], \[2, 2\]"),
        (
            _contract(
                MeanSoFar.contract.state[0],
                StateTensor(name="total", shape=(2,), dtype="int64", description="sum"),
            ),
            r"next_total is float32 \[2, 2\], not int64 \[2, 2\]",
        ),
        (
            MeanSoFar.contract.model_copy(update={"outputs": classes("AB")}),
            r"logits is float32 \[2, 1, 3\], not float32 \[2, 1, 2\]",
        ),
    ],
)
def test_what_does_not_fit_the_contract_is_named(
    contract: Contract, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModuleError, match=message):
        publish_module(MeanSoFar(), contract, "mine", root=tmp_path)


def test_a_module_that_gives_one_tensor_is_told_what_to_give(tmp_path: Path) -> None:
    class Forgetful(nn.Module):
        def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
            return x

    with pytest.raises(ModuleError, match=r"must give \(logits, next_hidden\), each a tensor"):
        publish_module(Forgetful(), _contract(_floats("hidden", 2)), "mine", root=tmp_path)
