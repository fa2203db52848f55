"""A decoder-only transformer (Vaswani et al. 2017) with pre-norm blocks (Xiong et al. 2020) and learned positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.workloads.initialisation import ACTIVATIONS, build


class Block(nn.Module):
    """Self-attention, then a two-layer perceptron of 4 times the width, each added to its input."""

    def __init__(self, width: int, heads: int, activation: str, causal: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, 4 * width, bias=False)
        self.activation = ACTIVATIONS[activation]()
        self.mlp_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, last_only: bool = False) -> Tensor:
        """Map [examples, length, width] to the same shape, or with `last_only` to [examples, 1, width]."""
        width = x.shape[2]
        normed = self.attention_norm(x)
        if last_only:  # it sees all positions, so only their keys and values are needed
            x = x[:, -1:]
            query = F.linear(normed[:, -1:], self.qkv.weight[:width])
            key, value = F.linear(normed, self.qkv.weight[width:]).split(width, dim=2)
        else:
            query, key, value = self.qkv(normed).split(width, dim=2)
        query, key, value = (tensor.unflatten(2, (self.heads, -1)).transpose(1, 2) for tensor in (query, key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal and not last_only)
        x = x + self.attention_out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(x))))


class Transformer(nn.Module):
    """Maps tokens, int64 [examples, length <= context], to logits [examples, length, outputs]."""

    def __init__(
        self, *, vocabulary: int, context: int, outputs: int, layers: int, width: int, heads: int, activation: str
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads, activation) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs, bias=False)

    def forward(self, tokens: Tensor, last_only: bool = False) -> Tensor:
        """Predict at every position, or with `last_only` at the last one: [examples, outputs]."""
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        x = self.blocks[-1](self.blocks[:-1](x), last_only)
        return self.head(self.norm(x[:, -1] if last_only else x))


def build_transformer(generator: torch.Generator, init_scale: float, **sizes) -> Transformer:
    """Build a `Transformer` of `sizes`, initialised as GPT-2 (Radford et al. 2019).

    Embeddings have the standard deviation 0.02, matrices 1/sqrt(3 width) (0.02 at GPT-2's width of 768), and those
    that add to the residual stream are divided by sqrt(2 layers) besides; all are multiplied by `init_scale`.
    """

    def std(name: str, module: nn.Module) -> float:
        if isinstance(module, nn.Embedding):
            return 0.02 * init_scale
        residual = name.endswith(("attention_out", "mlp_out"))
        return init_scale * (3 * sizes["width"]) ** -0.5 / ((2 * sizes["layers"]) ** 0.5 if residual else 1.0)

    return build(lambda: Transformer(**sizes), std, generator)
