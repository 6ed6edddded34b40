"""What a card says of a contract, in tables. It needs no torch."""

from __future__ import annotations

from larnn_service.contract import Contract


def contract_tables(contract: Contract) -> str:
    """What a step is, what it is answered with, what is told once and what is remembered."""
    hertz = contract.sample_rate_hz
    channels = [f"{channel.name} | {channel.unit}" for channel in contract.input.summary]
    outputs = [
        f"{output.name} | {output.task} | {', '.join(output.names) or list(output.step_shape)}"
        for output in contract.outputs
    ]
    once = [f"{t.name} | {list(t.shape)} | {t.description}" for t in contract.context]
    state = [f"{t.name} | {t.dtype} {list(t.shape)} | {t.description}" for t in contract.state]
    parts = [
        f"It reads steps{'' if hertz is None else f', {hertz:g} of them a second'}:",
        _table("channel | unit", channels),
        "It answers each with:",
        _table("output | task | of", outputs),
        *(["It is told once:", _table("tensor | shape | what it is", once)] if once else []),
        _table("state | type | what it is", state) if state else "It remembers nothing.",
    ]
    return "\n\n".join(parts)


def _table(head: str, rows: list[str]) -> str:
    line = "|" + "---|" * (head.count("|") + 1)
    return "\n".join([f"| {head} |", line, *(f"| {row} |" for row in rows)])
