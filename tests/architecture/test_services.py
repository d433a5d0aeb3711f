"""Writes and reads have the shapes that make rights visible."""

import ast

from tests.architecture import tree

CREDENTIALS = "finds out who acts: there is no actor yet, the credential is the right"
PLATFORM = "the platform's own work, begun by a job, a sweep or the start; no transport reaches it"
PART = "a part of other services, which ask; nothing else calls it"
READ = "changes nothing, and what it gives is not a tenant's or was found for a viewer before"
#: Services that do not ask a policy about their actor: (module, function) → why.
UNASKED: dict[tuple[str, str], str] = {
    ("apps/accounts/services/attempts.py", "account_hash"): PART,
    ("apps/accounts/services/attempts.py", "admit"): CREDENTIALS,
    ("apps/accounts/services/attempts.py", "check_password"): CREDENTIALS,
    ("apps/accounts/services/attempts.py", "circumstances_of"): PART,
    ("apps/accounts/services/attempts.py", "find_attempt"): CREDENTIALS,
    ("apps/accounts/services/attempts.py", "forget_old_attempts"): PLATFORM,
    ("apps/accounts/services/attempts.py", "judge"): CREDENTIALS,
    ("apps/accounts/services/attempts.py", "open_attempt"): CREDENTIALS,
    ("apps/accounts/services/attempts.py", "printable"): PART,
    ("apps/accounts/services/codes.py", "send_code"): CREDENTIALS,
    ("apps/accounts/services/codes.py", "take_code"): CREDENTIALS,
    ("apps/accounts/services/devices.py", "forget_unused_devices"): PLATFORM,
    ("apps/accounts/services/devices.py", "is_token"): PART,
    ("apps/accounts/services/devices.py", "remember_device"): CREDENTIALS,
    ("apps/accounts/services/networks.py", "read_list"): READ,
    ("apps/accounts/services/invitations.py", "find_invitation"): CREDENTIALS,
    ("apps/accounts/services/invitations.py", "join_by_invitation"): CREDENTIALS,
    ("apps/accounts/services/belongings.py", "give_away"): PART,
    ("apps/accounts/services/endings.py", "end_key"): PART,
    ("apps/accounts/services/endings.py", "end_keys_of"): PART,
    ("apps/accounts/services/endings.py", "unlink_identities"): PART,
    ("apps/accounts/services/endings.py", "withdraw_invitation"): PART,
    ("apps/accounts/services/sign_ups.py", "ask"): CREDENTIALS,
    ("apps/accounts/services/sign_ups.py", "find_asked"): READ,
    ("apps/accounts/services/sign_ups.py", "finish"): CREDENTIALS,
    ("apps/accounts/services/mailboxes.py", "is_unproved"): READ,
    ("apps/accounts/services/unproved.py", "require_proved"): PART,
    ("apps/accounts/services/organizations.py", "put_away_alone"): PART,
    ("apps/accounts/services/mailboxes.py", "note_proved"): PART,
    ("apps/accounts/services/mailboxes.py", "clear_unproved"): CREDENTIALS,
    ("apps/accounts/services/second_factors.py", "remove_each"): PART,
    ("apps/accounts/services/endings.py", "withdraw_invitations_by"): PART,
    ("apps/accounts/services/organizations.py", "add_member"): PART,
    ("apps/accounts/services/organizations.py", "lock_membership"): PART,
    ("apps/accounts/services/organizations.py", "not_a_member"): PART,
    ("apps/accounts/services/organizations.py", "make_organization"): PART,
    ("apps/accounts/services/organizations.py", "make_project"): PART,
    ("apps/accounts/services/organizations.py", "scope_of"): PART,
    ("apps/accounts/services/passwords.py", "limit_mail"): CREDENTIALS,
    ("apps/accounts/services/passwords.py", "request_reset"): CREDENTIALS,
    ("apps/accounts/services/passwords.py", "reset_password"): CREDENTIALS,
    ("apps/accounts/services/people.py", "claim_instance"): CREDENTIALS,
    ("apps/accounts/services/people.py", "create_user"): CREDENTIALS,
    ("apps/accounts/services/people.py", "is_claimed"): READ,
    ("apps/accounts/services/people.py", "is_sign_up_open"): READ,
    ("apps/accounts/services/people.py", "hold_address"): CREDENTIALS,
    ("apps/accounts/services/people.py", "note_email_change_begun"): CREDENTIALS,
    ("apps/accounts/services/people.py", "note_email_changed"): CREDENTIALS,
    ("apps/accounts/services/people.py", "note_user_created"): CREDENTIALS,
    ("apps/accounts/services/people.py", "require_good_password"): PART,
    ("apps/accounts/services/people.py", "settle_in"): CREDENTIALS,
    ("apps/accounts/services/people.py", "start_first"): PLATFORM,
    ("apps/accounts/services/personal.py", "register"): PLATFORM,
    ("apps/accounts/services/projects.py", "scope_of_project"): PART,
    ("apps/accounts/services/fresh_proofs.py", "is_fresh"): READ,
    ("apps/accounts/services/second_factors.py", "check_code"): CREDENTIALS,
    ("apps/accounts/services/second_factors.py", "count_guess"): PART,
    ("apps/accounts/services/second_factors.py", "note_good_guess"): PART,
    ("apps/accounts/services/second_factors.py", "check_first_code"): CREDENTIALS,
    ("apps/accounts/services/second_factors.py", "finish_waiting"): CREDENTIALS,
    ("apps/accounts/services/second_factors.py", "forget_old"): PLATFORM,
    ("apps/accounts/services/second_factors.py", "note_added"): CREDENTIALS,
    ("apps/accounts/services/second_factors.py", "note_removed"): CREDENTIALS,
    ("apps/accounts/services/second_factors.py", "require_for_token"): CREDENTIALS,
    ("apps/accounts/services/identity.py", "admit"): CREDENTIALS,
    ("apps/accounts/services/identity.py", "find_provider_id"): READ,
    ("apps/accounts/services/passwords.py", "mail_link"): CREDENTIALS,
    ("apps/accounts/services/passwords.py", "require_password_way"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "end_unfit"): PART,
    ("apps/accounts/services/sign_in_rules.py", "enforce"): PLATFORM,
    ("apps/accounts/services/sign_in_rules.py", "require_mail_domain"): PART,
    ("apps/accounts/services/sign_in_rules.py", "require_mail_domains_of"): READ,
    ("apps/accounts/services/sessions.py", "begin_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "end_all_sessions"): PART,
    ("apps/accounts/services/sessions.py", "end_cookie_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "end_listed"): PART,
    ("apps/accounts/services/sessions.py", "find_sign_in_link"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "forget_old"): PLATFORM,
    ("apps/accounts/services/sessions.py", "renew_token_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "revoke_token_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "use_sign_in_link"): CREDENTIALS,
    ("apps/bulk/services/ends.py", "count"): PART,
    ("apps/bulk/services/ends.py", "end_of"): READ,
    ("apps/bulk/services/ends.py", "scope_of"): READ,
    ("apps/bulk/services/ends.py", "stop"): PART,
    ("apps/bulk/services/ends.py", "work_of"): READ,
    ("apps/bulk/services/finishing.py", "begin_running"): PART,
    ("apps/bulk/services/finishing.py", "finish_when_done"): PART,
    ("apps/bulk/services/finishing.py", "hint_work"): PART,
    ("apps/bulk/services/finishing.py", "join_order"): PART,
    ("apps/bulk/services/finishing.py", "pause_without_money"): PART,
    ("apps/bulk/services/finishing.py", "tell_progress"): PART,
    ("apps/bulk/services/operations.py", "announce"): PART,
    ("apps/bulk/services/operations.py", "find_kind"): READ,
    ("apps/bulk/services/operations.py", "require_room"): PART,
    ("apps/bulk/services/planning.py", "copy_items"): PART,
    ("apps/bulk/services/planning.py", "keep_resource"): PART,
    ("apps/bulk/services/planning.py", "copy_back"): PART,
    ("apps/bulk/services/retrying.py", "put_back"): PART,
    ("apps/bulk/services/upkeep.py", "close_pending"): PART,
    ("apps/conversations/services/commands.py", "describe_commands"): READ,
    ("apps/conversations/services/commands.py", "register"): PLATFORM,
    ("apps/conversations/services/commands.py", "run_command"): "the command it runs calls services, which ask",
    ("apps/conversations/services/conversations.py", "announce"): PART,
    ("apps/conversations/services/conversations.py", "scope_of"): PART,
    ("apps/conversations/services/conversations.py", "ask_rights_again"): PART,
    ("apps/conversations/services/handover.py", "count_shared"): READ,
    (
        "apps/conversations/services/handover.py",
        "hand_over",
    ): "run by the service of accounts that ends a membership, which asks",
    ("apps/conversations/services/links.py", "withdraw_links"): PART,
    ("apps/conversations/services/links.py", "withdraw_links_of"): PART,
    ("apps/conversations/services/attachments.py", "record_attachments"): PART,
    ("apps/conversations/services/titles.py", "request_title"): PART,
    ("apps/conversations/services/transfer.py", "export_archive"): READ,
    ("apps/conversations/services/transfer.py", "export_json"): READ,
    ("apps/conversations/services/transfer.py", "export_markdown"): READ,
    ("apps/conversations/services/turns.py", "lease"): PART,
    ("apps/conversations/services/turns.py", "stop_active_turns"): PART,
    ("apps/extraction/services/describing.py", "keep_changes"): PART,
    ("apps/extraction/services/describing.py", "keep_proposal"): PART,
    ("apps/extraction/services/evidence.py", "bring_sources_back"): PART,
    ("apps/extraction/services/evidence.py", "follow_growth"): PART,
    ("apps/extraction/services/evidence.py", "keep_sources"): PART,
    ("apps/extraction/services/evidence.py", "move_sources"): PART,
    ("apps/extraction/services/forgetting.py", "empty_proposals"): PART,
    ("apps/extraction/services/forgetting.py", "forget_records"): PART,
    ("apps/extraction/services/extractions.py", "fail"): PART,
    ("apps/extraction/services/extractions.py", "measure"): PART,
    ("apps/extraction/services/extractions.py", "wanted_collections"): READ,
    ("apps/extraction/services/follow_ups.py", "ask_next"): PART,
    ("apps/extraction/services/follow_ups.py", "keep"): PART,
    ("apps/extraction/services/follow_ups.py", "still_open"): PART,
    ("apps/extraction/services/following.py", "brought"): READ,
    ("apps/extraction/services/following.py", "follow_schema"): PART,
    ("apps/extraction/services/following.py", "follow_sources"): PART,
    ("apps/extraction/services/following.py", "number_at"): READ,
    ("apps/extraction/services/following.py", "path_of"): READ,
    ("apps/extraction/services/following.py", "separated"): READ,
    (
        "apps/extraction/services/readers.py",
        "forget_leaving",
    ): "run by the service of accounts that ends a membership, which asks",
    ("apps/extraction/services/readers.py", "tell_privacy"): PART,
    ("apps/extraction/services/records.py", "bring_back"): PART,
    ("apps/extraction/services/relations.py", "linked_fields"): PART,
    ("apps/extraction/services/records.py", "create_joined"): PART,
    ("apps/extraction/services/records.py", "put_away"): PART,
    ("apps/extraction/services/records.py", "refuse_misfit"): READ,
    ("apps/extraction/services/records.py", "rewrite"): PART,
    ("apps/extraction/services/suggesting.py", "propose"): READ,
    ("apps/extraction/services/suggesting.py", "suggest"): PART,
    ("apps/files/services.py", "claim_processing"): PLATFORM,
    ("apps/files/services.py", "detach_files"): PART,
    ("apps/files/services.py", "erase_unused"): "run by the erasure of a person, which asks",
    ("apps/files/services.py", "finish_processing"): PLATFORM,
    ("apps/files/services.py", "list_unread"): PLATFORM,
    ("apps/files/services.py", "sweep"): PLATFORM,
    ("apps/llm/services/environment.py", "wanted_presets"): READ,
    ("apps/llm/services/providers.py", "announce"): PART,
    ("apps/llm/services/providers.py", "insert_known_models"): PART,
    ("apps/packs/services/installing.py", "bring"): PART,
    ("apps/packs/services/installing.py", "by_address"): READ,
    ("apps/packs/services/installing.py", "note"): PART,
    ("apps/packs/services/installing.py", "place_of"): READ,
    ("apps/packs/services/installing.py", "refuse_clashes"): READ,
    ("apps/packs/services/installing.py", "said_by"): READ,
    ("apps/packs/services/upgrading.py", "take_away"): PART,
    ("apps/conversations/services/endings.py", "end_turn"): PART,
    ("apps/conversations/services/endings.py", "name_by_first_words"): PART,
    ("apps/conversations/services/appends.py", "append_rows"): PART,
    ("apps/workflows/services/definitions.py", "check_definition"): READ,
    ("apps/workflows/services/ends.py", "announce"): PART,
    ("apps/workflows/services/ends.py", "cancel"): PART,
    ("apps/workflows/services/ends.py", "fail"): PART,
    ("apps/workflows/services/ends.py", "inner_of"): READ,
    ("apps/workflows/services/ends.py", "lock_held"): PART,
    ("apps/workflows/services/ends.py", "operation_of"): READ,
    ("apps/workflows/services/ends.py", "reading_of"): READ,
    ("apps/workflows/services/ends.py", "stop_begun"): PART,
    ("apps/workflows/services/ends.py", "viewer_of"): READ,
    ("apps/workflows/services/rollback.py", "go_back"): PART,
    ("apps/workflows/services/rollback.py", "keep"): PART,
    ("apps/workflows/services/rollback.py", "set_back_records"): PART,
    ("apps/workflows/services/rollback.py", "staying"): READ,
    ("apps/workflows/services/runs.py", "begin"): PART,
    ("apps/workflows/services/runs.py", "queue"): PART,
    ("apps/workflows/services/runs.py", "told"): PART,
    ("apps/workflows/services/runs.py", "undo_again"): PART,
    ("apps/workflows/services/runs.py", "wake"): PART,
    ("apps/workflows/services/stages.py", "check_stage"): READ,
    ("apps/workflows/services/stages.py", "look"): PART,
    ("apps/workflows/services/stages.py", "missing_of"): READ,
    ("apps/workflows/services/starts.py", "arm"): PART,
    ("apps/workflows/services/starts.py", "disarm"): PART,
    ("apps/workflows/services/steps.py", "hold"): PART,
    ("apps/workflows/services/steps.py", "require_size"): READ,
}


def arguments(function):
    return {arg.arg for arg in [*function.args.args, *function.args.kwonlyargs, *function.args.posonlyargs]}


def services():
    for path in tree.modules_named("services"):
        for function in tree.public_functions(path):
            yield path, function


def every_function():
    """Dotted name → (module, function) of all in modules of services, private ones too."""
    return {
        f"{tree.dotted(path)}.{node.name}": (path, node)
        for path in tree.modules_named("services")
        for node in tree.parsed(path).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def calls(path, function):
    """What a function calls: (dotted name, the call). ``ask = a if x else b; ask(actor)`` calls both."""
    known = tree.names_in(path)

    def resolved(expression):
        head, _dot, rest = ast.unparse(expression).partition(".")
        return ".".join(filter(None, [known.get(head, f"{tree.dotted(path)}.{head}"), rest]))

    chosen = {
        node.targets[0].id: [resolved(node.value.body), resolved(node.value.orelse)]
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.IfExp)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            for name in chosen.get(ast.unparse(node.func), [resolved(node.func)]):
                yield name, node


def is_question(name, call):
    """A predicate of a policies module, asked about the actor."""
    module, _dot, predicate = name.rpartition(".")
    about = {node.id for argument in call.args for node in ast.walk(argument) if isinstance(node, ast.Name)}
    return module.endswith(".policies") and predicate.startswith(("can_", "may_", "is_", "has_")) and "actor" in about


def asks_a_policy(name, functions, seen=frozenset()):
    """In its own words, by a private helper of its module, or by another service that it calls."""
    path, function = functions[name]
    called = list(calls(path, function))
    return any(is_question(*each) for each in called) or any(
        asks_a_policy(inner, functions, seen | {name})
        for inner, _call in called
        if inner in functions and inner not in seen | {name}
    )


def unasked():
    functions = every_function()
    for path, function in services():
        if "actor" not in arguments(function) or not asks_a_policy(f"{tree.dotted(path)}.{function.name}", functions):
            yield tree.named(path), function.name


def test_services_take_an_actor_and_ask_a_policy():
    assert sorted(set(unasked()) - UNASKED.keys()) == []


def test_exemptions_are_still_needed():
    assert sorted(UNASKED.keys() - set(unasked())) == []


def test_services_take_keyword_arguments_only():
    wrong = [
        f"{tree.named(path)}: {function.name}"
        for path, function in services()
        if (function.args.args or function.args.posonlyargs)
        and UNASKED.get((tree.named(path), function.name)) not in {PART, READ}
    ]

    assert wrong == []


def test_parts_of_services_are_called_by_services_only():
    parts = {
        f"{tree.dotted(tree.ROOT / module)}.{name}" for (module, name), reason in UNASKED.items() if reason is PART
    }
    inside = set(tree.modules_named("services"))
    wrong = [
        f"{tree.named(path)}: {called}"
        for path in tree.product_files()
        if path not in inside
        for called, _call in calls(path, tree.parsed(path))
        if called in parts
    ]

    assert wrong == []


def test_services_and_selectors_are_fully_annotated():
    bare = []
    for role in ("services", "selectors", "policies"):
        for path in tree.modules_named(role):
            for function in tree.public_functions(path):
                arguments_ = [*function.args.args, *function.args.kwonlyargs]
                if function.returns is None or any(a.annotation is None for a in arguments_):
                    bare.append(f"{tree.named(path)}: {function.name}")

    assert bare == []


def test_no_service_takes_a_user_for_rights():
    wrong = []
    for role in ("services", "selectors", "policies"):
        for path in tree.modules_named(role):
            for function in tree.public_functions(path):
                for argument in [*function.args.args, *function.args.kwonlyargs]:
                    if argument.arg in {"actor", "viewer"} and argument.annotation is not None:
                        annotation = ast.unparse(argument.annotation)
                        if annotation not in {"Actor", "ActorRef", "Actor | None"}:
                            wrong.append(f"{tree.named(path)}: {function.name}({argument.arg}: {annotation})")

    assert wrong == []


def test_engines_open_no_transaction():
    for name in ("engine", "runner"):
        for path in tree.modules_named(name):
            text = path.read_text(encoding="utf-8")
            assert "transaction.atomic" not in text, tree.named(path)


def test_nothing_is_enqueued_past_core_jobs():
    wrong = [
        f"{tree.named(path)}:{node.lineno}"
        for path in tree.product_files()
        if tree.named(path) != "apps/core/jobs.py"
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in {"delay", "apply_async"}
    ]

    assert wrong == []
