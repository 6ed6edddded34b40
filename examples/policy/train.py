"""Train a policy by imitation, and publish it: python -m examples.policy.train

It sees the cart's position and the pole's angle alone, and is shown what the regulator, which sees
the velocities too, would do: first where the regulator leads, then where the policy itself does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from examples.policy.cart_pole import FORCE, STEEPEST, WIDEST, gains, moved
from larnn_export.own_network import publish_module
from larnn_service.contract import Channel, Contract, Input, StateTensor
from larnn_service.outputs import Output

HIDDEN, CARTS, STEPS, ROUNDS, UPDATES = 16, 16, 50, 4, 30
SEEN = (0, 2)
"""Of the state: position and angle."""


class Policy(nn.Module):
    """A GRU from what is seen to a force."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([WIDEST, STEEPEST]))
        self.gru = nn.GRU(len(SEEN), HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """x [batch, steps, 2], hidden [batch, 16] → force [batch, steps, 1], next hidden."""
        outputs, last = self.gru(x / self.get_buffer("scale"), hidden.unsqueeze(0))
        return FORCE * self.output(outputs), last.squeeze(0)


def driven(policy: Policy, random: np.random.Generator, share: float) -> tuple[Tensor, Tensor]:
    """What is seen [carts, steps, 2], and the regulator's force [carts, steps, 1], where the policy
    pushes in such a share of the steps."""
    gain, hidden = gains(), torch.zeros(CARTS, HIDDEN)
    state = random.uniform(-1, 1, (CARTS, 4)) * [1.0, 0.5, 0.15, 0.5]
    seen, shown = [], []
    for _ in range(STEPS):
        x = torch.from_numpy(state[:, None, SEEN]).float()
        wanted = np.clip(-state @ gain, -FORCE, FORCE)
        with torch.no_grad():
            own, hidden = policy(x, hidden)
        leads = random.random(CARTS) < share
        state = moved(state, np.where(leads, own[:, 0, 0].numpy(), wanted))
        state = np.clip(state, -3, 3)
        seen.append(x)
        shown.append(torch.from_numpy(wanted).float())
    return torch.cat(seen, 1), torch.stack(shown, 1)[..., None]


def trained() -> Policy:
    """A policy that does as the regulator does, without its eyes."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so small a network gains nothing by more
    random, policy = np.random.default_rng(0), Policy()
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.03)
    xs, forces = [], []
    for share in np.linspace(0, 1, ROUNDS):
        x, force = driven(policy, random, share)
        xs.append(x)
        forces.append(force)
        whole, wanted = torch.cat(xs), torch.cat(forces)
        for _ in range(UPDATES):
            own, _ = policy(whole, torch.zeros(len(whole), HIDDEN))
            loss = ((own - wanted) / FORCE).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return policy


CONTRACT = Contract(
    input=Input(channels=(Channel(name="position", unit="m"), Channel(name="angle", unit="rad"))),
    outputs=(Output(name="action", task="values", values=(Channel(name="force", unit="N"),)),),
    sample_rate_hz=50,
    state=(
        StateTensor(name="hidden", shape=(HIDDEN,), dtype="float32", description="hidden state"),
    ),
)

if __name__ == "__main__":
    description = "A policy that balances a pole and sees no velocity"
    print(publish_module(trained(), CONTRACT, "pole", description=description))
