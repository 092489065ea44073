"""
The rules of the API: who may ask, what a path means, what an action does.

`answer(world, request, names)` is a pure function of the world; no socket in here.
"""

import base64
import binascii
import dataclasses
import json
import urllib.parse

from . import documents
from .world import Key

CHALLENGE = 'Basic realm="Enter API access key and secret key as username and password"'
LIMIT, MOST = 100, 3000

# What the database can filter by; everything else is ignored without a word.
COLUMNS = ("id", "name", "uuid", "state", "accountId", "kind", "agentId", "agentState")


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict  # names in lower case
    body: bytes
    address: str
    base: str  # scheme://host:port for links

    @property
    def is_browser(self):
        return "mozilla" in self.headers.get("user-agent", "").lower()


@dataclasses.dataclass
class Answer:
    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: dict = dataclasses.field(default_factory=dict)


class Refused(Exception):
    """Ends the way to an answer with an error document."""

    def __init__(self, status, code=None, **more):
        super().__init__(status)
        self.status, self.code, self.more = status, code, more


@dataclasses.dataclass
class Place:
    """Where a request stands: version, project, and as whom."""

    base: str
    version: str
    key: Key
    project: str | None = None
    in_path: bool = False

    @property
    def where(self):
        scope = f"/projects/{self.project}" if self.in_path else ""
        return f"{self.base}/{self.version}{scope}".lower()


def answer(world, request, names=("v1", "v2-beta")):
    """The answer of a server that knows the API versions `names`."""
    words = [urllib.parse.unquote(word) for word in request.path.strip("/").split("/")]
    if request.path == "/ping":
        quiet = {"Cache-Control": "must-revalidate,no-cache,no-store"}
        return Answer(200, b"pong\n", "text/plain", quiet)
    if request.path == "/healthcheck":
        return Answer(200, b"{}")
    if words == [""] and not request.is_browser:
        # Its root version is the oldest.
        headers = {"X-Rancher-Version": world.version} if "v2-beta" in names else {}
        document = documents.version(f"{request.base}/v1", "v1")
        return Answer(200, documents.encode(document), headers=headers)
    accept = request.headers.get("accept", "")
    wants_page = request.is_browser and (not accept or "*/*" in accept)
    if words[0] not in names or wants_page:
        return Answer(200, documents.HTML.encode(), "text/html")
    old = "v2-beta" not in names
    place = None
    try:
        if words[-2:-1] == ["scripts"]:
            return _script(world, request, words, old)
        if words[1:] == ["subscribe"] and request.method == "POST":
            return _subscribe(world, request)
        place = _place(world, request, words)
        status, document = _Routes(world, request, place, old).go(_rest(words, place))
    except Refused as refused:
        status = refused.status
        document = documents.error(status, refused.code, old=old, **refused.more)
    result = Answer(status, documents.encode(document))
    where = place.where if place else f"{request.base}/{words[0]}"
    result.headers = _headers(world, request, where, place)
    if status in (401, 403):
        del result.headers["X-API-Client-IP"]
    if not old:
        result.headers["X-Rancher-Version"] = world.version
    if status == 401 and request.headers.get("x-api-no-challenge") != "true":
        result.headers["WWW-Authenticate"] = CHALLENGE
    return result


def _headers(world, request, where, place):
    own = request.path.rstrip("/").rpartition("/")
    if place and not place.in_path and own[0].endswith("/projects"):
        # A client that starts at a project stays in it.
        where = f"{where}/projects/{own[2]}"
    headers = {"X-API-Schemas": f"{where}/schemas", "X-API-Client-IP": request.address}
    if place:
        account = place.project or "1a1"
        headers.update({"X-API-ACCOUNT-ID": account, "X-API-USER-ID": place.key.project or "1a1"})
        kind = "project" if place.key.project else "admin" if place.key.role == "admin" else "user"
        own = world.projects[place.key.project]["name"] if place.key.project else kind
        headers.update({"X-API-ACCOUNT-KIND": kind, "X-API-ACCOUNT-NAME": own})
    if "PL=" not in request.headers.get("cookie", ""):
        headers["Set-Cookie"] = "PL=rancher;Path=/"
    return headers


def credentials(request):
    """User and password of the request, or None."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def _key(world, request):
    given = credentials(request)
    if given and given[0] == "registrationToken":
        token = world.token_of_text(given[1])
        if token is None:
            raise Refused(401)
        return Key(*given, project=token["project"], role="registration")
    key = world.keys.get(given[0]) if given else None
    known = key is not None and key.secret == given[1] and key.active
    if known and key.project is not None:
        # The keys of a project end with it.
        known = world.projects[key.project]["state"] == "active"
    enforced = world.access_control or request.headers.get("x-enforce-authentication") == "true"
    if not enforced:
        # Whoever asks is an administrator, with the wrong key, too.
        return key if known else Key("", "")
    if not known:
        raise Refused(401)
    return key


def _place(world, request, words):
    key = _key(world, request)
    if request.is_browser and request.method != "GET":
        raise Refused(403, "InvalidCSRFToken")
    place = Place(request.base, words[0], key)
    if len(words) > 3 and words[1] in ("projects", "project"):
        place.project, place.in_path = words[2], True
    else:
        place.project = (
            request.headers.get("x-api-project-id") or request.query.get("projectId") or key.project
        )
    if place.project is not None and not _may_use(world, key, place.project):
        raise Refused(403)
    return place


def _rest(words, place):
    return words[3:] if place.in_path else words[1:]


def _may_see(world, key, project):
    row = world.projects.get(project)
    if row is None or row.gone:
        return False
    if key.project is not None:
        return key.project == project
    return key.role == "admin" or _is_member(key, row)


def _may_use(world, key, project):
    """What a project holds is closed to everybody while it is not active."""
    return _may_see(world, key, project) and world.projects[project]["state"] == "active"


def _is_member(key, row):
    if key.projects is None:
        return not row["foreign"]
    return row["id"] in key.projects


def _api_host(world):
    """The setting as agents are told it: without a scheme it gets one."""
    host = world.settings["api.host"]
    return f"http://{host}" if host and not host.startswith("http") else host


def _script(world, request, words, old):
    token = world.token_of_text(words[-1])
    headers = _headers(world, request, f"{request.base}/{words[0]}".lower(), None)
    if not old:
        headers["X-Rancher-Version"] = world.version
    if token is None:
        return Answer(404, documents.encode(documents.error(404)), headers=headers)
    host = _api_host(world)
    url = f"{host}/v1" if host else f"{request.base}/{words[0]}"
    forwarded = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    text = documents.script(words[-1], url, forwarded or request.address)
    return Answer(200, text.encode(), "text/plain", headers)


def _subscribe(world, request):
    """
    A sign of life of an agent. The original's agent listens on a websocket at this path;
    ours says hello every few seconds.
    """
    known = world.agent_of(*credentials(request) or (None, None))
    if known is None:
        # Without access control the original's agent finds nothing instead of a closed door.
        raise Refused(401 if world.access_control else 404)
    row = world.ping(known, request.address, _body(request))
    return Answer(200, documents.encode({"type": "pong", "host": row["id"]}))


def _body(request):
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "InvalidBodyContent") from None
    # A list is as good as an empty object to it.
    return body if isinstance(body, dict) else {}


class _Routes:
    """One request, authenticated and placed, to (status, document)."""

    def __init__(self, world, request, place, old):
        self.world, self.request, self.place, self.old = world, request, place, old

    def go(self, words):
        if words in ([], [""]):
            return 200, documents.version(self.place.where, self.place.version)
        if words[0] == "schemas":
            return 200, documents.schemas(self.place.where)
        if words[0] in self.world.collections and words[1:] in ([], [""]):
            return self.recorded(words[0])
        kind = documents.type_of_path(words[0])
        if kind == "host" and words[2:] == ["instances"] and self.request.method == "GET":
            return self.instances(words[1])
        if kind is None or len(words) > 3 or words[2:] not in ([], [""]):
            raise Refused(404)
        if len(words) == 1:
            return getattr(self, f"all_{kind}")(self.request.method)
        action = self.request.query.get("action")
        return getattr(self, f"one_{kind}")(self.request.method, words[1], action)

    def body(self):
        return _body(self.request)

    # Collections

    def instances(self, host):
        """The containers of a host; none of one that it does not know."""
        row = self.world.hosts.get(host)
        known = row is not None and self.place.project in (None, row["project"])
        where, version = self.place.where, self.place.version
        pairs = [
            (one, documents.instance(one, where, version))
            for one in (row["instances"] if known else [])
            if one["state"] not in ("removed", "purged")
        ]
        return self.listed("instance", pairs, f"{where}/hosts/{host}/instances")

    def listed(self, kind, shown, url=None):
        """A page of (row, document) pairs after filters."""
        query = self.request.query
        for key, value in query.items():
            column, _, way = key.partition("_")
            if column in COLUMNS:
                shown = [pair for pair in shown if _fits(pair, column, way, value)]
        limit = int(query["limit"]) if query.get("limit", "").lstrip("-").isdecimal() else LIMIT
        limit = limit if 0 < limit <= MOST else MOST
        marker = query.get("marker", "m0")[1:]
        start = int(marker) if marker.isdecimal() else 0
        url = url or f"{self.place.where}/{documents.path_of_type(kind)}"
        following, before = start + limit, max(0, start - limit)
        pagination = {
            "first": self.page_url(url, 0) if start else None,
            "previous": self.page_url(url, before) if start else None,
            "next": self.page_url(url, following) if following < len(shown) else None,
            "limit": limit,
            "total": None,
            "partial": following < len(shown) or start > 0,
        }
        data = [document for _, document in shown[start:following]]
        return 200, documents.collection(kind, data, {"self": url}, pagination)

    def recorded(self, plural):
        """A page of documents that a test put there as they are."""
        rows, query = self.world.collections[plural], self.request.query
        limit, start = int(query.get("limit", LIMIT)), int(query.get("marker", "m0")[1:])
        url = f"{self.place.where}/{plural.lower()}"
        following = self.page_url(url, start + limit) if start + limit < len(rows) else None
        pagination = {"limit": limit, "next": following, "partial": bool(following or start)}
        data = rows[start : start + limit]
        return 200, documents.collection(plural, data, {"self": url}, pagination)

    def page_url(self, url, offset):
        query = {key: text for key, text in self.request.query.items() if key != "marker"}
        return f"{url}?{urllib.parse.urlencode({**query, 'marker': f'm{offset}'})}"

    def in_scope(self, rows):
        scope = self.place.project
        return [
            row
            for row in rows.values()
            if not row.gone and not row.get("hidden") and scope in (None, row["project"])
        ]

    # Projects

    def all_project(self, method):
        if method != "GET":
            raise Refused(405)
        key, query, world = self.place.key, self.request.query, self.world
        rows = [row for row in world.projects.values() if _may_see(world, key, row["id"])]
        by_id = "id" in query or "uuid" in query
        if key.project is None and not by_id and query.get("all", "").lower() != "true":
            rows = [row for row in rows if _is_member(key, row)]
        if key.role not in ("admin", "owner"):
            rows = [row for row in rows if row["state"] == "active"]
        for column in ("id", "uuid", "name"):
            if column in query:
                rows = [row for row in rows if row[column].lower() == query[column].lower()]
        data = [documents.project(row, self.plain) for row in rows]
        links = {"self": f"{self.place.where}/projects"}
        return 200, documents.collection("project", data, links)

    @property
    def plain(self):
        return f"{self.place.base}/{self.place.version}".lower()

    def one_project(self, method, name, action):
        if not _may_see(self.world, self.place.key, name):
            raise Refused(404)
        if method != "GET":
            raise Refused(405)
        return 200, documents.project(self.world.projects[name], self.plain)

    # Registration tokens

    def token(self, row):
        text = self.world.token_text(row)
        host = _api_host(self.world)
        script = f"{self.plain}/projects/{row['project']}/scripts/{text}"
        if host:
            script = f"{host}/v1/scripts/{text}"
        run = "-d" if self.old else "--rm"
        return documents.token(row, self.place.where, text, self.world.image, script, run)

    def all_registrationToken(self, method):
        if not self.place.key.may_modify:
            # Their schemas do not know the type at all.
            raise Refused(404)
        if method == "GET":
            rows = self.in_scope(self.world.tokens)
            return self.listed("registrationToken", [(row, self.token(row)) for row in rows])
        if method != "POST" or self.place.project is None:
            raise Refused(405)
        self.body()
        return 201, self.token(self.world.add_token(self.place.project))

    def one_registrationToken(self, method, name, action):
        if not self.place.key.may_modify:
            raise Refused(404)
        row = self.row(self.world.tokens, name)
        if method == "GET":
            return 200, self.token(row)
        if method != "POST" or action is None:
            raise Refused(405)
        return self.act("registrationToken", row, action, self.token)

    # Hosts

    def host(self, row):
        scoped = self.place.project is not None
        document = documents.host(row, self.place.where, self.place.version, scoped)
        if not self.place.key.may_modify:
            document["actions"] = {}
        return document

    def all_host(self, method):
        if method != "GET":
            raise Refused(405)
        rows = self.in_scope(self.world.hosts)
        return self.listed("host", [(row, self.host(row)) for row in rows])

    def one_host(self, method, name, action):
        row = self.row(self.world.hosts, name)
        if method == "GET":
            return 200, self.host(row)
        if method == "POST" and action:
            return self.act("host", row, action, self.host)
        if not self.place.in_path or not self.place.key.may_modify:
            raise Refused(405)
        if method == "PUT":
            row.update({key: self.body()[key] for key in ("name", "labels") if key in self.body()})
            return 200, self.host(row)
        if method == "DELETE" and row["state"] == "inactive":
            self.world.move(row, "removing", "removed", removed=True)
            return 200, self.host(row)
        raise Refused(405)

    def row(self, rows, name):
        row = rows.get(name)
        if row is None or row.get("hidden") or self.place.project not in (None, row["project"]):
            raise Refused(404)
        return row

    def act(self, kind, row, action, show):
        if action not in documents.TYPES[kind][4] or not self.place.key.may_modify:
            raise Refused(422, "InvalidAction", field="action")
        if action not in show(row)["actions"]:
            raise Refused(422, "ActionNotAvailable", field="action")
        moves = {
            "activate": ("activating", "active"),
            "deactivate": ("deactivating", "inactive"),
            "remove": ("removing", "removed"),
        }
        if action in moves:
            if action == "activate":
                row["filled"] = True
            self.world.move(row, *moves[action], removed=action == "remove")
        if action == "evacuate":
            # The answer comes before anything happens.
            before = show(row)
            self.world.evacuate(row)
            return 200, before
        return 202, show(row)

    # Settings, keys, and what the agent's bootstrap needs

    def all_setting(self, method):
        settings = self.world.settings
        if method == "POST":
            settings[self.body()["name"]] = self.body().get("value")
            return 201, documents.setting(self.body()["name"], self.body()["value"], self.plain)
        data = [documents.setting(name, value, self.plain) for name, value in settings.items()]
        links = {"self": f"{self.plain}/settings"}
        return 200, documents.collection("setting", data, links)

    def one_setting(self, method, name, action):
        if method == "PUT":
            self.world.settings[name] = self.body().get("value")
        # One that nobody ever set is a document, too.
        return 200, documents.setting(name, self.world.settings.get(name), self.plain)

    def all_apiKey(self, method):
        world = self.world
        if method != "POST":
            links = {"self": f"{self.plain}/apikeys"}
            return 200, documents.collection("apiKey", [], links)
        account = self.body().get("accountId") or "1a1"
        number = f"1c{1000 + len(world.apikeys)}"
        public = f"{len(world.apikeys):04d}A1B2C3D4E5F6A7B8"
        secret = f"{len(world.apikeys):04d}" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6"
        world.apikeys[number] = (account, public)
        world.add_key(public, secret, project=account if account in world.projects else None)
        return 201, documents.api_key(number, account, public, secret, self.plain)

    def one_apiKey(self, method, name, action):
        if name not in self.world.apikeys:
            raise Refused(404)
        account, public = self.world.apikeys[name]
        return 200, documents.api_key(name, account, public, None, self.plain)

    def all_register(self, method):
        world, key = self.world, self.place.key
        if key.role != "registration":
            raise Refused(405)
        if method == "POST":
            fields = self.body()
            machine = fields.get("key")
            if not machine:
                raise Refused(422, "MissingRequired", field="key")
            known = world.register(machine, key.project, self.request.address, fields)
            return 201, documents.register(known, machine, self.plain)
        machine = self.request.query.get("key")
        known = world.registers.get(machine)
        data = [documents.register(known, machine, self.plain)] if known else []
        links = {"self": f"{self.plain}/register"}
        return 200, documents.collection("register", data, links)

    def one_register(self, method, name, action):
        for machine, known in self.world.registers.items():
            if known["id"] == name:
                return 200, documents.register(known, machine, self.plain)
        raise Refused(404)


def _fits(pair, column, way, value):
    row, document = pair
    # The column of the row, not what the document shows: they differ for a lost agent.
    have = row["state"] if column == "state" else document.get(column)
    have = "" if have is None else str(have)
    return {
        "": have == value,
        "ne": have != value,
        "prefix": have.startswith(value),
        "like": value.strip("%") in have,
        "null": have == "",
        "notnull": have != "",
    }.get(way, True)
