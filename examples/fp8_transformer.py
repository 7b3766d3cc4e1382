"""A small transformer trained on this repository's own documents, with every matrix product as an
FP8 accelerator stores it, forward and backward.

Operands are rounded to E4M3 (weights, activations) and E5M2 (errors) with one scale a tensor, as
the preset ``nvidia-h100-fp8`` says; the third row leaves the scales out. Run:
``python -m examples.fp8_transformer``.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from numformats.torch import simulate

DOCUMENTS = sorted((Path(__file__).parent.parent / "docs" / "decisions").glob("*.md"))
CONTEXT, BATCH, WIDTH, HEADS, LAYERS, LEARNING_RATE = 48, 24, 64, 4, 2, 3e-3
ARITHMETIC = ("float32", "nvidia-h100-fp8", "e5m2")


@dataclass(frozen=True)
class Run:
    """One training; losses in nats a character, over the last steps."""

    arithmetic: str
    first: float
    last: float


def text() -> Tensor:
    """The documents as numbers of characters, 0 to 127."""
    whole = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    return torch.tensor([min(ord(c), 127) for c in whole])


class Transformer(nn.Module):
    """Predicts the next character."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(128, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(LAYERS)
        )
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 128)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, length, 128) of what follows each character of ``x`` (batch, length)."""
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        h = self.symbols(x) + self.places(torch.arange(x.shape[1]))
        for layer in self.layers:
            h = layer(h, src_mask=mask, is_causal=True)
        return self.head(self.norm(h))


def batches(data: Tensor, steps: int, seed: int) -> Iterator[Tensor]:
    """Random stretches of the text, (BATCH, CONTEXT + 1)."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        at = torch.randint(0, len(data) - CONTEXT, (BATCH, 1), generator=generator)
        yield data[at + torch.arange(CONTEXT + 1)]


def arithmetic(name: str) -> AbstractContextManager[object]:
    """The context in which products are computed."""
    return nullcontext() if name == "float32" else simulate(name, mode="fast")


def train(name: str, steps: int = 400, seed: int = 0) -> Run:
    """Adam on the cross-entropy; everything outside matrix products is float32."""
    torch.manual_seed(seed)
    model, losses = Transformer(), list[float]()
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    with arithmetic(name):
        for batch in batches(text(), steps, seed):
            logits = model(batch[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    part = max(1, steps // 20)
    return Run(name, sum(losses[:part]) / part, sum(losses[-part:]) / part)


def main() -> None:
    """Print the table."""
    print(f"{'arithmetic':16} {'first':>6} {'last':>6}  nats a character")
    for name in ARITHMETIC:
        run = train(name)
        print(f"{run.arithmetic:16} {run.first:6.3f} {run.last:6.3f}")


if __name__ == "__main__":
    main()
