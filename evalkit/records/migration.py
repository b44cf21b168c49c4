"""What a change of the model means beside the verdict: what each model takes, costs and counts, and what was used.

Frozen value types, published in summary.json. None means that nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from evalkit.records.project import Adaptation
from evalkit.records.published import Key


@dataclass(frozen=True)
class Pair:
    """A number of the baseline and of the candidate."""

    baseline: Annotated[float | None, Key("Of the baseline.", 0.52)]
    candidate: Annotated[float | None, Key("Of the candidate.", 0.13)]


@dataclass(frozen=True)
class Uses:
    """What conversations of both arms used: dollars of 100 conversations, tokens of one, medians of times.

    `cached` is the share of the input that was read from the cache, 0 to 1.
    """

    cost_usd: Annotated[Pair, Key("Dollars for 100 conversations.", {"baseline": 0.52, "candidate": 0.13})]
    prompt_tokens: Annotated[Pair, Key("Tokens of input in one conversation.", {"baseline": 3200, "candidate": 4180})]
    output_tokens: Annotated[Pair, Key("Tokens written in one conversation.", {"baseline": 180, "candidate": 240})]
    cached: Annotated[Pair, Key("Share of the input from the cache.", {"baseline": 0.81, "candidate": 0.0})]
    first_token_ms: Annotated[Pair, Key("Median time to the first token.", {"baseline": 510, "candidate": 310})]
    total_ms: Annotated[Pair, Key("Median time of a whole conversation.", {"baseline": 4100, "candidate": 2200})]


@dataclass(frozen=True)
class Rate:
    """What a million tokens cost in US dollars, of a short prompt."""

    input_usd: Annotated[float | None, Key("Tokens of input.", 2.0)]
    output_usd: Annotated[float | None, Key("Tokens written.", 10.0)]
    cache_read_usd: Annotated[float | None, Key("Tokens read from the cache.", 0.1)]


@dataclass(frozen=True)
class ModelSide:
    """A prompt version on its model.

    `effort` and `thinking` are what the model does for it, said in the prompt or not; `effort` is None for a model that
    takes none, and both are where the model is unknown. `prefix_tokens` estimates what stands before the cache point as
    this model counts, None without one; `cacheable` is the least that the model keeps, `characters` how many
    characters make one of its tokens. `retires` is the day it stops answering, empty while none is known.
    """

    ref: Annotated[str, Key("The version.", "support@v4+claude-haiku-5-5")]
    model: Annotated[str, Key("The model that was asked.", "claude-haiku-5-5")]
    rate: Annotated[Rate, Key("Its prices.", {"input_usd": 2.0})]
    adaptations: Annotated[
        tuple[Adaptation, ...],
        Key("Settings of the prompt that it does not take.", [{"key": "effort", "written": "high", "sent": None}]),
    ] = ()
    effort: Annotated[str | None, Key("The effort it works at; null for none, or unknown.", "medium")] = None
    thinking: Annotated[str | None, Key("How it thinks, or off; null for unknown.", "adaptive")] = None
    prefix_tokens: Annotated[int | None, Key("Estimated tokens before the cache point.", 410)] = None
    cacheable: Annotated[int | None, Key("The shortest prefix that it keeps, in tokens.", 4096)] = None
    characters: Annotated[float | None, Key("Characters that make a token, estimated.", 3.6)] = None
    retires: Annotated[str, Key("The day it stops answering; empty when none is known.", "2026-11-30")] = ""

    @property
    def is_too_short(self) -> Annotated[bool, Key("Whether its prefix is too short to be kept.", False)]:
        """Whether nothing of the prompt is ever read from its cache."""
        known = self.prefix_tokens is not None and self.cacheable is not None
        return known and (self.prefix_tokens or 0) < (self.cacheable or 0)


@dataclass(frozen=True)
class Migration:
    """One prompt on two models, over the cases of both.

    `repriced_usd` is what 100 conversations of the baseline would have cost with its own tokens at the candidate's
    prices: the rest of the change in cost is the tokens'.
    """

    baseline: Annotated[ModelSide, Key("What was.", {"model": "claude-sonnet-5-5"})]
    candidate: Annotated[ModelSide, Key("What is to be.", {"model": "claude-haiku-5-5"})]
    uses: Annotated[Uses, Key("What the conversations used.", {"cached": {"baseline": 0.81, "candidate": 0.0}})]
    repriced_usd: Annotated[
        float | None, Key("The baseline's conversations at the candidate's prices, 100 of them.", 0.1)
    ] = None
