"""What is made of a file: the contract of the version, and what stands for what in it."""

from __future__ import annotations

from dataclasses import dataclass

from larnn_export.importing.carried import Held, Kept, files
from larnn_export.importing.described import Given
from larnn_export.importing.fitted import Fed, fit
from larnn_export.importing.layout import Layout
from larnn_export.importing.options import Options
from larnn_export.importing.original import Original
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.problems import ImportFailed, Problems
from larnn_export.reasons import field_errors
from larnn_service.contract import Contract


@dataclass(frozen=True)
class Plan:
    """A file as it will be served."""

    contract: Contract
    layout: Layout
    fed: tuple[Fed, ...]
    kept: tuple[Kept, ...]
    held: tuple[Held, ...]
    given: tuple[Given, ...]
    overlap: int
    """Samples of the steps before that each step takes again."""

    @property
    def carried(self) -> tuple[Kept | Held, ...]:
        """All that goes along with a row's steps."""
        return *self.kept, *self.held

    @property
    def files(self) -> dict[str, bytes]:
        """What lies beside the manifest, besides the graph."""
        said = {each.before: (each.tensor.initial, each.start) for each in self.kept}
        return files(said | {each.before: (each.tensor.default, each.start) for each in self.held})


def make_plan(original: Original, paired: Pairing, layout: Layout, options: Options) -> Plan:
    """The contract that `layout` leads to. Raises ImportFailed with all that does not fit."""
    problems, said = Problems(), options.input
    fitted = fit(original, paired, layout.axes, options, problems)
    problems.tell()
    assert fitted.step is not None
    rate = options.sample_rate_hz
    try:
        contract = Contract(
            input=fitted.step,
            outputs=tuple(each.output for each in fitted.given),
            sample_rate_hz=rate / fitted.new if rate and said.frame else rate,
            state=fitted.state(said.overlap),
            context=tuple(each.tensor for each in fitted.held),
            vocabulary=fitted.vocabulary,
        )
    except ValueError as error:
        raise ImportFailed([f"its contract: {field_errors(error)}"]) from error
    return Plan(contract, layout, fitted.fed, fitted.kept, fitted.held, fitted.given, said.overlap)
