"""A small recorded fake of W&B's server: the GraphQL operations and the file addresses that wandb 0.31 asks for,
answered as the server does, from what was logged to it before."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlparse
from urllib.request import url2pathname

ENTITY, PROJECT, ORGANIZATION = "park", "trickline", "park-org"
KEY = "0123456789abcdef0123456789abcdef01234567"
_CREATED = "2026-01-02T03:04:05Z"


@dataclass
class Artifact:
    """A version."""

    id: str
    name: str
    kind: str
    index: int
    digest: str
    metadata: dict[str, Any]
    run: str | None
    client: str
    manifest: bytes = b""
    state: str = "PENDING"
    aliases: set[str] = field(default_factory=set)
    link_of: str | None = None

    @property
    def entries(self) -> dict[str, Any]:
        contents: dict[str, Any] = json.loads(self.manifest)["contents"]
        return contents


@dataclass
class Run:
    """What a run said of itself."""

    id: str
    name: str
    job_type: str
    config: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    exit_code: int | None = None


class FakeServer:
    """W&B on a port of this machine."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.links: dict[str, str] = {}
        """Full name of a collection of the registry to the id of what was linked to it."""
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        """Operations, in order."""
        self.unknown: list[str] = []
        """Operations and addresses that nobody has recorded."""
        self.down = False
        self.silent_at = ""
        """Where an address begins so, it falls silent."""
        self.awake = threading.Event()
        """Cleared, it takes what is asked and never answers."""
        self.awake.set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to log here."""
        return {
            "WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ENTITY": ENTITY, "WANDB_PROJECT": PROJECT,
            "WANDB_MODE": "online",
        }  # fmt: skip

    def close(self) -> None:
        self.awake.set()
        self._server.shutdown()
        self._server.server_close()

    def of(self, name: str) -> list[Artifact]:
        """The versions of an artifact."""
        return [artifact for artifact in self.artifacts.values() if artifact.name == name]

    def content(self, entry: dict[str, Any]) -> bytes:
        """Of a file in an artifact."""
        return self.files[_hex(entry["digest"])]

    def put(self, name: str, kind: str, files: Mapping[str, bytes | str], sizes: int | None = None) -> Artifact:
        """As if somebody had logged it.

        Args:
            files: what is in it; the value of a reference is its address.
            sizes: what each claims to have, bytes.
        """
        contents: dict[str, Any] = {}
        for path, content in files.items():
            if isinstance(content, str):
                there = Path(url2pathname(urlparse(content).path)) if content.startswith("file:") else None
                digest = _md5(there.read_bytes()) if there and there.is_file() else "AAAA"
                contents[path] = {"digest": digest, "ref": content, "size": sizes or 0}
            else:
                contents[path] = {"digest": _md5(content), "size": sizes or len(content)}
                self.files[_hex(_md5(content))] = content
        digest = hashlib.md5(json.dumps(contents).encode()).hexdigest()
        artifact = self._create(name, kind, digest, {}, None, "")
        artifact.manifest = json.dumps(
            {"version": 1, "storagePolicy": "wandb-storage-policy-v1",
             "storagePolicyConfig": {"storageLayout": "V2"}, "contents": contents}
        ).encode()  # fmt: skip
        artifact.state = "COMMITTED"
        return artifact

    # What is asked

    def _answer(self, operation: str, said: dict[str, Any]) -> dict[str, Any] | None:
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "Viewer": lambda _: {"viewer": self._viewer()},
            "GetViewer": lambda _: {"viewer": self._viewer()},
            "GetDefaultEntity": lambda _: {"viewer": self._viewer()},
            "ServerFeaturesQuery": lambda _: {"serverInfo": {"features": self._features()}},
            "ServerInfo": lambda _: {"serverInfo": {"features": self._features()}},
            "RunResumeStatus": lambda _: {"model": None},
            "UpsertBucket": self._upsert,
            "CreateRunFiles": self._run_files,
            "MarkRunFilesUploaded": lambda _: {"markRunFilesUploaded": {"success": True}},
            "XXHashDigestsEnabled": lambda _: {"entity": {"xxhashDigestsEnabled": False}},
            "FetchArtifactDigestAlgorithm": lambda _: {"project": None},
            "CreateArtifact": self._create_artifact,
            "CreateArtifactManifest": self._create_manifest,
            "UpdateArtifactManifest": self._update_manifest,
            "CreateArtifactFiles": self._create_files,
            "CommitArtifact": self._commit,
            "UseArtifact": self._use,
            "ClientIDMapping": self._client,
            "LinkArtifact": self._link,
            "FetchOrgInfoFromEntity": lambda _: {
                "entity": {"organization": {"name": "Park", "orgEntity": {"name": ORGANIZATION}}, "user": None}
            },
            "FetchOrgEntityFromEntity": lambda _: {
                "entity": {"organization": {"name": "Park", "orgEntity": {"name": ORGANIZATION}}, "user": None}
            },
            "ArtifactByID": lambda v: {"artifact": self._artifact(self.artifacts[v["id"]])},
            "ArtifactMembershipByName": self._by_name,
            "FetchArtifactManifest": lambda v: {
                "artifact": {"currentManifest": {"file": {"directUrl": f"{self.url}/manifest/{v['id']}"}}}
            },
            "ArtifactManifest": lambda v: {
                "artifact": {"currentManifest": {"file": {"directUrl": f"{self.url}/manifest/{v['artifact_id']}"}}}
            },
            "GetArtifactMembershipFileUrls": self._file_urls,
            "Runs": self._find_runs,
            "RunOutputArtifacts": self._outputs,
            "ArtifactType": self._kind,
        }
        answer = answers.get(operation)
        return answer(said) if answer else None

    def _viewer(self) -> dict[str, Any]:
        return {
            "id": "VXNlcjox", "entity": ENTITY, "username": ENTITY, "email": "park@example.org", "flags": "{}",
            "name": ENTITY, "admin": False, "deletedAt": None, "apiKeys": {"edges": []},
            "teams": {"edges": [{"node": {"name": ENTITY}}]}, "defaultEntity": {"name": ENTITY},
        }  # fmt: skip

    def _features(self) -> list[dict[str, Any]]:
        return [{"name": "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE", "isEnabled": True}]

    def _upsert(self, said: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(said.get("name") or "")
        config = json.loads(said.get("config") or "{}")
        config = {name: one["value"] for name, one in config.items() if name != "_wandb"}
        new = run is None
        if run is None:
            name = said.get("displayName") or f"summer-wave-{len(self.runs) + 28}"
            run = self.runs[said["name"]] = Run(said["name"], name, said.get("jobType") or "", config)
        run.config |= config
        bucket = {
            "id": _id("Run", run.id), "name": run.id, "displayName": run.name, "description": "", "sweepName": None,
            "config": "{}", "historyLineCount": 0,
            "project": {"id": _id("Project", PROJECT), "name": PROJECT, "entity": {"id": "RW50aXR5", "name": ENTITY}},
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def _run_files(self, said: dict[str, Any]) -> dict[str, Any]:
        made = [{"name": name, "uploadUrl": f"{self.url}/run/{said['run']}/{quote(name)}"} for name in said["files"]]
        return {"createRunFiles": {"runID": _id("Run", said["run"]), "uploadHeaders": [], "files": made}}

    def _create(
        self, name: str, kind: str, digest: str, meta: dict[str, Any], run: str | None, client: str
    ) -> Artifact:
        known = self.of(name)
        made = Artifact(_id("Artifact", f"{name}{len(known)}"), name, kind, len(known), digest, meta, run, client)
        for one in known:
            one.aliases.discard("latest")
        made.aliases = {"latest", f"v{len(known)}"}
        self.artifacts[made.id] = made
        return made

    def _create_artifact(self, said: dict[str, Any]) -> dict[str, Any]:
        wanted = said["input"]
        [name] = wanted["artifactCollectionNames"] if wanted.get("artifactCollectionNames") else [
            wanted["artifactCollectionName"]
        ]  # fmt: skip
        same = [one for one in self.of(name) if one.digest == wanted["digest"]]
        made = same[0] if same else self._create(
            name, wanted["artifactTypeName"], wanted["digest"], json.loads(wanted.get("metadata") or "{}"),
            wanted.get("runName"), wanted.get("clientID") or "",
        )  # fmt: skip
        made.client = wanted.get("clientID") or made.client
        made.aliases |= {alias["alias"] for alias in wanted.get("aliases") or []}
        latest = {"id": made.id, "versionIndex": made.index}
        sequence = {"id": _id("Sequence", name), "latestArtifact": latest}
        artifact = {"id": made.id, "digest": made.digest, "state": made.state, "artifactSequence": sequence}
        return {"createArtifact": {"artifact": artifact}}

    def _create_manifest(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"createArtifactManifest": {"artifactManifest": self._manifest(said["artifactID"])}}

    def _update_manifest(self, said: dict[str, Any]) -> dict[str, Any]:
        artifact = said["artifactManifestID"].removeprefix("manifest-")
        return {"updateArtifactManifest": {"artifactManifest": self._manifest(artifact)}}

    def _manifest(self, artifact: str) -> dict[str, Any]:
        file = {"id": f"file-{artifact}", "uploadUrl": f"{self.url}/manifest/{artifact}", "uploadHeaders": []}
        return {"id": f"manifest-{artifact}", "file": file}

    def _create_files(self, said: dict[str, Any]) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = []
        for file in said["input"]["artifactFiles"]:
            hashed = _hex(file["md5"])
            nodes.append(
                {"node": {
                    "storagePath": f"wandb_artifacts/{hashed}", "uploadUrl": f"{self.url}/files/{hashed}",
                    "uploadHeaders": [], "uploadMultipartUrls": None, "artifact": {"id": file["artifactID"]},
                }}
            )  # fmt: skip
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def _commit(self, said: dict[str, Any]) -> dict[str, Any]:
        artifact = self.artifacts[said["artifactID"]]
        artifact.state = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}

    def _use(self, said: dict[str, Any]) -> dict[str, Any]:
        wanted = said.get("input") or said
        artifact = self.artifacts[wanted["artifactID"]]
        self.runs[wanted["runName"]].used.append(f"{artifact.name}:v{artifact.index}")
        return {"useArtifact": {"artifact": self._artifact(artifact)}}

    def _client(self, said: dict[str, Any]) -> dict[str, Any]:
        found = [one.id for one in self.artifacts.values() if one.client == said["clientID"]]
        return {"clientIDMapping": {"serverID": found[0]} if found else None}

    def _link(self, said: dict[str, Any]) -> dict[str, Any]:
        wanted = said["input"]
        name = f"{wanted['entityName']}/{wanted['projectName']}/{wanted['artifactPortfolioName']}"
        self.links[name] = wanted["artifactID"]
        return {"result": {"versionIndex": 0, "artifactMembership": None}}

    def _by_name(self, said: dict[str, Any]) -> dict[str, Any]:
        registry = self.links.get(f"{said['entity']}/{said['project']}/{said['name'].split(':')[0]}")
        name, _, alias = said["name"].partition(":")
        found = [one for one in self.of(name) if alias in one.aliases]
        if (said["entity"], said["project"]) != (ENTITY, PROJECT):
            found = [self.artifacts[registry]] if registry else []
        membership = None
        if found:
            one = found[0]
            membership = {
                "__typename": "ArtifactCollectionMembership", "id": f"member-{one.id}", "versionIndex": one.index,
                "createdAt": _CREATED, "aliases": self._aliases(one), "artifactCollection": self._collection(one),
                "artifact": self._artifact(one),
            }  # fmt: skip
        return {"project": {"artifactCollectionMembership": membership}}

    def _kind(self, said: dict[str, Any]) -> dict[str, Any]:
        known = self.of(said["name"].split(":")[0])
        return {"project": {"artifact": {"artifactType": {"name": known[0].kind}} if known else None}}

    def _file_urls(self, said: dict[str, Any]) -> dict[str, Any]:
        [one] = [one for one in self.of(said["collection"]) if said["alias"] in one.aliases]
        edges = [
            {"node": {"__typename": "File", "name": path, "directUrl": f"{self.url}/files/{_hex(entry['digest'])}"}}
            for path, entry in one.entries.items()
        ]
        files = {"pageInfo": _page(), "edges": edges}
        return {
            "project": {
                "artifactCollection": {"__typename": "ArtifactSequence", "artifactMembership": {"files": files}}
            }
        }

    def _find_runs(self, said: dict[str, Any]) -> dict[str, Any]:
        wanted = {name for one in json.loads(said["filters"])["$or"] for name in one.values()}
        edges = [
            {"cursor": run.id, "node": {
                "projectId": "1", "id": _id("Run", run.id), "tags": [], "name": run.id, "displayName": run.name,
                "sweepName": None, "state": "finished", "group": None, "jobType": run.job_type, "commit": None,
                "readOnly": False, "createdAt": _CREATED, "heartbeatAt": _CREATED, "description": None, "notes": None,
                "historyLineCount": 0, "user": {"name": ENTITY, "username": ENTITY},
            }}
            for run in self.runs.values() if {run.id, run.name} & wanted
        ]  # fmt: skip
        runs = {"edges": edges, "pageInfo": _page()}
        return {"project": {"internalId": "1", "runCount": len(edges), "readOnly": False, "runs": runs}}

    def _outputs(self, said: dict[str, Any]) -> dict[str, Any]:
        edges = [{"node": self._artifact(one)} for one in self.artifacts.values() if one.run == said["run"]]
        artifacts = {"totalCount": len(edges), "pageInfo": _page(), "edges": edges}
        return {"project": {"run": {"artifacts": artifacts}}}

    def _artifact(self, one: Artifact) -> dict[str, Any]:
        sizes = [entry.get("size", 0) for entry in one.entries.values()] if one.manifest else []
        return {
            "__typename": "Artifact", "id": one.id, "artifactSequence": self._collection(one),
            "versionIndex": one.index, "artifactType": {"name": one.kind}, "description": None,
            "metadata": json.dumps(one.metadata),
            "ttlDurationSeconds": -2, "ttlIsInherited": True, "tags": [], "historyStep": None, "state": one.state,
            "size": sum(sizes), "digest": one.digest, "digestAlgorithm": "MANIFEST_MD5", "commitHash": one.id,
            "fileCount": len(sizes), "createdAt": _CREATED, "updatedAt": _CREATED,
            "aliases": [{**alias, "artifactCollection": self._collection(one)} for alias in self._aliases(one)],
        }  # fmt: skip

    def _aliases(self, one: Artifact) -> list[dict[str, str]]:
        return [{"__typename": "ArtifactAlias", "id": f"alias-{name}", "alias": name} for name in sorted(one.aliases)]

    def _collection(self, one: Artifact) -> dict[str, Any]:
        project = {"id": _id("Project", PROJECT), "internalId": "1", "name": PROJECT, "entity": {"name": ENTITY}}
        return {"__typename": "ArtifactSequence", "name": one.name, "project": project}

    # HTTP

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path == "/graphql":
            asked = json.loads(body)
            named = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            operation = named.group(1) if named else asked["query"][:40]
            self.asked.append(operation)
            with self._lock:
                data = self._answer(operation, asked.get("variables") or {})
            if data is None:
                self.unknown.append(f"{operation} {json.dumps(asked.get('variables'))[:300]}")
                return 200, json.dumps({"errors": [{"message": f"not recorded: {operation}"}]}).encode()
            return 200, json.dumps({"data": data}).encode()
        streamed = re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", path)
        if streamed:
            self._stream(self.runs[streamed.group(1)], json.loads(body))
            return 200, b"{}"
        if path.startswith("/sdk/otel/"):  # its makers' telemetry
            return 200, b"{}"
        self.unknown.append(f"POST {path}")
        return 404, b"{}"

    def _stream(self, run: Run, said: dict[str, Any]) -> None:
        for name, part in (said.get("files") or {}).items():
            rows = [json.loads(line) for line in part["content"]] if name.endswith((".jsonl", ".json")) else []
            if name == "wandb-history.jsonl":
                run.history += rows
            if name == "wandb-summary.json":
                for row in rows:
                    run.summary |= row
        if said.get("complete"):
            run.exit_code = said.get("exitcode")

    def _put(self, path: str, body: bytes) -> tuple[int, bytes]:
        kind, name = path.removeprefix("/").split("/", 1)
        if kind == "manifest":
            self.artifacts[unquote(name)].manifest = body
        else:
            self.files[unquote(name)] = body
        return 200, b""

    def _get(self, path: str) -> tuple[int, bytes]:
        if self.silent_at and path.startswith(self.silent_at):
            self.awake.clear()
            self.awake.wait()
        kind, _, name = path.removeprefix("/").partition("/")
        if kind == "manifest" and unquote(name) in self.artifacts:
            return 200, self.artifacts[unquote(name)].manifest
        for hashed in name.split("/") if kind in {"files", "artifactsV2"} else ():
            if hashed in self.files:
                return 200, self.files[hashed]
        self.unknown.append(f"GET {path}")
        return 404, b""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self, answer: Callable[[bytes], tuple[int, bytes]]) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.awake.wait()
                status, said = (503, b"") if fake.down else answer(body)
                with suppress(ConnectionError):  # who asked may have given up
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)

            def do_POST(self) -> None:
                self._do(lambda body: fake._post(self.path.split("?")[0], body))

            def do_PUT(self) -> None:
                self._do(lambda body: fake._put(self.path.split("?")[0], body))

            def do_GET(self) -> None:
                self._do(lambda _: fake._get(self.path.split("?")[0]))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def _id(kind: str, name: str) -> str:
    return base64.b64encode(f"{kind}:{name}".encode()).decode().rstrip("=")


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def _hex(digest: str) -> str:
    return base64.b64decode(digest).hex()


def _page() -> dict[str, Any]:
    return {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
