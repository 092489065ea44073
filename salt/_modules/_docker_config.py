"""
What stands in /etc/docker/daemon.json, and what a daemon would refuse there.
"""

import difflib
import re

_LISTS = """authorization-plugins dns dns-opts dns-search exec-opts hosts insecure-registries
    labels registry-mirrors storage-opts"""
_SWITCHES = """debug experimental icc init ip-forward ip-masq ip6tables iptables ipv6 live-restore
    no-new-privileges raw-logs selinux-enabled tls tlsverify userland-proxy"""
_TEXTS = """bip bridge cgroup-parent containerd data-root default-runtime exec-root fixed-cidr
    fixed-cidr-v6 graph group log-driver log-level metrics-addr pidfile storage-driver tlscacert
    tlscert tlskey userns-remap"""
_NUMBERS = "max-concurrent-downloads max-concurrent-uploads mtu shutdown-timeout"
_MAPS = "default-ulimits features log-opts proxies runtimes"
# Known, of no type that is worth a check; only here so that they are not taken for typing errors.
_OTHERS = """allow-nondistributable-artifacts api-cors-header bip6 builder cluster-advertise
    cluster-store cluster-store-opts containerd-namespace cpu-rt-period cpu-rt-runtime
    default-address-pools default-cgroupns-mode default-gateway default-gateway-v6 default-ipc-mode
    default-shm-size disable-legacy-registry host-gateway-ip init-path ip max-download-attempts
    network-control-plane-mtu node-generic-resources oom-score-adjust seccomp-profile
    swarm-default-advertise-addr userland-proxy-path"""
_KINDS = {
    **dict.fromkeys(_LISTS.split(), ("a list of texts", list)),
    **dict.fromkeys(_SWITCHES.split(), ("true or false", bool)),
    **dict.fromkeys(_TEXTS.split(), ("a text", str)),
    **dict.fromkeys(_NUMBERS.split(), ("a whole number", int)),
    **dict.fromkeys(_MAPS.split(), ("a mapping", dict)),
}
_DM_OPTIONS = """basesize blkdiscard datadev directlvm_device directlvm_device_force fs
    libdm_log_level loopdatasize loopmetadatasize metadatadev min_free_space mkfsarg mountopt
    override_udev_sync_check thinp_autoextend_percent thinp_autoextend_threshold thinp_metapercent
    thinp_percent thinpooldev use_deferred_deletion use_deferred_removal xfs_nospace_max_retries"""
_AT = "rancher:docker:daemon"


# -- composing -----------------------------------------------------------------------------------


def compose(settings, pool_path=None, kernel="", upstream=None):
    """Build the daemon's configuration. Returns the configuration (dict)."""
    ours = {"storage-driver": "devicemapper" if pool_path else "overlay2"}
    if settings.get("storage-driver", ours["storage-driver"]) == ours["storage-driver"]:
        if pool_path:
            ours["storage-opts"] = _pool_options(pool_path, kernel)
        elif _needs_override(kernel, upstream):
            ours["storage-opts"] = ["overlay2.override_kernel_check=true"]
    config = {**ours, **settings}
    given = settings.get("storage-opts")
    if ours.get("storage-opts") and isinstance(given, list) and all(map(_is_option, given)):
        named = {option.partition("=")[0]: option for option in ours["storage-opts"] + given}
        config["storage-opts"] = list(named.values())
    return config


def _is_option(option):
    return isinstance(option, str) and "=" in option


def _kernel(release):
    """3.10.0-1160.el7 -> (3, 10, 0, 1160)"""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:4])


def _pool_options(path, kernel):
    options = [f"dm.thinpooldev={path}", "dm.use_deferred_removal=true"]
    # Deleting a device that another mount namespace still holds: Linux 3.18, and EL 7.4.
    if (
        not kernel
        or _kernel(kernel) >= (3, 18)
        or (".el7" in kernel and _kernel(kernel) >= (3, 10, 0, 693))
    ):
        options.append("dm.use_deferred_deletion=true")
    return options


def _needs_override(kernel, upstream):
    """EL7's kernel has overlay2 backported under an old number; 24.0 no longer knows the option."""
    return bool(kernel) and _kernel(kernel) < (4,) and upstream is not None and upstream < (24,)


# -- checking ------------------------------------------------------------------------------------


def problems(config, pool_path=None, kernel="", flags=None):
    """
    Find what a daemon would refuse, or would read otherwise than meant. Returns a list of str, one
    line for each problem.
    """
    found = [line for key, value in config.items() for line in _key_problems(key, value)]
    for key, flag in (flags or {}).items():
        if key in config:
            found.append(
                f"{_AT}:{key} is also given as {flag} by docker.service, and the daemon starts with "
                "only one of them; take the key out, or override ExecStart in a drop-in"
            )
    if "graph" in config and "data-root" in config:
        found.append(f"{_AT} sets graph and data-root, which are the same; allowed: data-root")
    if not found:
        found = _storage_problems(config, pool_path, kernel)
    return found


def _key_problems(key, value):
    if key not in _KINDS:
        near = difflib.get_close_matches(key, _KINDS, 1, 0.85) if key not in _OTHERS.split() else []
        if near:
            yield f"{_AT}:{key} is not a key of daemon.json; perhaps {near[0]} is meant"
        return
    words, kind = _KINDS[key]
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not fits or (kind is list and not all(isinstance(item, str) for item in value)):
        yield f"{_AT}:{key} is {shown(value)}; allowed: {words}"
    elif key == "log-opts":
        for name, option in value.items():
            if not isinstance(option, str):
                yield f"{_AT}:log-opts:{name} is {shown(option, name)}; allowed: a text, in quotes"


def _storage_problems(config, pool_path, kernel):
    driver = config["storage-driver"]
    found = []
    options = {}
    for option in config.get("storage-opts", []):
        name, equals, value = option.partition("=")
        options[name] = value
        if not equals or name.startswith("-"):
            found.append(f'{_AT}:storage-opts holds "{option}"; allowed: name=value, without --')
        elif name.startswith("dm.") and name[3:] not in _DM_OPTIONS.split():
            found.append(f"{_AT}:storage-opts holds {name}, which devicemapper does not know")
        elif "." in name and name.partition(".")[0] != driver.replace("devicemapper", "dm"):
            found.append(f"{_AT}:storage-opts holds {name}, which {driver} does not know")
    if driver == "devicemapper":
        found = found or list(_devicemapper_problems(options, pool_path))
    elif pool_path:
        found.append(
            f"{_AT}:storage-driver is {driver} and rancher:thin_pool:device asks for a thin pool; "
            "allowed: one of them"
        )
    old = ".el7" in kernel and _kernel(kernel) < (3, 10, 0, 693)
    if old and driver == "overlay2" and config.get("selinux-enabled"):
        found.append(
            f"{_AT}:selinux-enabled is true, and overlay2 on kernel {kernel} cannot do SELinux; "
            "allowed: a kernel from 3.10.0-693 on, or a thin pool"
        )
    return found


def _devicemapper_problems(options, pool_path):
    device = options.get("dm.thinpooldev")
    if device and "dm.directlvm_device" in options:
        yield f"{_AT}:storage-opts holds dm.thinpooldev and dm.directlvm_device; allowed: one of them"
    elif not device and not options.get("dm.directlvm_device"):
        yield (
            f"{_AT}:storage-driver is devicemapper without a pool, which Docker would put into loop "
            "files; set rancher:thin_pool:device"
        )
    elif device and pool_path and device != pool_path:
        yield f"{_AT}:storage-opts names the pool {device}; allowed with our thin pool: {pool_path}"
    elif device and "/" in device and not device.startswith("/dev/mapper/"):
        yield f"{_AT}:storage-opts names the pool {device}; allowed: a path below /dev/mapper"
    space = options.get("dm.min_free_space", "10%")
    if not re.fullmatch(r"\d{1,2}%", space):
        yield f'{_AT}:storage-opts sets dm.min_free_space to "{space}"; allowed: such as 10%'


def shown(value, key=""):
    """
    Prepare a value for a report: secrets are not quoted. Returns the value without its secrets.
    """
    if isinstance(value, dict):
        return {name: shown(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    secret = re.search(r"token|password|secret|credential", key, re.I)
    if secret or (
        isinstance(value, str) and re.search(r"://[^/\s]*@|(token|password|secret)=", value)
    ):
        return "not shown"
    return value
