"""Tasks that ask for memory: their floors and ceilings, by one who remembers and one who cannot."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from larnn_export.memory_tasks import TASKS, EndlessStreams, Episodes, MemoryTask, within_reach
from larnn_export.memory_tasks.recall import AssociativeRecall
from larnn_export.memory_tasks.task import one_hot

SIZES: dict[str, list[dict[str, int]]] = {
    "recall": [{"pairs": 4}, {"pairs": 64}, {"pairs": 8, "gap": 9}],
    "copying": [{"marked": 3, "steps": 10}],
    "induction": [{"steps": 20}],
    "adding": [{"steps": 10}],
    "machines": [{"machines": 3, "gap": 5}],
    "gestures": [{"gestures": 3}],
}
EVERY = [task() for task in TASKS.values()]
EVERY += [TASKS[name](**fields) for name, sizes in SIZES.items() for fields in sizes]
each_task = pytest.mark.parametrize("task", EVERY, ids=lambda task: task.name)


def drawn(task: MemoryTask, count: int, seed: int = 0) -> Episodes:
    return task.draw(count, torch.Generator().manual_seed(seed))


def enough(task: MemoryTask, questions: int = 300) -> int:
    """Episodes that hold about so many questions."""
    each = drawn(task, 8).asked.sum().item() / 8
    return int(questions / each) + 1


@each_task
def test_a_seed_gives_the_same_episodes_and_another_gives_others(task: MemoryTask) -> None:
    first, again, other = drawn(task, 3), drawn(task, 3), drawn(task, 3, seed=1)
    for field in dataclasses.fields(Episodes):
        assert torch.equal(getattr(first, field.name), getattr(again, field.name))
    assert not torch.equal(first.x, other.x)
    assert first.x.shape[2] == task.channels and first.x.isfinite().all()
    assert first.asked.any(dim=1).all() and not first.answers[~first.asked].any()
    if task.outputs > 1:
        assert {*first.answers.tolist()[0]} <= {*map(float, range(task.outputs))}


@each_task
def test_perfect_memory_reaches_the_ceiling_and_none_the_floor(task: MemoryTask) -> None:
    episodes = drawn(task, enough(task))
    questions = int(episodes.asked.sum())
    by_chance = 4 * (task.floor * (1 - task.floor) / questions) ** 0.5
    shares = [within_reach(task, episodes, reach) for reach in (1, 8, 64, None)]
    assert abs(shares[0] - task.floor) < by_chance
    assert shares[-1] >= task.ceiling
    assert all(later >= sooner - 0.01 for sooner, later in zip(shares, shares[1:], strict=False))


@each_task
def test_a_question_alone_tells_nothing(task: MemoryTask) -> None:
    """Neither the commonest answer to each kind of question, nor a linear function of all that a
    question shows, is better than the floor on other questions than it was fitted to."""
    episodes = drawn(task, enough(task, 3_000))
    shown, answers = episodes.x[episodes.asked], episodes.answers[episodes.asked]
    kinds, half = one_hot(shown.argmax(dim=1), task.channels), len(shown) // 2
    wanted = one_hot(answers.long(), task.outputs) if task.outputs > 1 else answers[:, None]
    by_chance = 5 * (task.floor * (1 - task.floor) / half) ** 0.5
    for features in (kinds, torch.cat([shown, torch.ones(len(shown), 1)], dim=1)):
        fitted = torch.linalg.lstsq(features[:half], wanted[:half], driver="gelsd").solution
        right = task.right(features[half:] @ fitted, answers[half:])
        assert right.double().mean() < task.floor + by_chance


@each_task
def test_an_endless_stream_asks_the_same_however_it_is_cut(task: MemoryTask) -> None:
    short, long = (EndlessStreams(task, 2, torch.Generator().manual_seed(3)) for _ in range(2))
    steps = 2 * drawn(task, 1).x.shape[1]
    chunks = [short.next(steps // 4) for _ in range(4)]
    whole = long.next(4 * (steps // 4))
    joined = Episodes(
        *(torch.cat([getattr(each, field.name) for each in chunks], dim=1) for field in FIELDS)
    )
    for field in FIELDS:
        assert torch.equal(getattr(joined, field.name), getattr(whole, field.name))
    assert within_reach(task, whole) >= min(task.ceiling, 0.9)


FIELDS = dataclasses.fields(Episodes)


def test_what_is_told_again_in_a_stream_replaces_what_was_told_before() -> None:
    task = AssociativeRecall(pairs=4)
    episodes = drawn(task, 40)
    in_turn = Episodes(*(getattr(episodes, f.name).flatten(0, 1)[None] for f in FIELDS))
    assert within_reach(task, in_turn) == 1.0
    told = episodes.x[:, :4, : task.keys].argmax(-1)
    assert len(told.unique()) == task.keys  # so keys came again with other values
