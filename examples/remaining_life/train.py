"""Train a GRU to tell the hours left, and publish it: python -m examples.remaining_life.train"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from examples.remaining_life.machine import CHANNELS, MOST, hours_left, run_to_failure
from larnn_export.own_network import publish_module
from larnn_service.contract import Channel, Contract, Input, StateTensor
from larnn_service.outputs import Output

MACHINES, UPDATES, HIDDEN = 16, 40, 16


class RemainingLife(nn.Module):
    """Readings scaled, a GRU, and a share of MOST."""

    def __init__(self, readings: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", readings.mean(0))
        self.register_buffer("deviation", readings.std(0))
        self.gru = nn.GRU(len(CHANNELS), HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """x [batch, hours, 3], hidden [batch, 16] → hours left [batch, hours, 1], next hidden."""
        scaled = (x - self.get_buffer("mean")) / self.get_buffer("deviation")
        outputs, last = self.gru(scaled, hidden.unsqueeze(0))
        return MOST * self.output(outputs).sigmoid(), last.squeeze(0)


def trained(machines: list[np.ndarray]) -> RemainingLife:
    """A network that has seen these machines [hours, 3] fail."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so small a network gains nothing by more
    lives = [torch.from_numpy(hours_left(len(machine), MOST)) for machine in machines]
    x = pad_sequence([torch.from_numpy(machine) for machine in machines], batch_first=True)
    wanted = pad_sequence(lives, batch_first=True)  # 0 only after the end
    network = RemainingLife(torch.from_numpy(np.concatenate(machines)))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(UPDATES):
        told, _ = network(x, torch.zeros(len(x), HIDDEN))
        loss = (told[..., 0] - wanted).abs()[wanted > 0].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network


CONTRACT = Contract(
    input=Input(channels=tuple(Channel(name=name, unit=unit) for name, unit in CHANNELS)),
    outputs=(Output(name="remaining", task="values", values=(Channel(name="life", unit="h"),)),),
    sample_rate_hz=1 / 3600,
    state=(
        StateTensor(name="hidden", shape=(HIDDEN,), dtype="float32", description="hidden state"),
    ),
)

if __name__ == "__main__":
    machines = [run_to_failure(seed) for seed in range(MACHINES)]
    folder = publish_module(
        trained(machines),
        CONTRACT,
        "remaining-life",
        description="A GRU that tells the hours left of a made-up machine",
        samples=list(machines),
    )
    print(folder)
