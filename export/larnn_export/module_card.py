"""The card of a module of one's own: what it takes, gives and remembers; how it was compared."""

from __future__ import annotations

from larnn_export.contract_tables import contract_tables
from larnn_export.verify import Parity
from larnn_service.contract import Manifest


def card(manifest: Manifest, parity: Parity) -> str:
    """README.md beside the manifest."""
    contract, compared = manifest.contract, manifest.metrics["compared"]
    parts = [f"{by:.0e} ({name})" for name, by in parity.outputs.items()]
    parts += [f"{parity.state:.0e} (state)"] if contract.state else []
    bound, how = compared["tolerance"], f"over {parity.steps} carried steps of {compared['on']}"
    allowed = "" if bound is None else f" Its author allows {bound:g}."
    return f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}: {manifest.network["parameters"]:,} parameters.

{contract_tables(contract)}

The graph agrees with the module in torch within {", ".join(parts)}
{how}, in ragged chunks.{allowed}
"""
