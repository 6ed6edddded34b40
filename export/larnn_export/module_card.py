"""The card of a module of one's own: what it takes, gives and remembers; how it was compared."""

from __future__ import annotations

from larnn_export.verify import Parity
from larnn_service.contract import Manifest


def card(manifest: Manifest, parity: Parity) -> str:
    """README.md beside the manifest."""
    contract, compared = manifest.contract, manifest.metrics["compared"]
    hertz = contract.sample_rate_hz
    rate = "" if hertz is None else f", {hertz:g} of them a second"
    channels = [f"| {channel.name} | {channel.unit} |" for channel in contract.input.summary]
    outputs = [
        f"| {output.name} | {output.task} | {', '.join(output.names) or list(output.shape)} |"
        for output in contract.outputs
    ]
    state = [f"| {t.name} | {list(t.shape)} | {t.description} |" for t in contract.state]
    parts = [f"{by:.0e} ({name})" for name, by in parity.outputs.items()]
    parts += [f"{parity.state:.0e} (state)"] if state else []
    bound, how = compared["tolerance"], f"over {parity.steps} carried steps of {compared['on']}"
    allowed = "" if bound is None else f" Its author allows {bound:g}."
    return f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}: {manifest.network["parameters"]:,} parameters.

It reads steps{rate}:

{_table("channel | unit", channels)}

It answers each with:

{_table("output | task | of", outputs)}

{_table("state | shape | what it is", state) if state else "It remembers nothing."}

The graph agrees with the module in torch within {", ".join(parts)}
{how}, in ragged chunks.{allowed}
"""


def _table(head: str, rows: list[str]) -> str:
    line = "|" + "---|" * (head.count("|") + 1)
    return "\n".join([f"| {head} |", line, *rows])
