"""The tables of fault proofs."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.tables import Record, Renderer, Row, specified

_TIMES = ("request_p99", "request_longest", "chunk_p99", "chunk_longest")
STORES = {"server": "one server", "cluster": "a cluster of 3 shards", "sentinel": "Sentinels"}
FAULTS = {
    "kill": "replica killed",
    "pause": "replica paused for 8 s",
    "store": "store restarted",
    "primary": "store's primary killed",
    "both": "primary and owner killed at once",
    "ahead": "primary ahead of its replicas, and owner, killed at once",
}


def _kills(record: Record) -> Iterable[Row]:
    """A row a run."""
    for run in record.values():
        survives = ", ".join(run["survives"]) or "not recorded"
        names = {"store": STORES[run["store"]], "survives": survives}
        yield run | run["verdict"] | names


def _waits(record: Record) -> Iterable[Row]:
    """Seconds to the next answer after each kind of fault, of who had to resume and who did not."""
    for run in record.values():
        for wait in run["waits"]:
            who = "had to resume" if wait["who"] == "resumed" else "did not"
            fault = f"{FAULTS[wait['kind']]} ({wait['faults']})"
            store = f"{STORES[run['store']]}, {run['awaited']}"
            yield wait | {"store": store, "who": who, "fault": fault}


_LOST = specified(
    "store | replicas awaited | `opened.survives` | streams | Hz | steps | answers | lost | "
    "counted twice | out of order | different | told that state is lost",
    "{store} | {awaited} | {survives} | {streams} | {hz:g} | {steps:,} | {answers:,} | {lost:,} | "
    "{twice:,} | {out_of_order:,} | {different:,} | {told_lost:,}",
    _kills,
)

_WAITS = specified(
    "store, awaited | fault | streams that | count | next answer after p50 / p99 / max, s",
    "{store} | {fault} | {who} | {count:,} | {p50:.2f} / {p99:.2f} / {most:.2f}",
    _waits,
)


def _fuzz(record: Record) -> Iterable[Row]:
    for name, run in record.items():
        health = run["bystander"]["health"]
        yield run | {"service": name, "faults": len(run["faults"]), "health": health}


def _attacks(record: Record) -> Iterable[Row]:
    """Of each attack the worst that a bystander or the memory saw, over the kinds of service."""
    found: dict[str, list[Row]] = {}
    for results in record.values():
        for result in results:
            found.setdefault(result["attack"], []).append(result)
    own = {result["attack"]: result["answers"] for result in record["one process"]}
    for name, each in found.items():
        worst = {field: max(result[field] for result in each) for field in _TIMES}
        more = max(result["most"] - result["before"] for result in each)
        stays = max(result["after"] / result["before"] for result in each) - 1
        told = ", ".join(f"{status}: {count:,}" for status, count in own[name].items())
        yield worst | {"attack": name, "more": more, "stays": max(stays, 0), "told": told or "none"}


def _soak(record: Record) -> Iterable[Row]:
    counts = record["counts"]
    yield (
        counts
        | record["quarters"]
        | {
            "minutes": record["seconds"][-1] / 60,
            "ended": counts["streams ended"],
            "left": counts["streams left"],
            "attacks": record["attacks"]["attacks"],
            "faults": len(record["faults"]),
        }
    )


_BOTH = specified(
    "the measured streams | p50 ms | p99 ms | cores of the service",
    "{who} | {p50_ms:.1f} | {p99_ms:.1f} | {server_cores:.2f}",
    lambda record: [
        {"who": "alone"} | record["alone"],
        {"who": "beside the bad ones"} | record["beside"],
    ],
)


def _crowd(record: Record) -> str:
    return (
        f"{_BOTH(record)}\nThe p99 is {record['p99_ratio']:.1f} times that alone. An open idle "
        f"stream takes {record['bytes_per_idle_stream'] / 2**10:.0f} KiB; {record['let_go']} bad "
        f"ones were let go in {record['seconds']:g} s, {record['others_alive']:,} others stayed.\n"
    )


def _sides(record: Record) -> Iterable[Row]:
    for where, side in record["sides"].items():
        yield side | {"where": where}


_CUTS = specified(
    "cuts | seconds of the shortest, longest | steps | lost | counted twice | "
    "worst difference of a logit, of a probability",
    "{cuts} | {shortest}, {longest} | {steps:,} | {lost} | {twice} | "
    "{logit:.1e}, {probability:.1e}",
    lambda record: [record],
)

_SIDES = specified(
    "answered | chunks | after p50 / p99 / max, ms",
    "{where} | {chunks:,} | {p50_ms:.1f} / {p99_ms:.1f} / {most_ms:.1f}",
    _sides,
)


def _quiet(record: Record) -> Iterable[Row]:
    """The runs without faults: latencies where there was a rate, else how fast."""
    for row in record["rows"]:
        if row["kills"]:
            continue
        through = "a loop by hand" if row["by_hand"] else "`larnn bridge`"
        if row["rate"]:
            speed, times = f"{row['rate']:g}", f"{row['p50_ms']:.0f} / {row['p99_ms']:.0f}"
        else:
            speed, times = f"{row['per_second']:,} at most", ""
        yield row | {"through": through, "speed": speed, "times": times}


_PROOF = specified(
    "broker | messages | devices | kills or cuts of each | lost | counted twice | other logits | "
    "answers that came again | messages/s meanwhile",
    "{broker} | {messages:,} | {devices} | {kills} | {lost} | {twice} | {different} | "
    "{answers_again:,} | {per_second}",
    lambda record: [row for row in record["rows"] if row["kills"]],
)
_QUIET = specified(
    "broker | through | messages | messages/s | from publishing to answer p50 / p99, ms | "
    "CPU µs a message",
    "{broker} | {through} | {messages:,} | {speed} | {times} | {cpu_us:,}",
    _quiet,
)


def _stages(record: Record) -> Iterable[Row]:
    """A row for each stage of each run."""
    for run in record.values():
        for stage in run["stages"]:
            found = run["verdict"]
            when = STAGES[stage["stage"], stage["rested"]].format(age=run["age"])
            yield (
                run
                | found
                | {
                    "when": when,
                    "parts": " / ".join(f"{count:,}" for count in stage["counts"]),
                    "off": stage["off"],
                    "failed": len(found["failures"]) + found["told_lost"],
                }
            )


def _carried(record: Record) -> Iterable[Row]:
    """A row a store: what a stream costs, and the streams by replicas with the bound of each."""
    for store, cost in record["costs"].items():
        row = {"store": store} | cost
        for each in record["rows"]:
            if each["store"] == store:
                row[f"by{each['replicas']}"] = f"{each['streams']:,.0f} ({each['bound']})"
        yield row


STAGES = {
    ("opened", False): "opened",
    ("restarted", False): "both replicas restarted, one after the other",
    ("restarted", True): "1.25 ages of {age:g} s later",
    ("scaled out", False): "a third replica has come",
    ("scaled out", True): "1.25 ages later",
}

TABLES: dict[str, Renderer] = {
    "javascript_kills": specified(
        "streams | kills | steps | lost | counted twice | wrong",
        "{streams} | {kills} | {steps:,} | {lost} | {twice} | {wrong}",
        lambda record: [record],
    ),
    "released": specified(
        "network | streams | seconds of sound, each | steps | chunks | kills | largest difference",
        "{network} | {streams} | {seconds} | {steps:,} | {chunks:,} | {kills} | {difference:.1e}",
        "rows",
    ),
    "edge": lambda record: f"{_CUTS(record)}\n{_SIDES(record)}",
    "bridge": lambda record: f"{_PROOF(record)}\n{_QUIET(record)}",
    "kill": lambda record: f"{_LOST(record)}\n{_WAITS(record)}",
    "spread": specified(
        "streams | when | streams of each replica | furthest from even | failed | lost | "
        "counted twice",
        "{streams:,} | {when} | {parts} | {off:.0%} | {failed} | {lost} | {twice}",
        _stages,
    ),
    "shards": specified(
        "store | a second of a stream, µs of CPU: replica / busiest server | 1 replica | "
        "2 replicas | 4 | 8",
        "{store} | {replica_us:.0f} / {busiest_server_us:.0f} | {by1} | {by2} | {by4} | {by8}",
        _carried,
    ),
    "fuzz": specified(
        "service | inputs | seconds | faults | health beside them, p50 / p99 / max, ms | "
        "longest hold by one input, ms | resident MiB when warm, at the end",
        "{service} | {inputs:,} | {seconds:.0f} | {faults} | {health[p50]:.1f} / "
        "{health[p99]:.1f} / {health[longest]:.1f} | {longest_hold_ms:.0f} | {warm:.0f} and "
        "{after:.0f}",
        _fuzz,
    ),
    "attack": specified(
        "attack | a request beside it, p99 / longest, ms | a chunk, p99 / longest, ms | "
        "MiB more, at most | more afterwards | answers of one process",
        "{attack} | {request_p99:.0f} / {request_longest:.0f} | {chunk_p99:.0f} / "
        "{chunk_longest:.0f} | {more:.0f} | {stays:.0%} | {told}",
        _attacks,
    ),
    "crowd": _crowd,
    "soak": specified(
        "minutes | chunks | windows | streams ended, left | attacks | faults | resident MiB | "
        "p50, ms | p99, ms",
        "{minutes:.0f} | {chunks:,} | {windows:,} | {ended:,}, {left:,} | {attacks:,} | {faults} | "
        "{memory[0]:.0f}, {memory[1]:.0f} | {p50[0]:.1f}, {p50[1]:.1f} | "
        "{p99[0]:.0f}, {p99[1]:.0f}",
        _soak,
    ),
    "reload": specified(
        "requests | failed | by version 1 / 2 | streams | chunks | disturbed | loads | "
        "half copies refused",
        "{requests:,} | {failed:,} | {versions} | {streams} | {chunks:,} | {disturbed:,} | "
        "{loads:,} | {refused:,}",
        lambda record: [
            record | {"versions": " / ".join(f"{n:,}" for n in record["by_version"].values())}
        ],
    ),
}
