"""Which output of a file is the next value of which input: by its metadata, names and shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from larnn_export.importing.options import Options
from larnn_export.importing.original import Original, Tensor
from larnn_export.importing.problems import Problems

_BEFORE = "in|input|prev|previous|past|old|last|init|initial|cur|curr|current|before"
_AFTER = "out|output|next|new|present|updated?|final|after"
_BEFORE_SHORT, _AFTER_SHORT = "|0|t", "|n|1|t1|tp1"
"""What some write behind a name instead: h0 and hn."""
_DATA = re.compile(
    r"^(x|inputs?|audio|sound|signal|wav|waveform|pcm|samples?|feat(ure)?s?|frames?|mix|noisy|spec"
    r"|spectrum|obs|observations?|data|mel|logmel|speech|image|tokens?)(_?\d*)$"
)


@dataclass
class Pairing:
    """What each input and output of the file is."""

    state: dict[str, str] = field(default_factory=dict)
    found_by: dict[str, str] = field(default_factory=dict)
    """How each pair was found, by its input."""
    data: list[str] = field(default_factory=list)
    """The inputs that take a step."""
    answers: list[str] = field(default_factory=list)


def pair(original: Original, options: Options, problems: Problems) -> Pairing:
    """What was said, and proposals for the rest; adds to the problems what cannot be known."""
    inputs, outputs = dict(original.inputs), dict(original.outputs)
    _all_exist(_inputs(options), inputs, "input", problems)
    _all_exist(_outputs(options), outputs, "output", problems)
    _each_once(_roles(options), "input", problems)
    _each_once([each.name for each in options.outputs], "output", problems)
    paired = Pairing()
    for name, output in options.state.items():
        if name in inputs and output in outputs:
            _found(paired, name, output, "said")
    said_else = {*options.input.names, *options.constants, *options.once}
    free = [tensor for name, tensor in inputs.items() if name not in said_else]
    targets = [t for n, t in outputs.items() if n not in {a.name for a in options.outputs}]
    _by_metadata(original, paired, free, targets)
    _by_names(paired, free, targets, _BEFORE, _AFTER)
    _by_names(paired, free, targets, _BEFORE + _BEFORE_SHORT, _AFTER + _AFTER_SHORT)
    left = [tensor for tensor in free if tensor.name not in paired.state]
    paired.data = [name for name in options.input.names if name in inputs] or _data(left)
    left = [tensor for tensor in left if tensor.name not in paired.data]
    for name in [tensor.name for tensor in left]:
        _by_shape(paired, original.inputs[name], left, _free(paired, targets))
    _leftover(paired, [t for t in left if t.name not in paired.state], targets, problems)
    if not paired.data:
        problems.add("no input is left for the steps", "name it: --input NAME")
    _all_exist([n for n in options.initial if n in inputs], paired.state, "state", problems)
    said = [each.name for each in options.outputs if each.name in outputs]
    rest = [name for name in outputs if name not in {*said, *paired.state.values()}]
    paired.answers = said or rest
    if not paired.answers:
        problems.add("no output is left for the answer", "name it: --output NAME")
    return paired


def _all_exist(
    named: Iterable[str], known: Mapping[str, object], kind: str, problems: Problems
) -> None:
    for name in dict.fromkeys(named):
        if name not in known:
            has = ", ".join(known) or "none"
            problems.add(f"{kind} {name}", f"the file has no such {kind}; it has {has}")


def _each_once(named: list[str], kind: str, problems: Problems) -> None:
    for name in dict.fromkeys(named):
        if (count := named.count(name)) > 1:
            problems.add(f"{kind} {name}", f"the options say {count} things of it: leave one")


def _roles(options: Options) -> list[str]:
    """The inputs that the options give a role."""
    return [*options.state, *options.input.names, *options.constants, *options.once]


def _outputs(options: Options) -> list[str]:
    """Those that the options name."""
    return [*options.state.values(), *(each.name for each in options.outputs)]


def _inputs(options: Options) -> list[str]:
    """Likewise."""
    return [*_roles(options), *options.initial, *options.shapes]


def compatible(before: Tensor, after: Tensor) -> bool:
    """Whether one may be the next value of the other, as far as their shapes are told."""
    if before.type != after.type or before.shape is None or after.shape is None:
        return before.type == after.type
    return len(before.shape) == len(after.shape) and all(
        one == other or not (isinstance(one, int) and isinstance(other, int))
        for one, other in zip(before.shape, after.shape, strict=True)
    )


def _found(paired: Pairing, name: str, output: str, how: str) -> None:
    paired.state[name] = output
    paired.found_by[name] = how


def _free(paired: Pairing, targets: Iterable[Tensor]) -> list[Tensor]:
    return [tensor for tensor in targets if tensor.name not in paired.state.values()]


def _by_metadata(
    original: Original, paired: Pairing, free: list[Tensor], targets: list[Tensor]
) -> None:
    """An entry of the file's metadata whose key is an input and whose value is an output."""
    told = {entry.key: entry.value for entry in original.model.metadata_props}
    names = {tensor.name for tensor in targets}
    for tensor in free:
        if tensor.name not in paired.state and told.get(tensor.name) in names:
            _found(paired, tensor.name, told[tensor.name], "its metadata")


def _by_names(
    paired: Pairing, free: list[Tensor], targets: list[Tensor], before: str, after: str
) -> None:
    """Pairs whose names are the same but for words such as in and out, and no others' are."""
    found: dict[str, list[str]] = {}
    for tensor in free:
        if tensor.name not in paired.state:
            stems = _stems(tensor.name, before)
            found[tensor.name] = [
                other.name
                for other in _free(paired, targets)
                if compatible(tensor, other) and stems & _stems(other.name, after)
            ]
    taken = [name for names in found.values() for name in names]
    for name, candidates in found.items():
        if len(candidates) == 1 and taken.count(candidates[0]) == 1:
            _found(paired, name, candidates[0], "their names")


def _stems(name: str, words: str) -> set[str]:
    """What may be the name of the state in the name of a tensor, before or after a step."""
    name = re.sub(r"[.:/ -]+", "_", re.sub(r":\d+$", "", name)).strip("_").lower()
    stems = {name}
    for stem in (name, re.sub(rf"^({words})_", "", name)):
        inside = re.sub(rf"_({words})(_?\d+)$", r"\2", stem)
        stems |= {stem, inside, re.sub(rf"_?({words})$", "", stem)}
    return {stem for stem in stems if not stem.isdigit() and stem and not _DATA.match(stem)}


def _data(left: list[Tensor]) -> list[str]:
    """The inputs whose names are those of data, else the first that is no single number."""
    named = [tensor.name for tensor in left if _DATA.match(tensor.name.lower())]
    return named[:1] or [tensor.name for tensor in left if tensor.shape != ()][:1]


def _by_shape(paired: Pairing, tensor: Tensor, left: list[Tensor], targets: list[Tensor]) -> None:
    """The one output of its shape, where no other input has it."""
    matching = [other for other in targets if compatible(tensor, other)]
    rivals = [o for o in left if o.name not in paired.state and compatible(o, tensor)]
    if len(matching) == 1 and len(rivals) == 1 and tensor.shape:
        _found(paired, tensor.name, matching[0].name, "their shape")


def _leftover(
    paired: Pairing, left: list[Tensor], targets: list[Tensor], problems: Problems
) -> None:
    for tensor in left:
        fitting = [o.name for o in _free(paired, targets) if compatible(tensor, o)]
        if tensor.shape in ((), (1,)) and not fitting:
            mend = f"is it a constant? --set {tensor.name}=VALUE; given once? --once {tensor.name}"
        elif fitting:
            several = " or ".join(f"--state {tensor.name}={name}" for name in fitting)
            mend = f"say which output is its next value: {several}"
        else:
            mend = (
                f"no output has its type and shape: given once? --once {tensor.name}; a part "
                f"of each step? --input {' --input '.join([*paired.data, tensor.name])}"
            )
        problems.add(f"input {tensor} is not known", mend)


def describe(state: Mapping[str, str], found_by: Mapping[str, str]) -> list[str]:
    """A line for each pair."""
    return [f"{name} → {output} (by {found_by[name]})" for name, output in state.items()]
