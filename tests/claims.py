"""A claims desk of a home insurer: a photo, a policy and a repair bill, and calls that were made before the case."""

from __future__ import annotations

from pathlib import Path

from tests.content.pictures import pdf, png
from tests.project_files import write_files

PROMPT = """\
---
model: claude-sonnet-5-5
max_tokens: 400
cache: off
tools: [tools/find_policy.yaml]
---
You are the claims desk of Hartwell Mutual. Say whether a damage is covered, from the policy and from what the
photo shows. The excess is stated in the policy.
"""
TOOL = """\
name: find_policy
description: Finds a policy by its number, such as HM-20418. Use it before you speak of cover.
input_schema:
  type: object
  properties:
    policy: {type: string, description: "Policy number, like HM-20418"}
  required: [policy]
  additionalProperties: false
"""
SUITE = """\
description: Claims that come with a photo or a document.
prompt: claims
trials: 3
tools:
  find_policy: [{when: {policy: HM-20418}, returns: {excess: 250, water: covered}}]
cases:
  - id: photo-and-policy
    user:
      - text: The pipe burst last night.
      - {image: photos/ceiling.png, shows: A wet ceiling}
      - {document: ../documents/terms.txt, title: Terms, context: Valid since May}
    expect: {says: [ceiling, "250"], grounded: true}
  - id: bill
    user: [{document: ../documents/bill.pdf}, {text: Do you pay this?}]
    expect: {grounded: true}
  - id: asked-before
    history:
      - user: [{text: "It is HM-20418, here is a photo."}, {image: photos/ceiling.png}]
      - assistant: Let me look that up.
        calls:
          - find_policy: {policy: HM-20418}
            returns: {excess: 250, water: covered}
      - assistant: Water damage is covered.
    user: And what do I pay myself?
    expect: {says: ["250"], grounded: [amounts], tools: none}
"""
SCRIPT = """\
rules:
  - user: ["/\\\\[image png\\\\]/", "/\\\\[document Terms\\\\]/"]
    say: "The ceiling is covered. You pay {{ files[1].text.split('excess is ')[1][:3] }} yourself."
  - {if: "files and files[0].media_type == 'application/pdf'", say: We pay 412 pounds of it.}
  - {user: pay myself, call: {find_policy: {policy: HM-20418}}, say: "You pay {{ find_policy.excess }} yourself."}
"""
TERMS = f"Hartwell Mutual home terms.\n{'Burst pipes are insured. ' * 20}The excess is 250 pounds.\n"


def write_claims(root: Path) -> Path:
    """Write the project and return its root."""
    write_files(
        root,
        {
            "prompts/claims/CURRENT": "v1\n",
            "prompts/claims/v1.md": PROMPT,
            "prompts/claims/stand-in.yaml": SCRIPT,
            "prompts/claims/tools/find_policy.yaml": TOOL,
            "suites/claims.yaml": SUITE,
            "documents/terms.txt": "Hartwell Mutual home terms.\n"
            + "Burst pipes are insured. " * 20
            + "The excess is 250 pounds.\n",
        },
    )
    (root / "suites/photos").mkdir(parents=True)
    (root / "suites/photos/ceiling.png").write_bytes(png(640, 480))
    (root / "documents/bill.pdf").write_bytes(pdf(2))
    return root
