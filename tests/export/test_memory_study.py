"""A study of memory: networks of one size, finished runs kept, settings tuned by one budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from larnn_export import checkpoint
from larnn_export.__main__ import app
from larnn_export.families.config import HeadsConfig
from larnn_export.memory_study.contenders import CONTENDERS, LONG
from larnn_export.memory_study.pictures import attention_of
from larnn_export.memory_study.protocol import Protocol, network_for, size_of
from larnn_export.memory_study.results import RESULTS_FILE, Results, StudyError
from larnn_export.memory_study.run import measure
from larnn_export.memory_study.study import Study, weights_folder
from larnn_export.memory_study.summary import summary
from larnn_export.memory_tasks import TASKS
from larnn_export.memory_tasks.recall import AssociativeRecall
from larnn_export.networks import RecurrentClassifier

TASK = AssociativeRecall(pairs=2)
SHORT = Protocol(parameters=3_000, updates=4, batch_size=8, tested=20, points=2)
Record = dict[str, Any]


def ran(folder: Path, names: list[str], seeds: int = 1, protocol: Protocol = SHORT) -> list[Record]:
    return list(Study(TASK, protocol, folder).run(names, seeds))


@pytest.mark.parametrize("name", CONTENDERS)
def test_networks_are_one_size_but_for_what_their_heads_need(name: str) -> None:
    config = network_for(TASKS["machines"](), CONTENDERS[name], 10_000)
    size = size_of(config)
    heads = config.heads if isinstance(config, HeadsConfig) else 1
    larger = config.model_copy(update={"hidden_size": config.hidden_size + heads})
    smaller = config.model_copy(update={"hidden_size": config.hidden_size - heads})
    assert abs(size - 10_000) <= min(abs(size_of(each) - 10_000) for each in (larger, smaller))


def test_a_network_learns_to_recall(tmp_path: Path) -> None:
    protocol = SHORT.model_copy(update={"updates": 120, "batch_size": 32, "tested": 100})
    [record] = ran(tmp_path, ["gru"], protocol=protocol)
    assert record["accuracy"] > 0.5 > 3 * record["floor"]
    assert [update for update, _, _ in record["curve"]] == [60, 120]
    weights, kept = checkpoint.read(weights_folder(tmp_path, record), checkpoint.FINISHED)
    assert kept["network"] == record["setting"]["network"]
    assert sum(each.numel() for each in weights.values()) == record["parameters"]


def test_a_study_that_is_killed_goes_on(tmp_path: Path) -> None:
    file = tmp_path / RESULTS_FILE
    assert len(ran(tmp_path, ["lstm", "gru"])) == 2
    whole = file.read_text()
    lines = whole.splitlines(keepends=True)
    file.write_text(lines[0] + lines[1][:100])  # killed while it wrote
    assert [each["contender"] for each in ran(tmp_path, ["lstm", "gru"])] == ["gru"]
    again = file.read_text().splitlines(keepends=True)
    assert again[0] == lines[0] and len(again) == 2
    of_cpu = "cpu_seconds_per_update"
    first, second = (json.loads(text[1]) | {of_cpu: 0} for text in (lines, again))
    assert first == second
    assert ran(tmp_path, ["lstm", "gru"]) == []
    assert [each["number"] for each in ran(tmp_path, ["lstm", "gru"], seeds=2)] == [1, 1]


@pytest.mark.parametrize(("chunk", "names"), [(0, [*CONTENDERS]), (7, ["larnn", "attention"])])
def test_contenders_run_on_episodes_and_on_streams(
    chunk: int, names: list[str], tmp_path: Path
) -> None:
    protocol = SHORT.model_copy(update={"updates": 1, "chunk": chunk, "points": 1})
    found = ran(tmp_path, names, protocol=protocol)
    assert [each["contender"] for each in found] == names
    assert {row["chunk"] for row in summary(found)} == {chunk}
    for each in found:
        assert each["macs_per_step"] > 1_000 and each["state_bytes"] > 50


def test_settings_are_tuned_with_one_budget_and_the_best_is_trained(tmp_path: Path) -> None:
    protocol = SHORT.model_copy(update={"trials": 3, "trial_updates": 2})
    ran(tmp_path, ["larnn", "attention"], protocol=protocol)
    records = [json.loads(line) for line in (tmp_path / RESULTS_FILE).read_text().splitlines()]
    for name in ("larnn", "attention"):
        trials, seed = [each for each in records if each["contender"] == name][:3], records[0]
        [seed] = [e for e in records if e["contender"] == name and e["stage"] == "seed"]
        assert [each["setting"]["updates"] for each in trials] == [2, 2, 2]
        best = min(trials, key=lambda each: float(each["loss"]))["setting"]
        assert seed["setting"]["learning_rate"] == best["learning_rate"]
        assert seed["setting"]["network"] == best["network"]
    assert ran(tmp_path, ["larnn", "attention"], protocol=protocol) == []


@pytest.mark.parametrize("name", ["larnn-old", "larnn-old-short", "larnn-long", "larnn", "gru"])
def test_tuning_leaves_what_a_name_states(name: str, tmp_path: Path) -> None:
    protocol = SHORT.model_copy(update={"updates": 1, "trials": 5, "trial_updates": 1})
    ran(tmp_path, [name], protocol=protocol)
    records = [json.loads(line) for line in (tmp_path / RESULTS_FILE).read_text().splitlines()]
    tried = {each["setting"]["network"]["longest_memory"] for each in records}
    stated = CONTENDERS[name].get("longest_memory")
    assert tried == ({0, LONG} if stated is None else {stated})


def test_looking_at_results_leaves_a_line_that_is_being_written(tmp_path: Path) -> None:
    ran(tmp_path, ["gru"])
    file = tmp_path / RESULTS_FILE
    written = file.read_text() + '{"task": "rec'
    file.write_text(written)
    assert len(Results(tmp_path).records) == 1
    assert file.read_text() == written


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("protocol", {"clip_norm": 9.0}),
        ("protocol", {"chunk": 7}),
        ("sizes", {"gap": 3}),
        ("version", 1),
        ("version", None),
    ],
)
def test_results_that_do_not_compare_are_refused_for_every_contender(
    part: str, other: Any, tmp_path: Path
) -> None:
    ran(tmp_path, ["gru"])
    file = tmp_path / RESULTS_FILE
    record = json.loads(file.read_text())
    if other is None:
        del record[part]
    else:
        record[part] = record[part] | other if isinstance(other, dict) else other
    file.write_text(json.dumps(record) + "\n")
    for name in ("gru", "lstm"):
        with pytest.raises(StudyError, match=rf"{part}.*ame another folder"):
            ran(tmp_path, [name])


def test_streams_are_measured_on_as_many_steps_as_episodes() -> None:
    network = RecurrentClassifier(network_for(TASK, CONTENDERS["gru"], 500))
    seen = []
    network.register_forward_hook(lambda _, given, __: seen.append(given[0].shape[:2].numel()))
    protocol = SHORT.model_copy(update={"chunk": 8})
    for episodes in (512, 2_048):
        seen.clear()
        measure(network, TASK, protocol, 0, episodes)
        assert sum(seen) == episodes * 4


def test_a_folder_holds_one_protocol_and_what_is_asked_wrongly_is_told(tmp_path: Path) -> None:
    command = ["tasks", str(tmp_path), "--only", "lstm", "--seeds", "1", "-s", "pairs=2"]
    short = ["-p", "parameters=2000", "-p", "tested=20", "-p", "points=1", "-p"]
    assert CliRunner().invoke(app, [*command, *short, "updates=1"]).exit_code == 0
    refused = {
        "updates 1, not 2": [*command, *short, "updates=2"],
        "no contender nobody": [*command, "--only", "nobody"],
        "one of recall": ["tasks", "--task", "forgetting"],
        "name one of ['gap', 'pairs']": [*command, "-s", "couples=2"],
        "greater than or equal to 1": [*command, "-p", "updates=0"],
        "must be 1 or more": [*command, "-s", "pairs=0"],
        "marked must be at most steps, 3": ["tasks", "--task", "copying", "-s", "steps=3"],
        "steps must be 2 or more": [
            "attention",
            "run",
            "a.png",
            "--task",
            "adding",
            "-s",
            "steps=1",
        ],
        "steps must be 8 or more": ["tasks", "--task", "induction", "-s", "steps=7"],
    }
    for told, words in refused.items():
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert told in " ".join(result.output.replace("│", " ").split()), result.output


def test_finished_runs_are_summed_up_and_drawn(tmp_path: Path) -> None:
    """Differences are of the same seeds; the LSTM has one more, which counts in its mean alone."""
    ran(tmp_path, ["larnn"], seeds=2)
    ran(tmp_path, ["lstm"], seeds=3)
    output = tmp_path / "tasks.json"
    command = ["tasks", str(tmp_path), "--only", "none", "--output", str(output)]
    assert CliRunner().invoke(app, command).exit_code == 0
    rows = {row["contender"]: row for row in json.loads(output.read_text())["rows"]}
    mine, other = rows["larnn"]["accuracies"], rows["lstm"]["accuracies"]
    assert [*mine] == ["0", "1"] and [*other] == ["0", "1", "2"]
    assert "difference" not in rows["larnn"]
    mean = sum(other[seed] - mine[seed] for seed in mine) / 2
    assert rows["lstm"]["difference"]["mean"] == pytest.approx(mean)
    assert rows["lstm"]["mean"] == pytest.approx(sum(other.values()) / 3)
    assert output.with_suffix(".png").stat().st_size > 1000


def test_where_attention_looks_is_drawn_and_only_of_a_network_that_has_any(tmp_path: Path) -> None:
    larnn, lstm = ran(tmp_path, ["larnn", "lstm"])
    network = checkpoint.load_network(weights_folder(tmp_path, larnn))
    weights, steps = attention_of(network, TASK, seed=5)
    assert weights.shape == (2, 2, 1, 32) and steps.tolist() == [2, 3]
    for question, step in enumerate(steps):  # empty slots are not looked at
        assert weights[question, ..., : 32 - step].max() == 0
        assert weights[question].sum(axis=-1) == pytest.approx(1, abs=1e-5)
    picture = str(tmp_path / "attention.png")
    told = ["-s", "pairs=2"]
    for record, code in ((larnn, 0), (lstm, 2)):
        folder = str(weights_folder(tmp_path, record))
        result = CliRunner().invoke(app, ["attention", folder, picture, *told])
        assert result.exit_code == code, result.output
    assert "no attention in its loop" in " ".join(result.output.replace("│", " ").split())


def test_what_a_window_can_answer_is_measured(tmp_path: Path) -> None:
    output = tmp_path / "reach.json"
    command = ["reach", "--questions", "40", "--output", str(output)]
    assert CliRunner().invoke(app, command).exit_code == 0
    rows = json.loads(output.read_text())["rows"]
    assert [row["task"] for row in rows] == [task().name for task in TASKS.values()]
    assert all(row["all"] > 0.9 > row["window_1"] for row in rows)
