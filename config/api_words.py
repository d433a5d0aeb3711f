"""What whoever opens the API reads first, and what its parts are for, in the order in which they are met. Markdown, in English like all of the contract."""

from __future__ import annotations

INTRODUCTION = """\
Everything the pages of Parlance do can be done here: the pages and this API stand on the same services and the same rights.

## Begin

Make an API key in the settings, *API keys*: it looks like `pk_…`, is shown once, and can be limited to scopes, to one project, to addresses and to a time. Send it with every request:

```sh
curl https://parlance.example.org/api/v1/projects/ -H 'Authorization: Bearer pk_…'
```

A message and its answer:

```sh
curl https://parlance.example.org/api/v1/conversations/ -H 'Authorization: Bearer pk_…' \\
  -H 'Content-Type: application/json' -d '{"project": "<id>"}'
curl https://parlance.example.org/api/v1/conversations/<id>/messages/ -H 'Authorization: Bearer pk_…' \\
  -H 'Content-Type: application/json' -d '{"content": "Good morning"}'
curl -N https://parlance.example.org/api/v1/turns/<id>/events/ -H 'Authorization: Bearer pk_…'
```

The second answers at once, with the `turn` that writes; the third gives the words as they come.

## Who you are

- **API key**: `Authorization: Bearer pk_…` or `X-API-Key: pk_…`. It belongs to one organization and to a person or a service account, and may do what they may do, as far as its scopes go (`conversations:read`, `records:write`, …).
- **Access token**: `POST auth/token/` with e-mail and password gives a pair that is bound to a session; `auth/token/refresh/` renews it.
- **Session cookie**: for the pages; a write needs the CSRF token, too.

What you may not know of answers 404, as if it were not there; 403 says that you may see it and not do this.

## Lists

A list gives `{"results": […], "next", "previous"}`. `next` and `previous` are cursors, or null at the end: send one back as `?cursor=`. `?limit=` says how many come at once (50, at most 100).

## Errors

Every refusal is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`, `request_id`, and `errors` with `field`, `code` and `detail` where fields are wrong. Branch on `code`: it stays, `detail` is for people and comes in their language.
All codes are in `docs/errors.md`. Fields that nobody knows are refused (400), not ignored. A 500 says that nothing was changed, and its `request_id` finds it in the log.

## Doing it once

- `Idempotency-Key: <anything unique>` on a POST: the same request again gives the answer of the first time, for 24 hours. Another request under the same key is 422.
- A message takes a `client_id` that you make up: sent again, it is the same message.
- What people edit has a `version`, which comes as `ETag`. Send it back as `If-Match`, and a change or a deletion that somebody else has overtaken is 412 with the `current` version instead of lost.

## Following

- `turns/{id}/events/` gives one answer as server-sent events: `delta` with words, `status`, and at last `completed`, `stopped`, `failed` or `interrupted` with the whole message. `Last-Event-ID` or `?after=` goes on where you were.
- `wss://…/ws/` gives the news of conversations, runs, records and operations: subscribe to a topic with the last position that you have, and nothing is missed. `docs/live.md` has the frames and a client of forty lines in Python and in JavaScript.
- `docs/events.md` lists what is announced, by name and version.

## Limits

A person, a key and an address have about ten writes or a hundred reads a second each. Every answer carries `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`; a 429 says in `Retry-After` when to come back, and in `limit` and `reason` which limit it was.
Answers of models have a quota an hour and a day, and the organization may have a budget a month. `docs/limits.md` has the numbers.

## As an OpenAI client

`/v1/models` and `/v1/chat/completions` speak OpenAI's protocol with the same keys; every agent is a model there. They are not part of this file: `docs/gateway.md`.

Calls are only added within `v1`, and so are fields: read what you know and leave the rest.
"""

#: Tag → what its operations are for. Readers show them in this order.
TAGS: dict[str, str] = {
    "conversations": "Conversations, what is said in them, who sees them, and getting them out and in.",
    "messages": "One message: editing, retrying, continuing, marking as sensitive.",
    "turns": "The writing of one answer: its state, its words as they come, stopping it.",
    "attachments": "Files: upload, preview, download.",
    "search": "Words in messages and titles, over all that you may see.",
    "shared": "What a share link shows, without signing in.",
    "agents": "Who answers in a project, with which instructions and which model.",
    "models": "Providers, their models and prices, who answers by default, what was used, and the budget.",
    "collections": "Collections: the fields that records have, their versions, views, templates and readers.",
    "records": "Records: reading, writing, history, sources, comments.",
    "extractions": "Reading words for records: of a message, a file, a whole conversation.",
    "proposals": "Suggested records, and what people decide about them.",
    "follow-ups": "Questions about what a record lacks.",
    "wishes": "Asking for records or a collection in words, and confirming what was understood.",
    "duplicates": "Records that may be the same.",
    "record-merges": "Taking back that two records were joined.",
    "bulk-operations": "One piece of work for many items: planning, running, pausing, undoing.",
    "jobs": "How the work in the background is getting on.",
    "workflows": "Definitions of workflows, their versions, and what starts them.",
    "runs": "Runs of workflows: stages, gates, choices, going back.",
    "workflow-secrets": "Secrets that workflows use and nobody reads again.",
    "packs": "Folders of data that bring collections, templates, agents and workflows into a project.",
    "me": "Yourself: profile, sessions and devices, sign-ins, quotas, and your data to take away.",
    "auth": "Tokens for programs that act for a person who signs in, and resetting a password.",
    "api-keys": "Keys for programs: made here or in the settings, shown once.",
    "service-accounts": "Accounts for programs, with keys of their own.",
    "organizations": "Organizations, their members and invitations.",
    "projects": "Projects, and who has which role in them.",
    "teams": "Teams, and the projects that they are given.",
    "denials": "What somebody may not do, whatever else allows it.",
    "sign-in": "How people of an organization sign in: its rules and its identity providers.",
    "audit": "Who did what, and who can get at what.",
}

SHOWN = {"DESCRIPTION": INTRODUCTION, "TAGS": [{"name": name, "description": words} for name, words in TAGS.items()]}
