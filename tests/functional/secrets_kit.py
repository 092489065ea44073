"""The example's secrets, encrypted as the documentation says."""

from fakes import ROOT
from lab.process import run

SECRETS = {
    "server:database:password": "horse battery",
    "server:database_admin:password": "staple: #correct",
    "agent:access_key": "ACCESS4711",
    "agent:secret_key": "secret$key'\"0815",
    "agent:registration_url": "http://server1.example.com:8080/v1/scripts/TOKEN0815",
    "agent:proxy:http_proxy": "http://me:proxy%24word0815@proxy.example.com:3128",
    "agent:proxy:https_proxy": "http://me:proxy%24word4711@proxy.example.com:3128",
}


def encrypted(home):
    """The example's secrets, encrypted as the documentation says, in the files that top.sls names."""
    text = (ROOT / "pillar/example_secrets.sls").read_text()
    make(home, "gpg")
    for name, secret in SECRETS.items():
        message = make(home, "encrypt", secret).strip()
        place = next(it for it in text.splitlines() if it.strip() == name)
        indent = place[: -len(name)]
        block = "\n".join(indent + line if line else "" for line in message.splitlines())
        marks = ("-----BEGIN PGP MESSAGE-----\n", "\n" + indent + "-----END PGP MESSAGE-----")
        text = text.replace(indent + marks[0] + place + marks[1], block)
    server, _, agent = text.partition("  agent:\n")
    header = text.partition("rancher:\n")[0]
    return {"server_database": server, "agent_api_key": f"{header}rancher:\n  agent:\n{agent}"}


def make(home, target, text=None):
    words = ["make", "-s", "-C", ROOT, target, f"GPG_HOME={home}"]
    return run(words, timeout=120, input=text).stdout
