"""Who is drawn how: a colour and a dash each, told apart by colour-blind readers and in black and white."""

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#6B6B6B")
"""Okabe and Ito's colours without yellow and black, which vanish on a white or a dark ground, and two more."""
DASHES = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
"""On and off lengths of a line, in points; () is solid."""


def line_styles(submissions: list[str]) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Give each submission a colour and a dash, in the order given; no two alike for up to 32."""
    return {
        name: (PALETTE[i % len(PALETTE)], DASHES[(i // len(PALETTE) + i) % len(DASHES)])
        for i, name in enumerate(submissions)
    }
