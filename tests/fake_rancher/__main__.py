"""
Run the double by itself: `PYTHONPATH=tests python -m fake_rancher --port 8080`.

Its control port takes `POST /<knob>` with a JSON object, `GET /show` shows everything:
    curl -d '{"hostname": "node1", "appears": 5}' http://127.0.0.1:8081/add_host
"""

import argparse
import threading

from .server import KNOBS, FakeRancher
from .world import Clock


def arguments():
    parser = argparse.ArgumentParser(
        prog="fake_rancher", description=f"A double of a Rancher 1.x server. Knobs: {KNOBS}"
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen at")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--control-port", type=int, default=8081)
    parser.add_argument("--api-host", help="setting api.host, the Host Registration URL")
    parser.add_argument("--image", default="rancher/agent:v1.2.11", help="agent image to name")
    parser.add_argument("--v1-only", action="store_true", help="a server older than 1.2")
    parser.add_argument("--key", nargs=2, metavar=("ACCESS", "SECRET"), help="turns access on")
    parser.add_argument("--tls", metavar="FILE", help="serve https; its authority goes to FILE")
    parser.add_argument("--names", default="localhost,127.0.0.1", help="names in the certificate")
    parser.add_argument(
        "--slow-start",
        metavar="STAGE=SECONDS,...",
        help="for example refuse=5,close=2,502=20",
    )
    return parser.parse_args()


def main():
    options = arguments()
    tls = None
    if options.tls:
        from .certificates import Authority

        authority = Authority()
        tls = authority.issue(options.names.split(","))
        with open(options.tls, "w", encoding="utf-8") as out:
            out.write(authority.pem)
    fake = FakeRancher(
        host=options.host,
        port=options.port,
        control_port=options.control_port,
        tls=tls,
        versions=("v1",) if options.v1_only else ("v1", "v2-beta"),
        clock=Clock(running=True),
    )
    fake.configure(api_host=options.api_host)
    if not options.v1_only:
        fake.configure(image=options.image)
    if options.key:
        fake.add_key(*options.key)
        fake.configure(access_control=True)
    with fake:
        if options.slow_start:
            stages = [part.split("=") for part in options.slow_start.split(",")]
            fake.slow_start([[stage, float(seconds)] for stage, seconds in stages])
        print(f"API at {fake.url}, control at {fake.control_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
