"""
A faithful double of a Rancher 1.x server, as far as hosts, projects and tokens go.

    with FakeRancher() as fake:
        fake.add_host("node1.example.test")
        requests.get(fake.url + "/v2-beta/projects")

A real threaded HTTP(S) server with a world behind it (`world`), documents as the original
writes them (`documents`), its rules (`api`), and everything that can go wrong on the way
(`server`). Nothing but the standard library; TLS needs `cryptography`, which Salt brings.
Every knob is a method of `FakeRancher`, and a path of the same name on the control port:
`python -m fake_rancher --help`.
"""

from .server import FakeRancher

__all__ = ["FakeRancher"]
