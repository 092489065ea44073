"""
An image comes to this host, and the log says how far it is.
"""

import contextlib
import logging
import re
import time

from salt.exceptions import CommandExecutionError

import _docker_engine

log = logging.getLogger(__name__)

# Seconds between two lines of the log; seconds of silence after which the daemon counts as stuck.
TELL = 5
SILENCE = 180
_DONE = ("Pull complete", "Already exists")
# By Docker's words from 17.06 to 28; the first that fits counts.
_HINTS = {
    "manifest unknown": "there is no such tag in that registry; check the name",
    r"manifest for \S+ not found": "there is no such tag in that registry; check the name",
    r"no matching manifest|does not match the specified platform": (
        "the image is not made for this host's kind of processor"
    ),
    r"schema 1|manifest\.v1\+": "the image is of an old form that this Docker no longer takes",
    "denied|may require 'docker login'|no pull access": (
        "the image is not there, or this host must log in first (`docker login`)"
    ),
    "unauthorized|authentication required|no basic auth": (
        "this host must log in first (`docker login`)"
    ),
    "toomanyrequests|rate limit|429 too many": (
        "the registry's limit for this address is reached; log in, use a mirror, or wait"
    ),
    "proxyconnect|proxy authentication|407 ": "the proxy refuses; see rancher:docker:proxy",
    "not found": "there is no such image; check the name and the tag",
    "no such host|server misbehaving|temporary failure in name": (
        "the registry's name cannot be resolved; check the name, and this host's DNS"
    ),
    "connection refused": "the registry does not answer; check its address and port",
    "http response to https client": (
        "the registry has no TLS; list it in rancher:docker:daemon:insecure-registries"
    ),
    "certificate|x509": "the registry's certificate is not trusted; see /etc/docker/certs.d",
    r"thin ?pool has|thin pool is full|no space left in .*pool": (
        "Docker's thin pool is full; extend it (rancher:thin_pool:extra_devices)"
    ),
    "no space left": "Docker's disk is full",
    "timeout|deadline exceeded|no route to host|network is unreachable": (
        "the registry does not answer in time; a proxy (rancher:docker:proxy) or a mirror may be needed"
    ),
}


def pull(image, limit=1800):
    """
    Pull an image; its progress goes to the log at level info. Returns a dict: ``image``,
    ``layers`` (int) and ``seconds`` (int).
    """
    try:
        return _pull(image, limit)
    except CommandExecutionError as exc:
        text = str(exc)
        ours = "no daemon answers" in text
        hints = [
            hint for said, hint in _HINTS.items() if not ours and re.search(said, text.lower())
        ]
        raise CommandExecutionError(f"{text}; {hints[0]}" if hints else text) from None


def _pull(image, limit):
    start = told = time.monotonic()
    layers = {}
    log.info("pulling %s", image)
    with (
        _docker_engine.client(f"pull {image}", timeout=SILENCE) as api,
        contextlib.closing(api.pull(image, stream=True, decode=True)) as events,
    ):
        for event in events:
            if event.get("error"):
                text = " ".join(str(event["error"]).split())[:300]
                raise CommandExecutionError(f"{image} could not be pulled: {text}")
            follow(layers, event)
            now = time.monotonic()
            if now - start > limit:
                raise CommandExecutionError(
                    f"{image} was not here within {limit} s ({progress(layers)}); "
                    "apply again to go on"
                )
            if now - told >= TELL:
                told = now
                log.info(
                    "pulling %s: %s, %d s of %d s", image, progress(layers), now - start, limit
                )
    seconds = round(time.monotonic() - start)
    log.info("pulled %s: %d layers in %d s", image, len(layers), seconds)
    return {"image": image, "layers": len(layers), "seconds": seconds}


def follow(layers, event):
    """Keep the books on an image's layers. Returns ``layers``."""
    name, status = event.get("id"), event.get("status", "")
    # The first message has the tag for its id.
    if not name or status.startswith("Pulling from"):
        return layers
    layer = layers.setdefault(name, {"done": False, "now": 0, "all": 0})
    layer["done"] = layer["done"] or status in _DONE
    detail = event.get("progressDetail") or {}
    if status == "Downloading" and detail.get("total"):
        layer.update(now=detail.get("current", 0), all=detail["total"])
    if status in ("Download complete", *_DONE):
        layer["now"] = layer["all"]
    return layers


def progress(layers):
    """Say how far a pull is. Returns a text such as ``3 of 12 layers, 80 of 300 MB``."""
    done = sum(layer["done"] for layer in layers.values())
    now, whole = (sum(layer[key] for layer in layers.values()) // 10**6 for key in ("now", "all"))
    return f"{done} of {len(layers)} layers, {now} of {whole} MB"
