"""`python -m export publish-text`: a network that reads texts, with its tokenizer beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from larnn_export import checkpoint
from larnn_export.data.imdb import LABELS, TERMS
from larnn_export.graph import build_graph
from larnn_export.manifests import GRAPH_FILE, graph_entry, save_manifest
from larnn_export.model_card import terms_section
from larnn_export.networks import RecurrentClassifier
from larnn_export.placing import CARD_FILE, version_folder
from larnn_export.tasks.race import RESULT_FILE
from larnn_export.tokenizer import TOKENIZER_FILE
from larnn_export.verify import ParityError, verify
from larnn_service.contract import Channel, Contract, Input, Manifest, Vocabulary
from larnn_service.outputs import classes

CITATION = """\
Large Movie Review Dataset v1.0: 25,000 reviews of films to train on and 25,000 to test on, half of
each positive. Andrew L. Maas, Raymond E. Daly, Peter T. Pham, Dan Huang, Andrew Y. Ng and
Christopher Potts, *Learning Word Vectors for Sentiment Analysis*, ACL 2011."""


def text_contract(
    network: RecurrentClassifier, tokenizer: bytes, labels: tuple[str, ...] = LABELS
) -> Contract:
    """The contract of a network that takes the tokens of this tokenizer."""
    return Contract(
        input=Input(channels=(Channel(name="token", unit="1"),)),
        outputs=classes(labels),
        sample_rate_hz=None,
        state=tuple(network.state_tensors()),
        vocabulary=Vocabulary(
            size=network.config.vocabulary,
            file=TOKENIZER_FILE,
            sha256=hashlib.sha256(tokenizer).hexdigest(),
        ),
    )


def publish_text(
    run: Annotated[Path, typer.Argument(help="a finished run of imdb, such as runs/imdb-rra-s0")],
    name: Annotated[str, typer.Option()] = "rra-imdb",
    version: Annotated[int, typer.Option(min=1)] = 1,
    models: Annotated[Path, typer.Option(help="the repository of exported models")] = Path(
        "models"
    ),
) -> None:
    """Verify the graph of a run on texts and write models/NAME/VERSION/."""
    try:
        network = checkpoint.load_network(run)
        tokenizer = (run / TOKENIZER_FILE).read_bytes()
        result = json.loads((run / RESULT_FILE).read_text())
        with version_folder(models, name, version) as folder:
            _write(folder, name, version, network, tokenizer, result)
    except (OSError, ValueError, checkpoint.CheckpointError, ParityError) as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"published {models / name / str(version)}")


def _write(
    folder: Path,
    name: str,
    version: int,
    network: RecurrentClassifier,
    tokenizer: bytes,
    result: dict[str, Any],
) -> None:
    contract = text_contract(network, tokenizer)
    model = build_graph(network, contract)
    parity = verify(network, model)
    graph = model.SerializeToString(deterministic=True)
    update, _, accuracy = result["curve"][-1]
    manifest = Manifest(
        name=name,
        version=version,
        description=f"{network.config.family.upper()} for the sentiment of film reviews",
        contract=contract,
        graph=graph_entry(graph),
        network=network.config.model_dump(mode="json"),
        metrics={
            "test": {"accuracy": accuracy, "reviews": result["tested"], "updates": update},
            "parity": {"logits": parity.logits, "state": parity.state, "steps": parity.steps},
        },
        data_terms=TERMS,
    )
    (folder / GRAPH_FILE).write_bytes(graph)
    (folder / TOKENIZER_FILE).write_bytes(tokenizer)
    save_manifest(folder, manifest)
    (folder / CARD_FILE).write_text(text_card(manifest), encoding="utf-8")


def text_card(manifest: Manifest) -> str:
    """The card of a network that reads texts."""
    test, vocabulary = manifest.metrics["test"], manifest.contract.vocabulary
    assert vocabulary is not None
    return f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}, token by token. {test["accuracy"]:.1%} right of {test["reviews"]:,} test
reviews, which chose nothing, after {test["updates"]:,} updates of 64 reviews.

`{vocabulary.file}` makes {vocabulary.size:,} kinds of tokens, in lower case, of words and pieces of
words; the network reads the last 200 of a review in training. The graph agrees with the network in
torch within {manifest.metrics["parity"]["logits"]:.0e}.

## The data

{CITATION}

{terms_section(manifest)}\
## Limits

English reviews of films. A short training, to compare two networks: see docs/memories.md.
"""
