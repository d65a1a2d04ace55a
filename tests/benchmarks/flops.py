"""The floating-point operations of one update, from the sizes of its layers.

A linear layer maps (B, i) to (B, o) with B·i·o multiply-adds, which count as two operations each. Its backward pass
has as many for the gradient of its weights, and as many again for that of its input; each is made only where somebody
needs it. Biases, activations, optimizers and target networks are not counted: they take one pass over their numbers,
and time by memory instead of arithmetic (see `update_bytes`).
"""

from dataclasses import dataclass

Layers = tuple[tuple[int, int], ...]
"""Inputs and outputs of each linear layer, in the order of the forward pass."""


@dataclass(frozen=True)
class Sizes:
    """What the networks of a run are made of.

    Attributes:
        observation: Entries of an observation.
        action: Entries of an action.
        n_in: Inputs of the block, a circuit's angles.
        n_out: Outputs of the block, a circuit's qubits.
        surrogate: Width of the qtDNN's hidden layer; None where the block is one linear layer, trained itself (`fc`).
        hidden: Width of PreDNN, PostDNN and critics.
        links: Values that go round the block.
        policy_delay: Updates for each one of the actor.
    """

    observation: int = 376
    action: int = 17
    n_in: int = 220
    n_out: int = 10
    surrogate: int | None = 2048
    hidden: int = 256
    links: int = 10
    policy_delay: int = 2

    @property
    def pre(self) -> Layers:
        """PreDNN."""
        return (self.observation, self.hidden), (self.hidden, self.n_in + self.links)

    @property
    def post(self) -> Layers:
        """PostDNN."""
        return (self.n_out + self.links, self.hidden), (self.hidden, self.action)

    @property
    def middle(self) -> Layers:
        """What stands in the block's place in an update: the qtDNN, or the block's own linear layer."""
        if self.surrogate is None:
            return ((self.n_in, self.n_out),)
        return (self.n_in, self.surrogate), (self.surrogate, self.n_out)

    @property
    def critic(self) -> Layers:
        """One critic, which the action joins after the first layer."""
        return (self.observation, self.hidden), (self.hidden + self.action, self.hidden), (self.hidden, 1)


def products(layers: Layers) -> int:
    """Return the multiply-adds of a forward pass for one row: the number of weights."""
    return sum(n_in * n_out for n_in, n_out in layers)


def trained(layers: Layers) -> int:
    """Return those of forward and backward where the weights learn and the first input needs no gradient."""
    return 3 * products(layers) - products(layers[:1])


def update_flops(sizes: Sizes, batch: int, *, values: bool = True) -> dict[str, float]:
    """Return the operations of one update by part; the actor's, made at every `policy_delay`-th, are shared out.

    Args:
        sizes: Of the networks.
        batch: Rows of the minibatch.
        values: Count the critics' last layers too, which are no matrix products, and which torch does not count.
    """
    pre, middle, post = sizes.pre, sizes.middle, sizes.post
    value = sizes.hidden if values else 0
    outer = (sizes.observation + sizes.action) * sizes.hidden  # their inputs need no gradient in the critics' update
    inner = sizes.hidden**2 + value
    through_critic = outer + inner + sizes.action * sizes.hidden + value  # fixed weights; the action's gradient alone
    through_middle = (3 if sizes.surrogate is None else 2) * products(middle)  # a qtDNN's weights are fixed here
    per_row = {
        "fit": 0 if sizes.surrogate is None else trained(middle),
        "target": products(pre) + products(middle) + products(post) + 2 * (outer + inner),
        "critic": 2 * (2 * outer + 3 * inner),
        "actor": (trained(pre) + through_middle + 3 * products(post) + through_critic) / sizes.policy_delay,
    }
    return {part: 2.0 * batch * count for part, count in per_row.items()}


def classical_flops(
    batch: int, *, observation: int = 376, action: int = 17, hidden: int = 256, policy_delay: int = 2
) -> dict[str, float]:
    """Return the same for TD3 as others write it, with two hidden layers of `hidden` in actor and critics.

    The actor's loss makes gradients of the first critic's weights too, which nobody uses.
    """
    actor: Layers = (observation, hidden), (hidden, hidden), (hidden, action)
    critic: Layers = (observation + action, hidden), (hidden, hidden), (hidden, 1)
    per_row = {
        "fit": 0,
        "target": products(actor) + 2 * products(critic),
        "critic": 2 * trained(critic),
        "actor": (trained(actor) + 3 * products(critic)) / policy_delay,
    }
    return {part: 2.0 * batch * count for part, count in per_row.items()}


def update_bytes(sizes: Sizes) -> float:
    """Return the least that Adam and the target networks read and write per update, in bytes of float32.

    Adam reads a weight, its gradient and both moments and writes all but the gradient: 7 numbers. A target reads two
    and writes one. Biases are left out.
    """
    own = products(sizes.pre) + products(sizes.post)
    block = products(sizes.middle) if sizes.surrogate is None else 0
    surrogate = products(sizes.middle) - block
    critics = 2 * products(sizes.critic)
    delayed = (7 * (own + block) + 3 * (own + block + critics)) / sizes.policy_delay
    return 4.0 * (7 * (surrogate + critics) + delayed)
