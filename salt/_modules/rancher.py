"""
Rancher 1.x: what its API says of projects, tokens and hosts; this host's server and agent.
"""

from _fresh import checked  # noqa: F401

# isort: split
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _converge
import _docker_engine
import _rancher_agent
import _rancher_agent_look
import _rancher_agent_plan
import _rancher_project
import _rancher_registration
import _rancher_server_data
import _rancher_server_fit
import _rancher_server_plan
import _rancher_server_replace
import _rancher_server_wait

__outputter__ = {"hosts": "table"}
# Set when this run makes, or in a dry run would make, the server start anew: what answers before
# that is not what will answer, so both runs tell the same.
_STARTS = "rancher.server_starts"
# Set by rancher_database.present in a dry run that would make the database.
_COMING = "rancher_database.coming"


def ready(url, ca_certificate=None, timeout=10):
    """
    Look once whether a Rancher server answers ``pong``, which it does when its API is usable.

    url (str)
        ``http(s)://host[:port]`` of the server.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
        Authority that signed the server's certificate.
    timeout (seconds, default 10)
        How long to wait for this one answer.

    Returns a dict: ``ready`` (bool) and ``reason`` (str), why it is or is not.

    Raises SaltInvocationError when the URL or the certificate is none.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.ready http://rancher.example.com:8080

    Source: Rancher 1.6 documentation, "Installing Rancher Server"; cattle's ping servlet
    """
    return _rancher_project.ready(__pillar__, url, ca_certificate, timeout)


def project(url, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=60):
    """
    Find the project (in Rancher's web pages: environment) that hosts are to join.

    url (str)
        ``http(s)://host[:port]`` of the server.
    project (str, default pillar rancher:agent:project)
        Id or exact name. None: the project that the server was born with, else the only one.
    access_key (str, default pillar rancher:agent:access_key)
        API key. None in both places: none is sent.
    secret_key (str, default pillar rancher:agent:secret_key)
        The second half of the API key.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
        Authority that signed the server's certificate.
    timeout (seconds, default 60)
        For everything, retries included.

    Returns the project's id (str), for example ``1a5``.

    Raises SaltInvocationError for wrong arguments, CommandExecutionError when the server
    cannot be asked or no project, or more than one, fits.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.project http://rancher.example.com:8080 Production

    Source: Rancher 1.6 documentation, API, "Project"; cattle's start data (adminProject)
    """
    keys = (access_key, secret_key, ca_certificate)
    return _rancher_project.at(__pillar__, url, project, *keys, timeout).id


def registration(
    url,
    project=None,
    access_key=None,
    secret_key=None,
    ca_certificate=None,
    timeout=60,
    create=True,
):
    """
    Give an active registration token of a project; create one and wait for it if need be.

    The token text inside changes from time to time while older ones stay valid: only the id
    says whether it is another token.

    url (str)
        ``http(s)://host[:port]``. This and the rest are as in ``rancher.project``.
    project (str, default pillar rancher:agent:project)
    access_key (str, default pillar rancher:agent:access_key)
    secret_key (str, default pillar rancher:agent:secret_key)
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 60)
    create (bool, default True)
        False: only look, for a dry run.

    Returns a dict: ``id``, ``image`` (of the agent), ``url`` (of the registration script)
    and ``command`` (what Rancher's web pages show), all str. Treat url and command as secrets.
    None when there is no active token and none is to be created.

    Raises SaltInvocationError for wrong arguments, CommandExecutionError when the server
    cannot be asked, refuses, or does not activate the token in time.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.registration http://rancher.example.com:8080

    Source: Rancher 1.6 documentation, API, "RegistrationToken"
    """
    keys = (access_key, secret_key, ca_certificate)
    return _rancher_registration.registration(
        __pillar__, url, project, *keys, timeout, create=create
    )


def hosts(url, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=60):
    """
    List the hosts of a project, sorted by name.

    url (str)
        ``http(s)://host[:port]``. This and the rest are as in ``rancher.project``.
    project (str, default pillar rancher:agent:project)
    access_key (str, default pillar rancher:agent:access_key)
    secret_key (str, default pillar rancher:agent:secret_key)
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 60)

    Returns a list of dicts: ``id``, ``hostname``, ``state``, ``agent_state``, ``ip``
    (all str or None) and ``labels`` (dict). A host works when ``state`` is ``active`` and
    ``agent_state`` is ``active`` or None; API v1 keeps ``state`` at ``active`` while the
    agent is gone. Names need not be unique. On the command line this is a table, in which Salt
    cuts long labels off; the host's own come first, and ``--out=yaml`` shows all of them.

    Raises SaltInvocationError for wrong arguments, CommandExecutionError when the server
    cannot be asked.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.hosts http://rancher.example.com:8080

    Source: Rancher 1.6 documentation, API, "Host"
    """
    keys = (access_key, secret_key, ca_certificate)
    return _rancher_project.hosts(__pillar__, url, project, *keys, timeout)


def server_running(name, image, port=8080, start=True, data_directory=None, test=False):
    """
    Converge, as the state ``rancher.server_running`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc rancher.server_running``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.server_running rancher-server rancher/server:v1.6.30 test=True

    Source: the state ``rancher.server_running``
    """
    want = _rancher_server_plan.wanted(__pillar__, image, port, start, data_directory)
    said = []

    def plan(seen):
        changes = _rancher_server_plan.plan(name, seen, want)
        if __context__.get(_STARTS):
            # It started in this run; once it answers, server_ready does that.
            changes.pop("bind", None)
        if "container" in changes:
            said[:] = _rancher_server_fit.check(
                name, seen, want, coming=test and bool(__context__.get(_COMING))
            )
            __context__[_STARTS] = True
        return changes

    with _docker_engine.at(__opts__):
        return _converge.run(
            name,
            f"Container {name}" if start else f"Image {image}",
            observe=lambda: _rancher_server_plan.observe(name, want, test),
            plan=plan,
            apply=lambda seen, changes: _rancher_server_replace.carry_out(
                name, want, seen, changes
            ),
            test=test,
            notes=lambda seen: said + _rancher_server_data.notes(seen["directory"]),
        )


def server_ready(name, port=8080, start=True, timeout=600, test=False):
    """
    Converge, as the state ``rancher.server_ready`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc rancher.server_ready``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.server_ready rancher-server test=True

    Source: the state ``rancher.server_ready``
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    if not start:
        return {**ret, "comment": f"{name} is started by an operator, see rancher:server:start"}
    url = f"http://127.0.0.1:{port}"
    changes = {"server": {"old": "not ready", "new": "ready"}}
    # Not through converge.run: only the server changes, and others need not wait for that.
    try:
        started_anew = __context__.pop(_STARTS, False)
        if not started_anew and _rancher_project.ready(__pillar__, url)["ready"]:
            return {**ret, "comment": f"Server at {url} answers already"}
        if test:
            comment = f"Server at {url} would be waited for, up to {timeout} s"
            return {**ret, "result": None, "changes": changes, "comment": comment}
        with _docker_engine.at(__opts__):
            seconds = _rancher_server_wait.until_ready(__pillar__, name, url, timeout)
            _rancher_server_plan.protect(name)
    except (CommandExecutionError, SaltInvocationError) as exc:
        return {**ret, "result": False, "comment": str(exc)}
    return {**ret, "changes": changes, "comment": f"Server at {url} answered after {seconds} s"}


def agent_registered(
    name, server_url=None, project=None, image=None, ip=None, labels=None, timeout=600, test=False
):
    """
    Converge, as the state ``rancher.agent_registered`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc rancher.agent_registered``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher.agent_registered rancher-agent http://rancher.example.com:8080 test=True

    Source: the state ``rancher.agent_registered``
    """
    given = (__pillar__, server_url, project, image, ip, labels, timeout)

    def with_want(function):
        return lambda *args: function(*args, _rancher_agent.wanted(*given))

    with _docker_engine.at(__opts__):
        return _converge.run(
            name,
            "Rancher agent",
            observe=lambda: _rancher_agent_look.observe(_rancher_agent.wanted(*given), test),
            plan=with_want(_rancher_agent_plan.plan),
            apply=with_want(_rancher_agent.apply),
            test=test,
            notes=with_want(_rancher_agent_plan.notes),
        )
