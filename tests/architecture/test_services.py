"""Writes and reads have the shapes that make rights visible."""

import ast

from tests.architecture import tree

CREDENTIALS = "finds out who acts: there is no actor yet, the credential is the right"
PLATFORM = "the platform's own work, begun by a job, a sweep or the start; the row carries who asked"
READ_IN_ONE_SNAPSHOT = "a read for a viewer; the transaction only gives it one snapshot"
#: Services without an actor: (module, function) → why.
NO_ACTOR: dict[tuple[str, str], str] = {
    ("apps/accounts/services/invitations.py", "join_by_invitation"): CREDENTIALS,
    ("apps/accounts/services/passwords.py", "reset_password"): CREDENTIALS,
    ("apps/accounts/services/people.py", "claim_instance"): CREDENTIALS,
    ("apps/accounts/services/people.py", "create_user"): CREDENTIALS,
    ("apps/accounts/services/people.py", "note_email_changed"): CREDENTIALS,
    ("apps/accounts/services/people.py", "settle_in"): CREDENTIALS,
    ("apps/accounts/services/people.py", "start_first"): PLATFORM,
    ("apps/accounts/services/sessions.py", "begin_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "renew_token_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "revoke_token_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "end_cookie_session"): CREDENTIALS,
    ("apps/accounts/services/sessions.py", "use_sign_in_link"): CREDENTIALS,
    ("apps/files/services.py", "claim_processing"): PLATFORM,
    ("apps/files/services.py", "finish_processing"): PLATFORM,
    ("apps/files/services.py", "sweep"): PLATFORM,
}


def arguments(function):
    return {arg.arg for arg in [*function.args.args, *function.args.kwonlyargs, *function.args.posonlyargs]}


def is_write(function):
    """It opens a transaction."""
    return "transaction.atomic" in ast.unparse(function)


def writes():
    for path in tree.modules_named("services"):
        for function in tree.public_functions(path):
            if is_write(function):
                yield path, function


def test_writes_take_keyword_arguments_only_and_an_actor():
    wrong = []
    for path, function in writes():
        where = (tree.named(path), function.name)
        if function.args.args or function.args.posonlyargs:
            wrong.append(f"{where}: positional arguments")
        if "actor" not in arguments(function) and where not in NO_ACTOR:
            wrong.append(f"{where}: no actor")

    assert wrong == []


def test_exemptions_are_still_needed():
    there = {(tree.named(path), f.name) for path, f in writes() if "actor" not in arguments(f)}

    assert NO_ACTOR.keys() - there == set()


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
