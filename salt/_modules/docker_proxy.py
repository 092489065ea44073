"""
The proxies by which Docker pulls.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_proxy


def present(name, test=False):
    """
    Converge, as the state ``docker_proxy.present`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc docker_proxy.present``) and
    test (bool, default False)
        True: predict only.

    Returns a state return. It never shows the values.

    CLI Example:

    .. code-block:: bash

        salt '*' docker_proxy.present docker test=True

    Source: the state ``docker_proxy.present``
    """
    # Not pillar.get: from Salt 3008 on it gives modules asterisks in place of values.
    proxy = ((__pillar__.get("rancher") or {}).get("docker") or {}).get("proxy")
    return _converge.run(
        name,
        "Docker's proxy",
        observe=_docker_proxy.observe,
        plan=lambda seen: _docker_proxy.plan(seen, proxy),
        apply=lambda seen, changes: _docker_proxy.apply(proxy),
        test=test,
    )
