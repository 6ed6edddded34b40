"""The card of an imported model."""

from __future__ import annotations

from larnn_export.contract_tables import contract_tables
from larnn_export.importing.plan import Plan
from larnn_export.importing.side_by_side import Difference
from larnn_service.contract import Manifest

_HOW = {
    ("together", "one"): "All rows of a batch run together, in a loop over their steps.",
    ("together", "whole"): "All rows and all steps run at once: the recurrent layers know where "
    "each row ends.",
    ("alone", "one"): "Each row runs alone, in a loop over its steps: its answers are those of the "
    "file, whoever else asks.",
    ("alone", "whole"): "Each row runs alone, all of its steps at once.",
}


def write_import_card(manifest: Manifest, plan: Plan, difference: Difference) -> str:
    """Its text."""
    origin = manifest.network["imported"]
    why = f" Why so: {plan.layout.why}." if plan.layout.why else ""
    return f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}. Imported from `{origin["file"]}`, written by {origin["producer"]}
(operator set {origin["opset"]}, {origin["precision"]}, SHA-256 `{origin["sha256"]}`).

{contract_tables(manifest.contract)}

{_HOW[plan.layout.rows, plan.layout.steps]}{why}

Beside the file in onnxruntime, over {difference.steps:,} steps of {difference.source} in ragged
chunks that carry the state on, {_measured(difference)}; up to {difference.bound:.0e} is allowed.\
{_terms(manifest)}
"""


def _measured(difference: Difference) -> str:
    if not difference.largest and not difference.state:
        return "nothing differs, neither in the outputs nor in the state"
    return (
        f"the outputs differ by at most {difference.largest:.1e} and the state by\n"
        f"{difference.state:.1e}, relative to max(1, |value|)"
    )


def _terms(manifest: Manifest) -> str:
    return f"\n\n{manifest.data_terms}" if manifest.data_terms else ""
