"""What the desk assistant of the Marsh End Courier can do with the paper's blog: the product's own code.

Nothing here knows of evalkit's suites. The last function is what a suite needs beside it: a blog for each conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from evalkit import Context, ToolFailed

State = Literal["draft", "scheduled", "live"]


@dataclass
class Post:
    """One post of the blog; `hold` names who must release it."""

    slug: str
    title: str
    body: str
    state: State = "draft"
    hold: str = ""
    on: date | None = None


@dataclass
class Blog:
    """The blog as one person's session sees it."""

    editor: str
    today: date
    posts: dict[str, Post] = field(default_factory=dict)

    def post(self, slug: str) -> Post:
        """Return a post; the model reads why there is none."""
        if slug not in self.posts:
            raise ToolFailed(f"There is no post {slug!r}; look for its slug with find_posts.")
        return self.posts[slug]


def find_posts(words: str, ctx: Context[Blog]) -> list[dict[str, str]]:
    """Find posts whose title or text holds all of some words.

    Args:
        words: Words from the post, such as "flood wall".
    """
    wanted = words.lower().split()
    found = [post for post in ctx.deps.posts.values() if all(w in f"{post.title} {post.body}".lower() for w in wanted)]
    return [{"slug": post.slug, "title": post.title, "state": post.state} for post in found]


def read_post(slug: str, ctx: Context[Blog]) -> dict[str, str]:
    """Read a post in full.

    Args:
        slug: The post's slug, from find_posts.
    """
    post = ctx.deps.post(slug)
    return {"slug": slug, "title": post.title, "body": post.body, "state": post.state, "hold": post.hold}


async def draft_post(slug: str, title: str, body: str, ctx: Context[Blog]) -> str:
    """Begin a post as a draft. Nobody outside the newsroom sees it.

    Args:
        slug: A new slug: lower case, words joined by hyphens.
        title: The headline.
        body: The text.
    """
    if slug in ctx.deps.posts:
        raise ToolFailed(f"{slug} is taken; choose another slug.")
    ctx.deps.posts[slug] = Post(slug, title, body)
    return f"{slug} is a draft by {ctx.deps.editor}"


def correct_post(slug: str, wrong: str, right: str, ctx: Context[Blog]) -> str:
    """Replace a wording in a post, everywhere. A live post shows the correction at once.

    Args:
        slug: The post's slug.
        wrong: The wording that stands there now, exactly.
        right: What shall stand there instead.
    """
    post = ctx.deps.post(slug)
    if wrong not in post.body:
        raise ToolFailed(f"{slug} does not say {wrong!r}; read it first.")
    times = post.body.count(wrong)
    post.body = post.body.replace(wrong, right)
    return f"{times} corrected"


def schedule_post(slug: str, on: date, ctx: Context[Blog]) -> str:
    """Let a draft go live on a day, at six in the morning.

    Args:
        slug: The post's slug.
        on: The day, not before tomorrow.
    """
    if on <= ctx.deps.today:
        raise ToolFailed(f"{on} is not after today ({ctx.deps.today}); use publish_post for now.")
    post = ctx.deps.post(slug)
    post.state, post.on = "scheduled", on
    return f"{slug} goes live on {on} at 06:00"


def publish_post(slug: str, ctx: Context[Blog]) -> str:
    """Make a post live now. It is sent to subscribers at once and can't be called back.

    Args:
        slug: The post's slug.
    """
    post = ctx.deps.post(slug)
    if post.hold:
        raise ToolFailed(f"{slug} is on hold; only {post.hold} can release it.")
    post.state = "live"
    return f"{slug} is live"


def evalkit_deps(inputs: Mapping[str, Any]) -> Blog:
    """Return the blog that a conversation of a suite begins with."""
    posts = (
        Post(
            "flood-wall", "Flood wall delayed again", "The wall at Harbor Street will not be ready in spring.", "live"
        ),
        Post("mayor-land", "Who sold the mayor his land?", "The deeds name a cousin.", hold="the lawyer"),
        Post("school-fair", "School fair on Saturday", "Cakes, a raffle and the brass band."),
    )
    return Blog(inputs["editor"], date.fromisoformat(inputs["today"]), {post.slug: post for post in posts})
