"""Multi30K, German to English, with an encoder-decoder transformer (Vaswani et al. 2017) with pre-norm blocks."""

import math
import random
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.initialisation import ACTIVATIONS, build, check_activation, fan_in
from timetrial.workloads.sources.multi30k import END, PAD, START, multi30k
from timetrial.workloads.sources.splits import tensors
from timetrial.workloads.sources.synthetic_translation import synthetic_translation
from timetrial.workloads.variants import common, deeper, split


def sinusoids(length: int, width: int, device: torch.device) -> Tensor:
    """Compute the encoding of positions [length, width] of Vaswani et al. 2017, section 3.5, sines first."""
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=1)


class Attention(nn.Module):
    """Multi-head attention from one sequence to another or to itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map [examples, length, width] to two tensors [examples, heads, length, width of a head]."""
        keys, values = self.key_value(x).chunk(2, dim=2)
        return self._split(keys), self._split(values)

    def forward(
        self, x: Tensor, keys_and_values: tuple[Tensor, Tensor], mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        mixed = F.scaled_dot_product_attention(self._split(self.query(x)), *keys_and_values, mask, is_causal=causal)
        return self.attention_out(mixed.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """A two-layer perceptron of 4 times the width."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.mlp_in = nn.Linear(width, 4 * width, bias=False)
        self.activation = ACTIVATIONS[activation]()
        self.mlp_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp_out(self.activation(self.mlp_in(x)))


class EncoderBlock(nn.Module):
    """Self-attention and a perceptron, each added to its normalised input."""

    def __init__(self, width: int, heads: int, activation: str) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = Attention(width, heads)
        self.mlp = Perceptron(width, activation)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        normed = self.norms[0](x)
        x = x + self.attention(normed, self.attention.keys_and_values(normed), mask)
        return x + self.mlp(self.norms[1](x))


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the encoder's result and a perceptron, each added to its normalised input."""

    def __init__(self, width: int, heads: int, activation: str) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads)
        self.cross = Attention(width, heads)
        self.mlp = Perceptron(width, activation)

    def forward(
        self, x: Tensor, source: tuple[Tensor, Tensor], mask: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map [examples, length, width] to the same shape; gives the keys and values of self-attention besides.

        `source`: keys and values of what the encoder gave; `past`: those of the tokens before, where `x` is one token.
        """
        normed = self.norms[0](x)
        now = self.attention.keys_and_values(normed)
        if past is not None:
            now = tuple(torch.cat(pair, dim=2) for pair in zip(past, now, strict=True))
        x = x + self.attention(normed, now, causal=past is None)
        x = x + self.cross(self.norms[1](x), source, mask)
        return x + self.mlp(self.norms[2](x)), now


class EncoderDecoder(nn.Module):
    """Maps German and English tokens, int64 [examples, length], to logits of the next English ones [..., vocabulary].

    One table serves both languages and the output (Vaswani et al. 2017, section 3.4).
    """

    def __init__(self, vocabulary: int, layers: int, width: int, heads: int, activation: str) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.encoder = nn.ModuleList(EncoderBlock(width, heads, activation) for _ in range(layers))
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(DecoderBlock(width, heads, activation) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def embed(self, tokens: Tensor, start: int = 0) -> Tensor:
        width = self.tokens.embedding_dim
        positions = sinusoids(start + tokens.shape[1], width, tokens.device)[start:]
        return self.tokens(tokens) * width**0.5 + positions

    def encode(self, german: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """Give the keys and values that each block of the decoder attends to, and which of them count."""
        mask = (german != PAD)[:, None, None]
        x = self.embed(german)
        for block in self.encoder:
            x = block(x, mask)
        x = self.encoder_norm(x)
        return [block.cross.keys_and_values(x) for block in self.decoder], mask

    def forward(self, german: Tensor, english: Tensor) -> Tensor:
        sources, mask = self.encode(german)
        x = self.embed(english)
        for block, source in zip(self.decoder, sources, strict=True):
            x, _ = block(x, source, mask)
        return F.linear(self.norm(x), self.tokens.weight)

    def translate(self, german: Tensor) -> Tensor:
        """Choose the most probable token, one after the other, int64 [examples, length]; what follows END is noise."""
        sources, mask = self.encode(german)
        token, tokens = torch.full_like(german[:, :1], START), []
        pasts: list = [None] * len(self.decoder)
        for position in range(german.shape[1]):
            x = self.embed(token, position)
            for layer, (block, source) in enumerate(zip(self.decoder, sources, strict=True)):
                x, pasts[layer] = block(x, source, mask, pasts[layer])
            token = F.linear(self.norm(x), self.tokens.weight).argmax(2)
            tokens.append(token)
        return torch.cat(tokens, dim=1)


def text_of(tokens: list[int], pieces: list[bytes]) -> str:
    """Put together the pieces of the tokens before END."""
    end = tokens.index(END) if END in tokens else len(tokens)
    return b"".join(pieces[token] for token in tokens[:end]).decode(errors="replace").strip()


@dataclass(frozen=True, kw_only=True)
class Multi30kTransformer(Workload):
    """Translates captions of photographs: 27,004 pairs to train, 950 to validate and 942 to test.

    Sentences are filled up to one length; the few that are longer are left out of every split.
    """

    metric: ClassVar[str] = "loss"
    higher_is_better: ClassVar[bool] = False
    training_sample: ClassVar[int] = 32

    batch_size: int = 32
    vocabulary: int = 2000
    """Subwords, common to both languages."""
    length: int = 32
    """Subwords of the longest sentence, its end included."""
    translated: int = 16
    """How many sentences are translated for BLEU in an evaluation."""
    layers: int = 2
    """Blocks of the encoder, and as many of the decoder."""
    width: int = 64
    heads: int = 4
    activation: str = "relu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if self.width % (2 * self.heads):
            raise ValueError(f"width is {self.width}: choose a multiple of twice the heads, {2 * self.heads}")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with the standard deviation 1/sqrt(inputs), in the table 1/sqrt(width).

        What adds to a residual stream is divided by sqrt(3 layers) besides: there are so many such sums in the decoder.
        """

        def std(name: str, module: nn.Module) -> float:
            if isinstance(module, nn.Embedding):
                return self.init_scale * self.width**-0.5
            residual = name.endswith(("attention_out", "mlp_out"))
            return self.init_scale * (fan_in(module) * (3 * self.layers if residual else 1)) ** -0.5

        def construct() -> nn.Module:
            return EncoderDecoder(self.vocabulary, self.layers, self.width, self.heads, self.activation)

        return build(construct, std, generator)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `german`, `english` int16 [pairs, length] and `pieces` uint8 [vocabulary, bytes]."""
        load = synthetic_translation if source.kind == "synthetic" else multi30k
        arguments = (split,) if source.kind == "synthetic" else (split, source)
        return tensors(load(*arguments, vocabulary=self.vocabulary, length=self.length))

    def first(self, data: Data, examples: int) -> Data:
        """Take the first pairs; the table of pieces, which is no example's, stays whole."""
        return {name: tensor if name == "pieces" else tensor[:examples] for name, tensor in data.items()}

    def examples(self, data: Data) -> int:
        return len(data["german"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        german, english = (data[name].index_select(0, indices).long() for name in ("german", "english"))
        return Batch((german, self._shifted(english)), english)

    @staticmethod
    def _shifted(english: Tensor) -> Tensor:
        """Put START before the tokens and leave out the last: what the decoder has read when it predicts each."""
        return F.pad(english[:, :-1], (1, 0), value=START)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.targets.device):
            logits = model(*batch.inputs).flatten(0, 1)
        return F.cross_entropy(logits.float(), batch.targets.flatten(), ignore_index=PAD)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the loss in nats per token of the reference, its end included, and the BLEU of greedy translations.

        BLEU (Papineni et al. 2002, from 0 to 100) is sacrebleu's, of the first `translated` sentences.
        """
        from sacrebleu.metrics import BLEU  # takes a while to import

        device, chunk = data["german"].device, 100 if data["german"].device.type == "cpu" else 1000
        total, tokens = 0.0, 0
        few = data["german"][: self.translated].long()
        with self.autocast(device):
            for german, english in zip(data["german"].split(chunk), data["english"].split(chunk), strict=True):
                german, english = german.long(), english.long()
                logits = model(german, self._shifted(english)).float().flatten(0, 1)
                loss = F.cross_entropy(logits, english.flatten(), ignore_index=PAD, reduction="sum")
                total, tokens = total + loss.double(), tokens + (english != PAD).sum()
            translations = model.translate(few).tolist()
        pieces = [bytes(row).rstrip(b"\0") for row in data["pieces"].tolist()]
        references = data["english"][: self.translated].tolist()
        hypotheses, references = ([text_of(row, pieces) for row in rows] for rows in (translations, references))
        return {"loss": (total / tokens).item(), "bleu": BLEU().corpus_score(hypotheses, [references]).score}

    def draw_variant(self, seed: int) -> "Multi30kTransformer":
        draw = random.Random(seed)
        return replace(
            self,
            layers=deeper(draw, self.layers),
            **split(draw, self.width, self.heads),
            **common(draw),
            training_examples=draw.choice((2_000, 4_000, 6_000, 8_000)),
        )
