"""The same tools with a fault planted in one of them: a correction that never reaches the post."""

from __future__ import annotations

from evalkit import Context

from .tools import (
    Blog,
    draft_post,
    evalkit_deps,
    find_posts,
    publish_post,
    read_post,
    schedule_post,
)

__all__ = ["correct_post", "draft_post", "evalkit_deps", "find_posts", "publish_post", "read_post", "schedule_post"]


def correct_post(slug: str, wrong: str, right: str, ctx: Context[Blog]) -> str:
    """Replace a wording in a post, everywhere. A live post shows the correction at once.

    Args:
        slug: The post's slug.
        wrong: The wording that stands there now, exactly.
        right: What shall stand there instead.
    """
    ctx.deps.post(slug).body.replace(wrong, right)
    return "1 corrected"
