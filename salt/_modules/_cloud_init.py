"""
What cloud-init reads about the host's name: everything that it reads after the file of ours.
"""

import json
import os
import re
import urllib.parse

import yaml

import _host

FOLDER = "/etc/cloud/cloud.cfg.d"
_STATE = "/var/lib/cloud"
# In its order: what the provider gives, what the owner of the instance gives, seeds on the disk.
_DATA = (
    "instance/vendor-cloud-config.txt",
    "instance/vendor2-cloud-config.txt",
    "instance/user-data.txt",
    "instance/cloud-config.txt",
    "seed/nocloud/vendor-data",
    "seed/nocloud/user-data",
    "seed/nocloud-net/vendor-data",
    "seed/nocloud-net/user-data",
)
# As cloud-init reads a switch; /etc/hosts has two further words for yes.
_YES = ("true", "1", "on", "yes")
_MEANS_YES = {"preserve_hostname": _YES, "manage_etc_hosts": (*_YES, "template", "localhost")}


def overruled(ours, wanted):
    """
    Find what counts more than our file, which says ``wanted`` (switch to bool). Returns a list of
    dicts ``file``, ``key`` and ``value`` (as it is there, in JSON).
    """
    last = {}
    for name, text in _later(ours):
        for key, value in _settings(text).items():
            if key in wanted:
                last[key] = {"file": name, "key": key, "value": value}
    return [
        {**it, "value": json.dumps(it["value"], ensure_ascii=False, default=str)}
        for key, it in last.items()
        if is_on(key, it["value"]) != wanted[key]
    ]


def is_on(key, value):
    """Whether cloud-init takes the value of a switch for yes."""
    return str(value).strip().lower() in _MEANS_YES[key]


def _later(ours):
    names = os.listdir(FOLDER) if os.path.isdir(FOLDER) else []
    later = sorted(each for each in names if each.endswith(".cfg") and each > ours)
    paths = [f"{FOLDER}/{each}" for each in later if not os.path.isdir(f"{FOLDER}/{each}")]
    for path in [*paths, "/run/cloud-init/cloud.cfg"]:
        yield path, _host.read(path)
    kernel = re.findall(r"cc:(.*?)(?:end_cc|$)", _host.read("/proc/cmdline") or "", re.DOTALL)
    for text in kernel:
        yield "/proc/cmdline", urllib.parse.unquote(text).lstrip().replace("\\n", "\n")
    for name in _DATA:
        text = _host.read(f"{_STATE}/{name}")
        yield f"{_STATE}/{name}", text if _is_configuration(name, text or "") else None


def _is_configuration(name, text):
    """What an owner gives may be a script, too, and says in its first line what it is."""
    is_raw = name.rpartition("/")[2].startswith("user-data")
    return not is_raw or text.lstrip().lower().startswith(("#cloud-config", "## template: jinja"))


def _settings(text):
    """A mapping in YAML; cloud-init passes over what is none, as a script or an archive."""
    try:
        found = yaml.safe_load(text or "")
    except (yaml.YAMLError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
