"""What a client wants to read of each answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from larnn_service.contract import Contract
from larnn_service.errors import BadMessage, quoted
from larnn_service.settings import Settings
from larnn_service.wire.number_texts import whole_number
from larnn_service.wire.stream_schemas import MOST_EMIT, Emit, StepsBody

_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_NOTHING = (None, None, None, None, None, None)
HAVE_LOGITS = ("classes", "tags")
"""Tasks whose outputs are logits."""


Unsure = Literal[False, "usual", "asked"]
"""Whether `unsure` is said in place of a label: because the service usually does so of models that
can tell, or because the client asks."""


@dataclass(frozen=True)
class AnswerOptions:
    """What a client wants to read of a sequence, or of each chunk."""

    logits: bool = False
    emit: Emit = "last"
    explain: bool = False
    outputs: frozenset[str] = frozenset()
    """The names of further outputs."""
    probabilities: bool = True
    unsure: Unsure = False

    def but(self, message: StepsBody) -> AnswerOptions:
        """These options, changed by what one message says."""
        said = message.logits, message.emit, message.explain, message.outputs
        if (*said, message.probabilities, message.unsure) == _NOTHING:
            return self
        return AnswerOptions(
            self.logits if message.logits is None else message.logits,
            self.emit if message.emit is None else message.emit,
            self.explain if message.explain is None else message.explain,
            self.outputs if message.outputs is None else frozenset(message.outputs),
            self.probabilities if message.probabilities is None else message.probabilities,
            self.unsure if message.unsure is None else unsure(message.unsure),
        )

    def check(self, contract: Contract, who: str, arrays: bool = False) -> None:
        """Raises BadMessage where the model `who` cannot answer so.

        Answers as `arrays` are outputs as they come: whether they have probabilities is no matter.
        """
        if self.unsure == "asked" and contract.doubt is None:
            raise BadMessage(f"{who} cannot tell when it is unsure: no output of it says so")
        if not self.logits and not self.outputs and self.probabilities:
            return
        first, *others = contract.outputs
        if self.logits and first.task not in HAVE_LOGITS and not arrays:
            raise BadMessage(f"{who} has no logits: it answers with {first.task}, as they come")
        names = [output.name for output in others]
        if unknown := self.outputs.difference(names):
            there_are = f"it gives {', '.join(names)}" if names else "it has its answer alone"
            raise BadMessage(f"{who} has no further output {quoted(min(unknown))}; {there_are}")
        if not self.probabilities and not arrays:
            self._check_something_is_left(contract, who)

    def _check_something_is_left(self, contract: Contract, who: str) -> None:
        """Raises BadMessage where an output has nothing to say but its probabilities."""
        logits = HAVE_LOGITS if self.logits else ()
        for index, output in enumerate(contract.outputs):
            told = not index or output.name in self.outputs
            if told and output.task in ("tags", "probability") and output.task not in logits:
                raise BadMessage(
                    f"{who} has nothing but probabilities to say of {output.name}; ask for them"
                    + (", or for logits" if output.task == "tags" else "")
                )


PLAIN = AnswerOptions()
"""Of who asks for nothing else."""


def usual(settings: Settings) -> AnswerOptions:
    """What is told to a client that does not say."""
    return AnswerOptions(unsure="usual") if settings.unsure else PLAIN


def unsure(asked: bool) -> Unsure:
    """What a client that says so wants."""
    return "asked" if asked else False


def options_of(query: Mapping[str, str], usual: AnswerOptions = PLAIN) -> AnswerOptions:
    """What an address says of all answers, else the usual. Raises BadMessage."""
    logits, explain = flag(query, "logits", False), flag(query, "explain", False)
    probabilities = flag(query, "probabilities", True)
    doubt = unsure(flag(query, "unsure", False)) if "unsure" in query else usual.unsure
    return AnswerOptions(logits, _emit(query), explain, outputs_of(query), probabilities, doubt)


def _emit(query: Mapping[str, str]) -> Emit:
    text = query.get("emit", "last")
    if text in ("last", "every"):
        return "last" if text == "last" else "every"
    if not 1 <= (steps := whole_number(text) or 0) <= MOST_EMIT:
        raise BadMessage("in the address: emit is last, every or a number of steps")
    return steps


def flag(query: Mapping[str, str], name: str, default: bool) -> bool:
    """What an address says of a name. Raises BadMessage."""
    if (text := query.get(name)) is None:
        return default
    if (value := _TRUTH.get(text.lower())) is None:
        raise BadMessage(f"in the address: {name} is true or false, not {quoted(text)}")
    return value


def outputs_of(query: Mapping[str, str]) -> frozenset[str]:
    """The names of further outputs in an address, between commas."""
    return frozenset(query["outputs"].split(",")) if query.get("outputs") else frozenset()
