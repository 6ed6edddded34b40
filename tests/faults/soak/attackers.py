"""python -m tests.faults.soak.attackers HOST PORT GRPC: each attack in turn, by a few connections.

A process of its own, so that its work delays no measured stream. It writes a line when it begins.
It ends when its standard input ends, and writes how often each status came, as JSON. A status 500
ends it with an error.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from dataclasses import replace

from tests.faults.attack.attacks import ATTACKS, Target, carry_out

CONNECTIONS = 2
"""Of each attack at once: a low rate, for hours."""
SECONDS = 2.0
"""Of each attack, before the next."""


async def attack(target: Target) -> int:
    """Attack until the standard input ends, and give the number of attacks."""
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    for done, each in enumerate(itertools.cycle(ATTACKS)):
        if over.done():
            return done
        await carry_out(replace(each, connections=CONNECTIONS), target)
    raise AssertionError("a cycle has no end")


def main(host: str, port: str, grpc: str) -> None:
    """Attack the service at this address and its gRPC port."""
    target = Target(host, int(port), (host, int(grpc)), SECONDS)
    print("attacking", flush=True)
    attacks = asyncio.run(attack(target))
    print(json.dumps({"attacks": attacks, "answers": target.answers}))


if __name__ == "__main__":
    main(*sys.argv[1:])
