"""The attacks that this version can be attacked with: what is asked, what must come, and where else it is tried.

Numbers are stable. An attack is a test named after it: ``test_a61_…``.
"""

#: Number → (request, expected).
ATTACKS = {
    1: (
        "Every route of the OpenAPI file by nobody, a reader, another member, a stranger and a revoked key, with foreign ids",
        "401; hidden like a random id, or 403; no 2xx; no row changed",
    ),
    2: ("A: an answer in B's private conversation; B's message as a parent", "hidden / 400; no turn"),
    3: ("A, X: B's turn as a stream, over a socket, by asking again and again", "hidden; no content"),
    4: ("A: message with B's file among A's own", "whole request refused, nothing attached"),
    5: ("A: free-form fields that carry foreign file ids", "400 unknown_field"),
    7: ("X: preview, download, text and export of another organization's things", "hidden"),
    8: (
        "A: edit or delete B's message in a shared conversation; delete B's file seen through it",
        "403, unchanged, recorded",
    ),
    9: ("R: message, title, regenerate, command", "403; nothing announced"),
    10: (
        "A model asks for a tool that its stage does not allow, for records of another project; for somebody who may run nothing",
        "refused; nothing is read or run",
    ),
    13: (
        "N: share link withdrawn, expired, of a deleted or closed conversation, of an organization that wants none; what was said later",
        "404 like a random token, as quickly; later words and files absent",
    ),
    14: ("A: rights among one's own profile fields", "400, unchanged, recorded"),
    15: ("A: API key beyond one's own role", "403, recorded"),
    16: ("Limited key by every way in, also in the query or a cookie", "the same 403 everywhere; query refused"),
    18: (
        "Forty first sign-ups at once on an empty installation, twenty through an identity provider; sign-ups before and without the set-up link",
        "exactly one operator, and only with the set-up link",
    ),
    19: ("Invitation used twice, by another person, after revocation, for another organization", "400"),
    20: ("Password reset with every wrong kind of token", "400; password unchanged"),
    22: ("JWT: none, other algorithm, expired, wrong audience, issuer or type, future", "401"),
    23: ("Authorization with quotes, SQL, NUL, 16 kB, bad UTF-8", "401, as quick as ever"),
    25: (
        "Identity provider: address not confirmed or outside its domains; same address or name at a second one; answer that comes again",
        "no link, no sign-in, recorded",
    ),
    26: ("Forged Host on reset and at the start of a sign-in elsewhere", "400, or the configured address"),
    27: ("next= with other origins in every spelling", "stays here"),
    28: (
        "Second factor: code that comes again, many guesses, half a sign-in on the API, used recovery code",
        "401 / 429 / 401 / 401",
    ),
    29: ("Old cookie after sign-out, password change, role change; fixed session id", "401; id rotated"),
    30: ("Many guesses: one address, many addresses, unknown people", "429; same answer for unknown people"),
    31: ("Single sign-on only: password, reset, key", "403, recorded"),
    32: ("Socket with a foreign Origin and a valid cookie", "refused before accept"),
    33: (
        "Socket: 1 MB frame, 10,000-deep JSON, binary, unknown type, flood, too many sockets",
        "closed with its code; others unharmed",
    ),
    34: ("Cookie POST without CSRF token, as text/plain, from a foreign Origin", "403; no CORS header"),
    35: ("Script in messages, names, titles, file names, results", "0 executions in a real browser"),
    36: ("The same, split over tokens, in code and in tables", "0 executions at every frame"),
    38: ("SVG, HTML, XML, PDF opened directly", "attachment or sandboxed, nosniff"),
    41: ("Model text with images and links that carry secrets to C", "C: 0 hits without a click"),
    42: ("A tool's answer or a document orders what changes something", "no such tool is offered or run"),
    44: ("SSRF: loopback, private, link-local, metadata", "400; 0 hits"),
    45: ("The same in every spelling of an address", "400; 0 hits"),
    47: ("Public address that redirects inside", "blocked at that hop"),
    48: ("Name that answers public, then private", "only the checked address is called"),
    49: ("Endless, slow, packed answers; endless, slow, huge requests", "stop at the limit"),
    50: ("Attachment JSON with path, url, filepath", "400; nothing read"),
    51: ("Upload with JSON that imitates a form", "415"),
    52: (
        "File names: ../, NUL, 300 characters, device names; the same as entries of an imported archive",
        "generated name; safe header; archive refused",
    ),
    53: (
        "Zip slip, links, bombs, 100,000 entries, lying sizes and hashes, pixel flood, polyglot",
        "4xx or a download nobody unpacks; nothing stored",
    ),
    54: (
        "Import of a conversation, of a pack with its agents and templates: commands, hooks, servers, remote code, odd YAML",
        "refused, or only words; nothing runs and nothing of it is kept",
    ),
    59: ("SQL, tsquery, JSON-path, order-by and cursor injection on every list and search", "400 or empty; < 1 s"),
    60: ("Every route: broken bodies, every field of every wrong kind, odd headers", "4xx; never a 500"),
    61: ("Boundless parameters, 10 MB message, endless turns", "400 / 413 / 429"),
    62: ("Parallel calls at the edge of rate limit, budget and storage", "exactly what fits"),
    63: ("Strings that make patterns backtrack: search, Markdown, titles", "< 1 s"),
    64: (
        "Canary keys, tokens, seeds and words marked as sensitive, then every answer, page, event, log and table, a dump and Redis",
        "0 hits",
    ),
    65: (
        "Headers of pages, API and errors; cookies under https",
        "CSP with nonce, HSTS, __Host-; no stack, no version",
    ),
    67: ("Audit: changed over the API, and as the application's database role", "405 / refused by the database"),
}

#: Number → where it is tried, for what needs another place than this folder (all run in `make test`).
ELSEWHERE = {
    3: ["tests/live/test_subscription.py"],
    10: [
        "tests/workflows/test_agent_steps.py::test_a_tool_that_the_stage_does_not_allow_is_not_run",
        "tests/workflows/test_agent_steps.py::test_records_of_another_project_are_out_of_reach",
        "tests/workflows/test_agent_steps.py::test_nobody_is_asked_for_who_may_run_nothing",
        "tests/workflows/test_tools_in_answers.py::test_what_the_asker_may_not_read_stays_away",
        "tests/workflows/test_tools_in_answers.py::test_who_left_meanwhile_reads_nothing_more",
    ],
    22: ["tests/accounts/test_sessions.py::test_forged_tokens_open_nothing"],
    25: ["tests/accounts/test_sso.py"],
    28: [
        "tests/accounts/test_second_factors.py::test_code_is_good_once_and_never_an_earlier_one",
        "tests/accounts/test_second_factors.py::test_recovery_code_is_good_once",
        "tests/accounts/test_second_factors.py::test_five_wrong_codes_then_the_right_one_waits_too",
        "tests/accounts/test_second_factors.py::test_app_is_set_up_and_asked_for_at_the_next_sign_in",
    ],
    29: [
        "tests/accounts/test_sessions.py::test_old_cookie_and_tokens_open_nothing_after",
        "tests/accounts/test_sessions.py::test_sign_in_changes_a_session_id_that_was_fixed_before",
        "tests/accounts/test_sessions.py::test_refresh_rotates_and_a_used_token_ends_the_session",
    ],
    30: ["tests/accounts/test_sessions.py::test_many_users_from_one_address_are_limited"],
    31: [
        "tests/accounts/test_sso.py::test_single_sign_on_only_lets_the_provider_in_and_key_creation_too",
        "tests/accounts/test_sign_in_rules.py::test_single_sign_on_only_refuses_passwords_and_ends_their_sessions",
        "tests/accounts/test_sign_in_rules.py::test_single_sign_on_only_takes_no_new_password_either",
    ],
    32: ["tests/live/test_sockets.py::test_foreign_origin_with_a_cookie_is_refused_before_accept"],
    33: [
        "tests/live/test_sockets.py::test_what_is_no_frame_closes_the_socket",
        "tests/live/test_sockets.py::test_flood_is_cut",
        "tests/live/test_sockets.py::test_person_has_twenty_sockets_at_most",
    ],
    35: ["tests/browser/test_markup.py", "tests/core/test_markup.py"],
    36: ["tests/browser/test_markup.py::test_payloads_in_pieces_run_and_load_nothing"],
    41: ["tests/browser/test_markup.py::test_payloads_in_pieces_run_and_load_nothing"],
    42: [
        "tests/workflows/test_agent_steps.py::test_a_tool_that_the_stage_does_not_allow_is_not_run",
        "tests/workflows/test_agent_steps.py::test_what_changes_something_is_not_offered",
        "tests/workflows/test_tools_in_answers.py::test_what_a_model_asks_for_is_not_trusted",
        "tests/workflows/test_tools_in_answers.py::test_a_tool_that_the_stage_left_out_meanwhile_is_not_run",
        "tests/workflows/test_tools_in_answers.py::test_asks_without_end_are_ended",
    ],
    44: [
        "tests/core/test_http.py",
        "tests/llm/test_api.py::test_provider_addresses_stay_public",
        "tests/accounts/test_sso.py::test_issuer_inside_is_not_reached_for_an_organization",
    ],
    45: ["tests/core/test_http.py::test_private_address_in_any_spelling_is_refused_and_not_reached"],
    47: ["tests/core/test_http.py::test_redirect_to_a_forbidden_place_is_blocked_at_that_hop"],
    48: ["tests/core/test_http.py::test_second_answer_of_a_rebinding_name_is_never_asked_for"],
    49: ["tests/core/test_http.py", "tests/core/test_bodies.py"],
    61: ["tests/gateway/test_door.py::test_max_tokens_is_capped_at_what_the_model_can"],
    62: [
        "tests/core/test_limits.py::test_two_hundred_parallel_calls_take_exactly_what_fits",
        "tests/core/test_pressure.py::test_two_hundred_parallel_calls_under_load_take_exactly_what_the_halved_limit_holds",
        "tests/accounts/test_quotas.py::test_parallel_questions_are_counted_exactly",
        "tests/llm/test_budgets.py::test_a_hundred_calls_at_the_edge_overspend_nothing",
        "tests/files/test_services.py::test_quota_holds_under_20_parallel_uploads",
    ],
    63: [
        "tests/core/test_markup.py::test_markup_takes_bounded_time",
        "tests/core/test_suspicions.py::test_a63_no_text_holds_a_detector_up",
        "tests/core/test_rules.py::test_no_rule_takes_long_over_a_long_text",
    ],
    64: [
        "tests/llm/test_engine.py::test_key_that_the_provider_repeats_is_not_kept",
        "tests/llm/test_admin.py",
    ],
    67: ["tests/accounts/test_audit.py::test_application_role_can_only_append"],
}

#: Number → (the function that it attacks and that is not there yet, the addresses that will show that it is).
NOT_YET = {
    11: ("vector search", r"v1/sources/|v1/documents/"),
    37: ("diagrams and formulas in messages", r"diagram|mermaid"),
    40: ("artifact previews", r"artifact"),
    56: ("the sandbox tool", r"sandbox|/tools/"),
    57: ("tools that run what a model writes", r"/tools/"),
    68: ("webhooks", r"webhook|/hooks/"),
}


def elsewhere():
    """Every place outside of this folder, once: ``make attacks`` runs them too."""
    return sorted({place for places in ELSEWHERE.values() for place in places})


#: Numbers that were never given, or given to something else than an attack on a route.
RESERVED = {6, 12, 17, 21, 24, 39, 43, 46, 55, 58, 66}

LAST = 68
