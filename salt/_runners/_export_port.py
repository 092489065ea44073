"""
Ports as Rancher writes them: of a host, of a container, or only known inside.
"""

import ipaddress
import re

_PORT = re.compile(r"(?:(.*):)?(\d+):(\d+)(?:/(\w+))?|(\d+)(?:/(\w+))?")


def parse_port(text):
    """(address or None, public or None, private, protocol) of a port; None: not understood."""
    found = _PORT.fullmatch(str(text).strip())
    if not found:
        return None
    address, public, private, protocol, alone, its = found.groups()
    protocol = (protocol or its or "tcp").upper()
    if protocol not in ("TCP", "UDP", "SCTP"):
        return None
    values = [int(one) for one in (public or private or alone, private or alone)]
    address = (address or "").strip("[]") or None
    if not all(0 < one < 65536 for one in values) or (address and not is_address(address)):
        return None
    return address, int(public) if public else None, values[1], protocol


def is_address(text):
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def parse_ports(texts):
    """Every port that is understood."""
    return [port for port in map(parse_port, texts or ()) if port]


def container_ports(launch, ledger):
    """`ports` of the container: what is published stays on the host that runs the pod."""
    host = launch.get("networkMode") == "host"
    made = {}
    for field in ("ports", "expose"):
        for text in launch.get(field) or ():
            port = parse_port(text)
            if port is None:
                ledger.person(field, f"{text!r} is not understood; add it by hand")
                continue
            address, public, private, protocol = port
            one = {"containerPort": private, "protocol": protocol}
            if field == "ports" and public and not host:
                one |= {"hostPort": public} | ({"hostIP": address} if address else {})
            elif field == "ports" and not public:
                ledger.person("ports", f"{text!r} has no port of the host; give it a Service")
            published = (private, protocol) in {(key[0], key[1]) for key in made}
            if not (field == "expose" and published):
                made[private, protocol, public if field == "ports" else 0, address] = one
    ledger.translated("ports", "hostPort: on the host that runs the pod, as in Rancher")
    ledger.translated("expose", "ports of the container and of its Service")
    return list(made.values())
