"""Runs the commands of commands.txt through Debian's `openstack` client, each in a fork of one interpreter that has
imported it, because starting it anew costs a second each time. Writes one JSON object per command: command, exit, output, error, ms. At the end it removes
whatever the run made, also when it was interrupted; it touches nothing else. Comparing is left to compare.ts.

usage: driver.py COMMANDS-FILE   with the administrator's OS_* in the environment
"""

import contextlib
import importlib
import io
import json
import multiprocessing
import os
import re
import secrets
import shlex
import signal
import sys
import tempfile
import time
import warnings

import cleanup
import openstack
from openstackclient.shell import OpenStackShell

# The client looks every five seconds whether a server is up; a cloud without machines is faster than that.
LONGEST_SLEEP_S = 0.2
# No command may take longer; it is recorded as exit "timeout".
LONGEST_COMMAND_S = 120

FORK = multiprocessing.get_context("fork")
PREFIX = re.compile(r"^(?:let (?P<name>\w+)=(?P<field>\w+)|until (?P<until>gone|\w+=\S+)): ")


def main():
    run = "tp-" + secrets.token_hex(4)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    warnings.simplefilter("ignore")
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, LONGEST_SLEEP_S))
    preload()
    admin = {name: value for name, value in os.environ.items() if name.startswith("OS_")}
    cloud = openstack.connect(load_yaml_config=False)
    with tempfile.TemporaryDirectory() as folder:
        words = {"run": run, "password": secrets.token_hex(12), "folder": folder, **present(cloud)}
        say({"run": run, **{name: words[name] for name in ("flavor", "external")}})
        write_files(folder)
        user = {
            **admin,
            "OS_USERNAME": f"{run}-user",
            "OS_PASSWORD": words["password"],
            "OS_PROJECT_NAME": f"{run}-project",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_USER_DOMAIN_NAME": "Default",
        }
        try:
            run_all(sys.argv[1], words, {"admin": admin, "user": user})
        finally:
            say({"left": cleanup.remove(cloud, run)})


def present(cloud):
    """What the cloud has for everyone: its smallest flavor with a disk, an external network."""
    flavors = sorted(cloud.compute.flavors(), key=lambda flavor: (flavor.ram, flavor.disk, flavor.id))
    networks = sorted(cloud.network.networks(**{"router:external": True}), key=lambda network: network.name)
    fitting = [flavor for flavor in flavors if flavor.is_public and flavor.disk >= 1]
    return {"flavor": fitting[0].name, "external": networks[0].name}


def write_files(folder):
    with open(f"{folder}/disk.raw", "wb") as disk:
        disk.write(bytes(range(256)) * 64)
    with open(f"{folder}/user-data", "w") as data:
        data.write("#cloud-config\nhostname: proof\n")
    with open(f"{folder}/key.pub", "w") as key:
        key.write("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3bZ3ORf6sPbWmI8YbBNxN3iWqQvVv5tC9Yl0kq1c2F proof\n")


def run_all(path, words, identities):
    who = "admin"
    with open(path) as lines:
        for line in lines:
            line = line.strip()
            if line.startswith("["):
                who = line.strip("[]")
            elif line and not line.startswith("#"):
                use(identities[who])
                run_line(line, who, words)


def run_line(line, who, words):
    prefix = PREFIX.match(line)
    command = line[prefix.end():] if prefix else line
    arguments = [word.format(**words) for word in shlex.split(command)]
    if prefix and prefix["until"]:
        return run_until(command, arguments, prefix["until"])
    result = call(arguments)
    say({"as": who, "command": command, **result})
    if prefix and isinstance(result["output"], dict):
        words[prefix["name"]] = str(result["output"].get(prefix["field"], "nothing"))
    elif prefix:
        words[prefix["name"]] = "nothing"


def run_until(command, arguments, condition):
    field, _, value = condition.partition("=")
    end = time.monotonic() + LONGEST_COMMAND_S
    while time.monotonic() < end:
        result = call(arguments)
        if field == "gone" and result["exit"] != 0:
            return
        if field != "gone" and isinstance(result["output"], dict) and str(result["output"].get(field)) == value:
            return
        time.sleep(LONGEST_SLEEP_S)
    say({"late": command, "until": condition})
    sys.exit(1)


def call(arguments):
    """One command in a process of its own, as from a shell: the client keeps whom it signed in as until it ends."""
    started = time.monotonic()
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=run_client, args=(theirs, arguments))
    process.start()
    theirs.close()
    try:
        if ours.poll(LONGEST_COMMAND_S):
            code, text, error = ours.recv()
        else:
            code, text, error = "timeout", "", ""
    except EOFError:
        code, text, error = "died", "", ""
    finally:
        process.kill()
        process.join()
    return {
        "exit": code,
        "output": parsed(text) if "json" in arguments else "text" if text.strip() else "",
        "error": error.strip(),
        "ms": round((time.monotonic() - started) * 1000),
    }


def run_client(answer, arguments):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = OpenStackShell().run(arguments)
    except SystemExit as stop:
        code = stop.code
    answer.send((code, out.getvalue(), err.getvalue()))


def preload():
    """Loads here what each command would load anew: listing the client's commands imports them all."""
    with contextlib.redirect_stdout(io.StringIO()):
        OpenStackShell().run(["command", "list"])
    for name in ("cinderclient.v3.client", "keystoneclient.v3.client", "novaclient.v2.client"):
        importlib.import_module(name)


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return "not JSON" if text.strip() else ""


def use(identity):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        del os.environ[name]
    os.environ.update(identity)


def say(what):
    print(json.dumps(what), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
