"""What libyaml says when a text is no YAML, in words that a person who is not a YAML parser can act on.

One table, from its phrases to ours; anything not in it is reported plainly, without the parser's jargon.
"""

from __future__ import annotations

import re

from yaml import MarkedYAMLError, YAMLError

from mqk.policy.diagnostics import Diagnostic, error
from mqk.policy.source import Source

# Parts of libyaml's problem and context; what to say; how to mend it; whether the fault lies where the construct began
# (an unclosed bracket) rather than where the parser noticed.
_SAYINGS: tuple[tuple[str, str, str, str | None, bool], ...] = (
    (
        "mapping values are not allowed",
        "",
        "`: ` stands inside a value, or a key is not where it belongs",
        "put the value in quotes, or indent the key like its neighbours",
        False,
    ),
    (
        "found character that cannot start any token",
        "",
        "{char} cannot begin a value",
        "put the value in quotes",
        False,
    ),
    ("could not find expected ':'", "", "a key without `:`", "write `key: value`", True),
    ("did not find expected ',' or ']'", "", "a `[` that is not closed", "close it with `]`", True),
    ("did not find expected ',' or '}'", "", "a `{` that is not closed", "close it with `}`", True),
    ("found unexpected end of stream", "quoted scalar", "a quote that is not closed", "close it", True),
    (
        "found unknown escape character",
        "",
        "an escape that YAML does not know",
        "use single quotes to write a backslash as it is",
        False,
    ),
    (
        "did not find expected '-' indicator",
        "",
        "a list is followed by something that is not `- `",
        "indent it like the items of the list, or give the list a key",
        False,
    ),
    (
        "block sequence entries are not allowed",
        "",
        "a list cannot begin on the line of its key",
        "begin each item on a line of its own, or write `[a, b]`",
        False,
    ),
    (
        "did not find expected key",
        "",
        "this line does not continue the mapping it stands in",
        "indent it like its neighbours, and put values with special characters in quotes",
        False,
    ),
    (
        "did not find expected node content",
        "",
        "a value is expected here",
        "write it, in quotes if it has brackets",
        False,
    ),
    ("did not find expected alphabetic", "anchor", "an anchor without a name", "put the value in quotes", True),
    ("did not find expected alphabetic", "alias", "`*` begins an alias", "put the value in quotes", True),
    ("undefined tag handle", "", "a tag", "remove it: the schema says what a value is", False),
    ("did not find expected comment or line break", "", "text after `|` or `>`", "begin it on the next line", False),
    ("directive", "", "a directive that YAML does not know", "remove the line", True),
)


def yaml_fault(fault: YAMLError, source: Source) -> Diagnostic:
    """The diagnostic for a text that is no YAML, at the character where it goes wrong."""
    problem = context = ""
    index = opened = len(source.text.rstrip())
    if isinstance(fault, MarkedYAMLError):
        problem, context = fault.problem or "", fault.context or ""
        if fault.problem_mark is not None:
            index = opened = min(fault.problem_mark.index, len(source.text))
        if fault.context_mark is not None:
            opened = min(fault.context_mark.index, len(source.text))
    if "did not find expected key" in problem and source.text[:index].rstrip(" ").endswith(("'", '"')):
        message = "text behind a closing quote"
        return error("MQK-1001", message, source.span(index, index + 1), "put the whole value in quotes")
    for phrase, where, message, help_, at_opening in _SAYINGS:
        if phrase in problem and where in context:
            at = opened if at_opening else index
            char = source.text[at : at + 1]
            # A whole word is easier to see than its first letter; a bracket or a sign stands for itself.
            word = re.compile(r"\w*").match(source.text, at)
            end = max(at + 1, word.end() if word else 0)
            shown = "a back-quote" if char == "`" else f"`{char}`"
            return error("MQK-1001", message.replace("{char}", shown), source.span(at, end), help_)
    return error(
        "MQK-1001", "this is not YAML", source.span(index, index + 1), "check quotes, brackets and indentation"
    )
