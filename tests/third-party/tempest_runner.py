"""Runs OpenStack's own integration tests, Debian's `tempest`, as far as a list names them. Writes one JSON object per
test: test, outcome (passed, failed or skipped), why, ms. Tempest makes users, projects and networks of its own for every
class of tests and removes them after it; what it leaves is removed at the end. Comparing is left to compare.ts.

usage: tempest_runner.py LIST WORKERS   with the administrator's OS_* in the environment
"""

import configparser
import json
import logging
import multiprocessing
import os
import re
import secrets
import signal
import sys
import tempfile
import time
import unittest
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed

import cleanup
import openstack

# Tempest looks whole seconds apart whether something is done, and waits ten after each subnet it deletes. A cloud without
# machines is faster than that. Sleeps of one second are meant: tokens tell the time by seconds.
POLL_SETTING_S = 2
POLL_S = 0.1
# No test may take longer; then it has failed. A cloud on a busy machine took two minutes for one.
LONGEST_TEST_S = 300

FORK = multiprocessing.get_context("fork")
STOPPED = FORK.Event()


def main():
    run = "tp-" + secrets.token_hex(4)
    warnings.simplefilter("ignore")
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(seconds if seconds < POLL_SETTING_S else POLL_S)
    cloud = openstack.connect(load_yaml_config=False)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TEMPEST_CONFIG_DIR"] = folder
        os.environ["TEMPEST_CONFIG"] = "tempest.conf"
        os.environ["OS_TEST_TIMEOUT"] = str(LONGEST_TEST_S)
        write_settings(f"{folder}/tempest.conf", settings(cloud, folder))
        logging.disable(logging.CRITICAL)
        name_everything_after(run)
        classes = by_class(read_list(sys.argv[1]))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: STOPPED.set())
        try:
            with ProcessPoolExecutor(int(sys.argv[2]), FORK) as workers:
                for done in as_completed([workers.submit(run_class, names) for names in classes.values()]):
                    for line in done.result():
                        say(line)
        finally:
            say({"left": cleanup.remove(cloud, run)})
    sys.exit(143 if STOPPED.is_set() else 0)


def settings(cloud, folder):
    """What tempest must be told of a cloud, looked up there."""
    flavors = sorted(cloud.compute.flavors(), key=lambda flavor: (flavor.ram, flavor.disk, flavor.id))
    small = [flavor.id for flavor in flavors if flavor.is_public and flavor.disk >= 1]
    images = [image.id for image in cloud.image.images(visibility="public", status="active")]
    external = [network.id for network in cloud.network.networks(**{"router:external": True})]
    polling = {"build_interval": POLL_SETTING_S, "build_timeout": LONGEST_TEST_S}
    return {
        "auth": {
            "use_dynamic_credentials": True,
            "admin_username": os.environ["OS_USERNAME"],
            "admin_password": os.environ["OS_PASSWORD"],
            "admin_project_name": os.environ["OS_PROJECT_NAME"],
            "admin_domain_name": os.environ.get("OS_USER_DOMAIN_NAME", "Default"),
        },
        "identity": {"uri_v3": os.environ["OS_AUTH_URL"], "auth_version": "v3"},
        "identity-feature-enabled": {"api_v2": False, "security_compliance": False},
        "compute": {
            "flavor_ref": small[0],
            "flavor_ref_alt": small[1],
            "image_ref": images[0],
            "image_ref_alt": images[1],
            "max_microversion": "latest",
            **polling,
        },
        "compute-feature-enabled": {"resize": True, "personality": False, "console_output": True},
        "volume": {"max_microversion": "latest", **polling},
        "volume-feature-enabled": {"backup": False},
        "image": polling,
        "network": {"public_network_id": external[0], **polling},
        "service_available": {"neutron": True, "swift": False, "horizon": False},
        "validation": {"run_validation": False},
        "oslo_concurrency": {"lock_path": folder},
    }


def write_settings(path, sections):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    with open(path, "w") as file:
        parser.write(file)


def name_everything_after(run):
    """Tempest begins all names with "tempest": with the run's name instead, whatever is left is known to be ours."""
    from tempest.lib.common.utils import data_utils

    random_name = data_utils.rand_name
    data_utils.rand_name = lambda name="", prefix="tempest": random_name(name, run if prefix == "tempest" else prefix)


def read_list(path):
    with open(path) as lines:
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def by_class(names):
    """Tests of one class share what it made: they are run one after the other, other classes beside them."""
    classes = {}
    for name in names:
        classes.setdefault(name.rpartition(".")[0], []).append(name)
    return classes


def run_class(names):
    if STOPPED.is_set():
        return []
    result = Result()
    unittest.defaultTestLoader.loadTestsFromNames(names).run(result)
    missing = [name for name in names if name not in {line["test"] for line in result.lines}]
    return result.lines + [{"test": name, **result.whole_class, "ms": 0} for name in missing]


class Result(unittest.TestResult):
    """Keeps each outcome. A class that cannot be set up, or cannot be cleared up, speaks for those without one."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.whole_class = {"outcome": "failed", "why": "no such test"}

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test, details=None):
        self.keep(test, "passed", "")

    def addError(self, test, error=None, details=None):
        self.keep(test, "failed", reason(error, details))

    addFailure = addError

    def addSkip(self, test, why=None, details=None):
        self.keep(test, "skipped", why or details["reason"].as_text())

    def keep(self, test, outcome, why):
        if not isinstance(test, unittest.TestCase):
            self.whole_class = {"outcome": outcome, "why": why}
            return
        name = re.sub(r"\[.*\]$", "", test.id())
        ms = round((time.monotonic() - self.started) * 1000)
        self.lines.append({"test": name, "outcome": outcome, "why": why, "ms": ms})


def reason(error, details):
    """The exception, without the traceback before it."""
    if error is not None:
        return f"{error[0].__name__}: {error[1]}"[-600:]
    return "\n".join(part.as_text() for name, part in details.items() if "traceback" in name)[-600:].strip()


def say(what):
    print(json.dumps(what), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
