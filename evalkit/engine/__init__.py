"""The chatbot engine: streams replies, runs tools, tells what happens as events. It never grades.

`claude.py` is left out on purpose: importing it loads the SDK (over a second), so whoever talks to the API imports it.
"""

from evalkit.engine.attempt import Limits, RetryPolicy
from evalkit.engine.chat import Chatbot
from evalkit.engine.door import Door, DoorError, OpenReply
from evalkit.engine.events import (
    Apology,
    Conversation,
    EngineEvent,
    MemoryFolded,
    ReplyBegan,
    ReplyCutOff,
    ReplyInvalid,
    ReplyRefused,
    RequestEvent,
    RequestFinished,
    Retrying,
    TextArrived,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from evalkit.engine.limiter import RateLimiter, SharedLimiter
from evalkit.engine.requests import ApiReplies, Ask, Price, Replies
from evalkit.engine.tools import NoTools, ToolFailed, ToolOutcome, ToolSource

__all__ = [
    "ApiReplies",
    "Apology",
    "Ask",
    "Chatbot",
    "Conversation",
    "Door",
    "DoorError",
    "EngineEvent",
    "Limits",
    "MemoryFolded",
    "NoTools",
    "OpenReply",
    "Price",
    "RateLimiter",
    "Replies",
    "ReplyBegan",
    "ReplyCutOff",
    "ReplyInvalid",
    "ReplyRefused",
    "RequestEvent",
    "RequestFinished",
    "RetryPolicy",
    "Retrying",
    "SharedLimiter",
    "TextArrived",
    "ToolFailed",
    "ToolFinished",
    "ToolOutcome",
    "ToolSource",
    "ToolStarted",
    "TurnFinished",
]
