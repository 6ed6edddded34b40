"""Modules of one's own: published equal to what torch computes, or refused in a sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from larnn_client import Client
from larnn_export.module_error import ModuleError
from larnn_export.own_network import publish_module
from larnn_export.placing import CARD_FILE, PublishError
from larnn_export.verify import BOUND, ParityError
from larnn_service.backend.model_repository import load_model
from larnn_service.contract import MAX_VERSION, Vocabulary
from larnn_service.tensors import File
from tests import live, texts
from tests.docs import page
from tests.parity import own_refused, own_served, own_told
from tests.parity.own_contracts import GRU, HIDDEN, SUM, Kind, contract, state
from tests.parity.own_modules import Branch, Brief, Reader, Stateless, TwoLSTMs

SERVED = [*own_served.SERVED, *own_told.SERVED]
REFUSED = [*own_refused.REFUSED, *own_told.REFUSED]


@pytest.mark.parametrize("kind", SERVED, ids=str)
def test_is_published_equal_and_loads(kind: Kind, tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = publish_module(kind.module(), kind.contract, "mine", root=tmp_path, **kind.options)
    model = load_model(folder, "cpu")
    assert model.manifest.contract == kind.contract
    parity = model.manifest.metrics["parity"]
    assert set(parity) == {*(output.name for output in kind.contract.outputs), "state"}
    assert max(parity.values()) < kind.options.get("tolerance", BOUND)


@pytest.mark.parametrize("kind", REFUSED, ids=str)
def test_is_refused_in_a_sentence_and_leaves_nothing(kind: Kind, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pytest.raises((ModuleError, ParityError), match=kind.refused) as refusal:
        publish_module(kind.module(), kind.contract, "mine", root=tmp_path / "new", **kind.options)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 500
    assert not list(tmp_path.iterdir())


def test_the_page_has_a_row_for_each() -> None:
    lines = page.read("own-network.md").splitlines()
    rows = [line.strip("| ").split(" | ")[0] for line in lines if line.startswith("| ")]
    kinds = [*SERVED, *REFUSED]
    assert len(kinds) > 40
    assert [row for row in rows if row in map(str, kinds)] == [str(kind) for kind in kinds]


def test_the_module_is_left_as_it_was_and_the_graph_tells_no_path(tmp_path: Path) -> None:
    module = TwoLSTMs()
    frozen = next(module.children()).eval()
    samples = torch.rand(30, 2).numpy() * 9
    folder = publish_module(module, TwoLSTMs.contract, "mine", 3, tmp_path, samples=samples)
    assert folder == tmp_path / "mine" / "3"
    assert [each for each in module.modules() if not each.training] == [frozen]
    text = onnx.load(folder / "model.onnx").SerializeToString()
    assert b"/export/" not in text and b"site-packages" not in text


def test_the_card_tells_what_was_compared_and_what_was_allowed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    steps = [np.random.default_rng(0).random((25, 2)), np.zeros((7, 2))]
    folder = publish_module(
        Stateless(),
        contract(),
        "mine",
        root=tmp_path,
        description="A layer",
        samples=steps,
        tolerance=0.002,
    )
    text = " ".join((folder / "README.md").read_text().split())
    assert "A layer: 9 parameters. It reads steps:" in text
    assert "| logits | classes | A, B, C | It remembers nothing." in text
    assert "(logits) over 79 carried steps of 32 samples of 2 sequences" in text
    assert text.endswith("Its author allows 0.002.")


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("My GRU", 1, "'My GRU' will not do: a model's name has small letters"),
        ("", 1, "'' will not do"),
        ("../up", 1, "'../up' will not do"),
        ("x" * 65, 1, "64 at the most"),
        ("mine", 0, "0 will not do: a version is a whole number from 1"),
        ("mine", MAX_VERSION + 1, "will not do: a version"),
        ("mine", "2", "'2' will not do: a version"),
        ("mine", 7, "take another version"),
    ],
)
def test_a_place_that_cannot_be_is_refused_first(
    name: str, version: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "7").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PublishError, match=told):
        publish_module(own_refused.OneTensor(), GRU, name, version, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_of_others_are_left(tmp_path: Path) -> None:
    (tmp_path / "models" / "theirs" / "1").mkdir(parents=True)
    with pytest.raises(ModuleError):
        publish_module(own_refused.OneTensor(), GRU, "mine", root=tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["theirs"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_state_begins_with_an_array(dtype: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Brief() if dtype == "bfloat16" else Branch()
    wanted = SUM.model_copy(update={"state": (state("total", 2, dtype=dtype),)})
    if dtype == "bfloat16":
        wanted = wanted.model_copy(update={"outputs": GRU.outputs})
    start = np.array([0.3, -2.0])
    begun = {"total": start}
    folder = publish_module(module, wanted, "m", root=tmp_path, initial=begun, tolerance=1e-2)
    model = load_model(folder, "cpu")
    [total] = model.manifest.contract.state
    assert isinstance(total.initial, File) and total.initial.file == "total.npy"
    begins = torch.from_numpy(start).to(getattr(torch, dtype))[None]
    steps = torch.randn(1, 5, 2)
    with torch.no_grad():
        answers, after = module(steps, begins)
    rows = {name: array[None] for name, array in model.initial.items()}
    found, state_after = model.backend.run(steps.numpy(), np.array([5]), rows)
    np.testing.assert_allclose(found, answers, atol=1e-5)
    bits = after.view(torch.uint16) if dtype == "bfloat16" else after
    np.testing.assert_allclose(state_after["total"], bits.numpy(), rtol=1e-5)


def test_each_stream_is_told_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = own_told.Listener()
    folder = publish_module(module, own_told.VOICE, "mine", root=tmp_path)
    assert "of normal noise, with speaker of noise" in " ".join(
        (folder / CARD_FILE).read_text().split()
    )
    steps, speakers = torch.randn(2, 9, 2), torch.randn(2, 4)
    with torch.no_grad():
        wanted, _ = module(steps, torch.zeros(2, 8), speakers)
    with (
        live.running(models=tmp_path, model="mine") as url,
        Client(url) as client,
        client.stream(context={"speaker": speakers[0].numpy()}, logits=True) as one,
        client.stream(context={"speaker": speakers[1].numpy()}, logits=True) as other,
    ):
        for row, stream in enumerate((one, other)):
            *_, last = stream.predict(np.split(steps[row].numpy(), 3))
            assert last.logits is not None
            np.testing.assert_allclose(last.logits, wanted[row, -1], atol=1e-5)


def test_a_tokenizer_is_published_beside_the_graph(tmp_path: Path) -> None:
    file, size = texts.tokenizer(), texts.VOCABULARY
    own = contract(HIDDEN, tokens=20)
    named = Vocabulary(size=size, file="pieces.model", sha256="0" * 64)
    wanted = own.model_copy(update={"vocabulary": named})
    for data in (None, file):
        with pytest.raises(ModuleError, match=r"tokenizer= must be pieces.model, as the contract"):
            publish_module(Reader(size), wanted, "mine", root=tmp_path, tokenizer=data)
    with pytest.raises(ModuleError, match="names no file for the tokenizer"):
        publish_module(Reader(), own, "mine", root=tmp_path, tokenizer=file)
    with pytest.raises(ModuleError, match="names no file for the tokenizer"):
        publish_module(Stateless(), SUM, "mine", root=tmp_path, tokenizer=file)
    sealed = named.model_copy(update={"sha256": hashlib.sha256(file).hexdigest()})
    wanted = own.model_copy(update={"vocabulary": sealed})
    model = load_model(
        publish_module(Reader(size), wanted, "mine", root=tmp_path, tokenizer=file), "cpu"
    )
    assert model.tokenizer is not None and len(model.tokenizer.encode("a film"))
