"""Keys and passwords that were committed by mistake: every tracked file, by the forms of known kinds, offline."""

import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parent.parent

#: By form alone. What guesses by entropy or by names calls every hash of a pin and every field called "key" a secret.
KINDS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
]
#: Written by other tools, from other people's releases.
GENERATED = ("static/vendor/", "requirements/", "locale/", "docs/openapi.yaml", "package-lock.json")
NOT_TEXT = (".png", ".mo", ".woff2", ".ico", ".pdf", ".zip")
#: What looks like one and is none.
HARMLESS = {
    "config/env.py": "puts a password from the environment into an address",
    "tests/accounts/test_sso.py": "an address with a password, which must be refused",
    "tests/attacks/test_sign_in.py": "forged tokens, which must open nothing",
    "tests/core/test_http.py": "an address with a password, which must be refused",
    "tests/corpus/markup/cases.txt": "an address with a password, which must not become a link",
    "tests/core/test_rules.py": "an address with a password, which must be refused",
    "tests/llm/test_api.py": "an address with a password, which must be refused",
}


def main() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [name for name in tracked.splitlines() if not name.startswith(GENERATED) and not name.endswith(NOT_TEXT)]
    found = scan([name for name in files if (ROOT / name).is_file()])
    for name, line, kind in found:
        print(f"{name}:{line}: looks like a secret ({kind})")
    forgotten = HARMLESS.keys() - set(files)
    if forgotten:
        print(f"named as harmless, but not there: {', '.join(sorted(forgotten))}")
    if found or forgotten:
        sys.exit(1)


def scan(names: list[str], *, root: Path = ROOT) -> list[tuple[str, int, str]]:
    """(file, line, kind) of each find that is not known to be harmless."""
    with transient_settings({"plugins_used": [{"name": name} for name in KINDS]}):
        collection = SecretsCollection(root=str(root))
        collection.scan_files(*names)
        return sorted(
            (str(name), secret.line_number, secret.type) for name, secret in collection if name not in HARMLESS
        )


if __name__ == "__main__":
    main()
