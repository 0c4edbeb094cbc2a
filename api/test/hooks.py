"""What schemas cannot say, so that schemathesis cannot know it. Each rule is one of docs/API.md, and has a test."""

import re
from datetime import UTC, datetime, timedelta

import schemathesis

# How long ago a parameter of these may be, which is never in the future; the schema has any time.
LONGEST_AGO = {"/failures": timedelta(days=7), "/producers": timedelta(days=30), "/stuck": timedelta.max}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# Their examples are good for nothing but the answers they come from.
OF_OTHER_ANSWERS = ("cursor", "Last-Event-ID")


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether it is one: a request that its schemas allow may be refused by these rules alone."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    message, query = response.json()["message"], case.query or {}
    return not (
        begins_too_far(message, query)
        or has_no_cursor_of_this_list(message, query)
        or is_too_long_ago(message, query, case.operation.path)
        # An event's id says where a listener stands, in a form of its own.
        or message.startswith("Last-Event-ID is not the id of an event")
    )


def begins_too_far(message, query):
    page, size = int(query.get("page") or 0), int(query.get("page_size") or 10)
    return "begins after row 10000" in message and page * size > 10_000


def has_no_cursor_of_this_list(message, query):
    """It is one that an answer with the same filters gave, goes with an order by time, and not with a page."""
    return bool(query.get("cursor")) and message.startswith(('cursor "', "cursor goes with", "page and cursor"))


def is_too_long_ago(message, query, path):
    given = query.get("since") or query.get("older_than")
    if not given or path not in LONGEST_AGO or " is not a time (" not in message:
        return False
    return not timedelta() <= ago(given) <= LONGEST_AGO[path]


def ago(given):
    if match := re.fullmatch("([0-9]+)([smhd])", given):
        return timedelta(**{UNITS[match[2]]: int(match[1])})
    at = datetime.fromisoformat(given)
    return datetime.now(UTC) - (at if at.tzinfo else at.replace(tzinfo=UTC))


@schemathesis.hook
def before_add_examples(context, examples):
    for case in examples:
        for name in OF_OTHER_ANSWERS:
            for values in (case.query, case.headers):
                if values:
                    values.pop(name, None)
