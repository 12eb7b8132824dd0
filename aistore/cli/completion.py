"""Completion in shells: of commands and options by click, of buckets and objects by asking the cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from aistore.cli.session import Session
from aistore.cli.text import neutralise
from aistore.cli.uri import bucket_uri, is_uri, parse_uri

if TYPE_CHECKING:
    import click

_SECONDS = 1.0
_LIMIT = 200

# Bash splits words at colons; the whole line is handed over instead, and what stands before the last colon
# of the word is cut off the answers.
_BASH = """\
%(complete_func)s() {
    local response type value IFS=$'\\n'
    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    for line in $response; do
        IFS=',' read -r type value <<< "$line"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            nospace) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completion in bash that knows of colons in words."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Not asked for: the script works from bash 4.4 on, and older ones say what they miss."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one under the cursor, and that one."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        incomplete = "" if not words or line[-1:].isspace() else words.pop()
        self.incomplete = incomplete
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return an answer without what bash takes for another word."""
        value = str(item.value)
        if ":" in os.environ.get("COMP_BREAKS", ":") and ":" in self.incomplete:
            value = value[self.incomplete.rindex(":") + 1 :]
        return f"{item.type},{value}"


def register() -> None:
    """Have click use the completion for bash of this module."""
    add_completion_class(Bash)


def complete_uri(ctx: click.Context, incomplete: str, *, buckets_only: bool) -> list[CompletionItem]:
    """Return the buckets and objects whose URIs begin with a text; none when the cluster does not answer.

    Args:
        ctx: The command.
        incomplete: The beginning.
        buckets_only: Whether objects are left out.
    """
    if not is_uri(incomplete):
        beginning = [CompletionItem("ais://", type="nospace")] if "ais://".startswith(incomplete) else []
        return [*beginning, *(_bare_buckets(ctx, incomplete) if buckets_only else ())]
    session = ctx.find_object(Session) or Session()
    try:
        found = _ask(session, incomplete, buckets_only=buckets_only)
    except Exception:  # noqa: BLE001 - a shell's prompt is no place for errors
        return []
    # What cannot be typed as one harmless word is not offered.
    return [item for item in found if neutralise(item.value) == item.value and " " not in item.value]


def _bare_buckets(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return bucket names as commands for buckets take them, without `ais://`."""
    items = complete_uri(ctx, f"ais://{incomplete}", buckets_only=True)
    return [CompletionItem(item.value.removeprefix("ais://"), type=item.type) for item in items]


def _ask(session: Session, incomplete: str, *, buckets_only: bool) -> list[CompletionItem]:
    from aistore.sdk.list_object_flag import ListObjectFlag

    session.overrides = _impatience()
    uri = parse_uri(incomplete)
    if "/" not in incomplete.partition("://")[2]:
        models = session.client.cluster().list_buckets(provider=uri.provider)
        texts = [str(bucket_uri(model)) for model in models]
        end = "" if buckets_only else "/"
        kind = "plain" if buckets_only else "nospace"
        return [CompletionItem(text + end, type=kind) for text in texts if text.startswith(incomplete)]
    if buckets_only:
        return []
    page = uri.of(session.client).list_objects(
        prefix=uri.name, props="name", page_size=_LIMIT, flags=[ListObjectFlag.NO_RECURSION]
    )
    return [
        CompletionItem(str(uri.below(entry.name)), type="nospace" if entry.name.endswith("/") else "plain")
        for entry in page.entries
    ]


def _impatience() -> dict[str, Any]:
    from urllib3 import Retry

    from aistore.sdk.retry_config import RetryConfig

    never: Any = None
    retry = RetryConfig(http_retry=Retry(0), network_retry=never)
    return {"timeout": (_SECONDS, _SECONDS), "retry_config": retry}
