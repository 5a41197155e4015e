"""Puts the comment of a review on its pull request: a new one the first time, the same one from then on.

Finds its own comment by the first line of the file, a mark that nobody sees. Needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# GitHub takes no longer comment.
MOST = 65_000
PAGE = 100


def main() -> int:
    """Write the comment; without leave to (as in a pull request from a fork), say so and leave it at that."""
    text = Path(sys.argv[1]).read_text("utf-8")
    mark = text.partition("\n")[0]
    if len(text) > MOST:
        text = text[:MOST] + "\n\nThe rest is in the summary of the run.\n"
    try:
        known = find(mark)
        if known is None:
            call("POST", f"issues/{os.environ['PULL_REQUEST']}/comments", {"body": text})
        else:
            call("PATCH", f"issues/comments/{known}", {"body": text})
    except urllib.error.HTTPError as fault:
        if fault.code not in (401, 403, 404):
            raise
        print(
            f"::warning::the comment cannot be written ({fault.code} {fault.reason}); it is in the summary of the run"
        )
    return 0


def find(mark: str) -> int | None:
    """The id of the comment that a run before this one wrote."""
    page = 1
    while True:
        found = call("GET", f"issues/{os.environ['PULL_REQUEST']}/comments?per_page={PAGE}&page={page}")
        for each in found:
            if each["body"].startswith(mark):
                return int(each["id"])
        if len(found) < PAGE:
            return None
        page += 1


def call(method: str, path: str, content: dict[str, str] | None = None) -> Any:
    """Ask the repository's API."""
    url = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        "Content-Type": "application/json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
