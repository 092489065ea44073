"""
Name servers, search domains and fixed names of a pod.
"""

import _export_names as names
import _export_port as port

# The name server that Rancher gives to its containers.
_RANCHERS = "169.254.169.250"


def of_pod(launch, ledger, host):
    """dnsPolicy, dnsConfig and hostAliases; `host`: the pod has the network of its host."""
    spec, config = {}, {}
    servers = [one for one in launch.get("dns") or () if one != _RANCHERS]
    searches = [
        one for one in launch.get("dnsSearch") or () if not one.endswith("rancher.internal")
    ]
    own = (launch.get("labels") or {}).get("io.rancher.container.dns")
    if host:
        spec["dnsPolicy"] = "ClusterFirstWithHostNet" if own == "true" else "Default"
    elif own == "false":
        spec["dnsPolicy"] = "None" if servers else "Default"
    if servers:
        config["nameservers"] = servers[:3]
        ledger.changed("dns", "dnsConfig.nameservers, asked after the cluster's own")
        if len(servers) > 3:
            ledger.person("dns", "a pod has three name servers at most")
    if searches:
        config["searches"] = searches
        ledger.translated("dnsSearch", "dnsConfig.searches")
    if len(servers) < len(launch.get("dns") or ()):
        ledger.changed("dns", "Rancher's own name server; the cluster has its own")
    if len(searches) < len(launch.get("dnsSearch") or ()):
        ledger.changed("dnsSearch", "without rancher.internal, which the cluster does not know")
    if launch.get("dnsOpt"):
        pairs = [str(one).partition(":") for one in launch["dnsOpt"]]
        config["options"] = [
            {"name": key, **({"value": value} if colon else {})} for key, colon, value in pairs
        ]
        ledger.translated("dnsOpt", "dnsConfig.options")
    if config:
        spec["dnsConfig"] = config
    return {**spec, **_fixed(launch, ledger)}


def _fixed(launch, ledger):
    """hostAliases."""
    by_address = {}
    for text in launch.get("extraHosts") or ():
        name, _, address = (one.strip() for one in str(text).partition(":"))
        if names.is_host(name) and port.is_address(address):
            by_address.setdefault(address, []).append(name)
        else:
            ledger.person("extraHosts", f"{text!r} is no host name with an address")
    ledger.translated("extraHosts", "hostAliases")
    made = [{"ip": one, "hostnames": several} for one, several in sorted(by_address.items())]
    return {"hostAliases": made} if made else {}
