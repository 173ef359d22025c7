"""Webhooks in: real payloads, signatures, redelivery."""
import hashlib
import hmac
import json
import subprocess
import uuid

import pytest

from carillon_process import ROOT
from talking import SseReader

DUMP = """
import {createRequire} from "node:module";
const hooks = createRequire(import.meta.url)("@octokit/webhooks-examples");
process.stdout.write(JSON.stringify(Array.isArray(hooks) ? hooks : hooks.default));
"""


@pytest.fixture(scope="module")
def examples():
    """Every example of the npm package: (event name, payload)."""
    dump = subprocess.run(["node", "--input-type=module", "-e", DUMP], cwd=ROOT / "tests/clients", capture_output=True, text=True)
    assert dump.returncode == 0, dump.stderr + "\n(./dev setup test installs the examples)"
    return [(hook["name"], example) for hook in json.loads(dump.stdout) for example in hook["examples"]]


def deliver(server, event, payload, forge="github", secret=None, delivery=None, headers=()):
    body = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
    body = body.encode() if isinstance(body, str) else body
    name = {"github": "GitHub", "gitea": "Gitea"}[forge]
    fields = {"Content-Type": "application/json", f"X-{name}-Event": event, f"X-{name}-Delivery": delivery or str(uuid.uuid4())}
    if secret:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        fields.update({"X-Hub-Signature-256": "sha256=" + digest} if forge == "github" else {"X-Gitea-Signature": digest})
    return server.call("POST", f"/webhooks/{forge}", body, {**fields, **dict(headers)})


def of_kind(examples, name, **wanted):
    return next(p for n, p in examples if n == name and all(p.get(k) == v for k, v in wanted.items()))


def test_every_real_example_is_accepted(server, examples):
    assert len(examples) > 300
    refused = [(name, payload.get("action"), answer.status, answer.text[:200]) for name, payload in examples
               if not 200 <= (answer := deliver(server, name, payload)).status < 300]
    assert refused == []


def test_every_example_is_heard_at_its_repository_or_organisation(start, connect, examples):
    server = start()
    client = connect(server)
    client.subscribe("all")
    for name, payload in examples:
        owners = ["repo:" + payload[key]["full_name"] for key in ("repository",) if payload.get(key)]
        owners += ["org:" + payload[key]["login"] for key in ("organization",) if payload.get(key)]
        if name == "ping" or not owners:
            continue
        assert 200 <= deliver(server, name, payload).status < 300
        heard, pongs = [], 0
        client.say({"type": "ping"})
        while pongs < 2:  # As in Client.hears_nothing_more.
            message = client.hear()
            if message["type"] == "event":
                heard.append("/".join(message["channel"].split("/")[:2]))
            elif (pongs := pongs + 1) == 1:
                client.say({"type": "ping"})
        assert set(heard) & set(owners), (name, heard, owners)  # A renamed repository is also told to those who know its old name.


def test_live_delivery_on_the_right_sub_channel(server, connect, examples):
    payload = of_kind(examples, "pull_request", action="opened")
    repo = "repo:" + payload["repository"]["full_name"]
    bare, prs, issues = connect(), connect(), connect(query="?events=dotted")
    bare.subscribe(repo)
    prs.subscribe(repo + "/prs")
    issues.subscribe(repo + "/issues")
    with SseReader(server, repo) as stream:
        deliver(server, "pull_request", payload)
        event = prs.hear()
        assert (event["channel"], event["event"]) == (repo + "/prs", "pr_opened")
        assert event["data"]["title"] == payload["pull_request"]["title"]
        assert event["data"]["number"] == payload["number"] and event["data"]["author"] == payload["pull_request"]["user"]["login"]
        assert bare.hear() == event and stream.next_json() == event
    issue = of_kind(examples, "issues", action="opened")
    assert issue["repository"]["full_name"] == payload["repository"]["full_name"]
    deliver(server, "issues", issue)
    assert issues.hear()["event"] == "issue.opened"
    prs.hears_nothing_more()


@pytest.mark.parametrize("name,changes,kind", [
    ("push", {}, "push"), ("pull_request", {"action": "closed", "merged": True}, "pr_merged"),
    ("pull_request", {"action": "closed", "merged": False}, "pr_closed"), ("pull_request", {"action": "synchronize"}, "pr_updated"),
    ("pull_request", {"action": "reopened"}, "pr_reopened"), ("issues", {"action": "closed"}, "issue_closed"),
    ("issue_comment", {"action": "created"}, "issue_comment"), ("create", {"ref_type": "tag"}, "tag_created"),
    ("create", {"ref_type": "branch"}, "branch_created"), ("delete", {"ref_type": "tag"}, "tag_deleted"),
    ("fork", {}, "repo_created"), ("star", {"action": "created"}, "repo_updated"),
    ("workflow_run", {"action": "completed"}, "workflow_run_completed"), ("workflow_job", {"action": "queued"}, "workflow_job_queued"),
    ("check_run", {"action": "created"}, "check_run_created"),
])
def test_kinds(server, connect, examples, name, changes, kind):
    payload = json.loads(json.dumps(next(p for n, p in examples if n == name)))
    merged = changes.get("merged")
    payload.update({k: v for k, v in changes.items() if k != "merged"})
    if merged is not None:
        payload["pull_request"]["merged"] = merged
    client = connect()
    client.subscribe("repo:" + payload["repository"]["full_name"])
    assert 200 <= deliver(server, name, payload).status < 300
    assert client.hear()["event"] == kind


def test_push_tells_true_counts_and_shas(server, connect):
    payload = json.loads((ROOT / "examples/github_push.json").read_text())
    client = connect()
    client.subscribe("repo:alice/app")
    deliver(server, "push", payload)
    data = client.hear()["data"]
    assert (data["ref"], data["before"], data["after"]) == (payload["ref"], payload["before"], payload["after"])
    assert data["pusher"] == "alice" and data["commit_count"] == 1


def test_what_has_no_kind_keeps_its_own_dotted_name(server, connect, examples):
    client = connect()
    client.subscribe("all")
    payload = {"action": "invented", "repository": of_kind(examples, "push")["repository"]}
    assert 200 <= deliver(server, "some_new_event", payload).status < 300
    assert client.hear()["event"] == "some_new_event.invented"


def test_redelivery_is_heard_once(server, connect):
    payload = {"ref": "refs/heads/x", "repository": {"full_name": "alice/again", "owner": {"login": "alice"}}}
    client = connect()
    client.subscribe("repo:alice/again")
    first = deliver(server, "push", payload, delivery="11111111-2222-3333-4444-555555555555")
    again = deliver(server, "push", payload, delivery="11111111-2222-3333-4444-555555555555")
    assert first.status == again.status or again.status == 200
    assert client.hear()["event"] == "push"
    client.hears_nothing_more()


def test_signature(start):
    server = start(env={"CARILLON_WEBHOOKS_GITHUB_SECRETS": "It's a secret", "CARILLON_WEBHOOKS_GITEA_SECRETS": "other"})
    payload = {"ref": "refs/heads/x", "repository": {"full_name": "a/b", "owner": {"login": "a"}}}
    assert 200 <= deliver(server, "push", payload, secret="It's a secret").status < 300
    assert 200 <= deliver(server, "push", payload, forge="gitea", secret="other").status < 300
    for answer in (deliver(server, "push", payload), deliver(server, "push", payload, secret="wrong"),
                   deliver(server, "push", payload, forge="gitea", secret="wrong"),
                   deliver(server, "push", payload, headers=[("X-Hub-Signature-256", "sha256=")]),
                   deliver(server, "push", payload, headers=[("X-Hub-Signature-256", "sha256=" + "0" * 64)]),
                   deliver(server, "push", payload, headers=[("X-Hub-Signature-256", "nonsense")])):
        assert answer.status == 401 and answer.json["error"]["code"]
    assert "secret" not in server.log.lower().replace("secrets", "")


def test_github_documented_signature(start):
    """The values of GitHub's own page on validating deliveries: the signature is checked before the body is read as JSON."""
    server = start(env={"CARILLON_WEBHOOKS_GITHUB_SECRETS": "It's a Secret to Everybody"})
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    answer = deliver(server, "push", "Hello, World!", headers=[("X-Hub-Signature-256", signature)])
    assert answer.status == 400  # Signed rightly, but no JSON.


@pytest.mark.parametrize("body", ["", "{", "not json", "[]", "5", b"\xff\xfe"])
def test_broken_payload(server, body):
    answer = deliver(server, "push", body)
    assert answer.status == 400 and answer.json["error"]["message"]


def test_without_event_name(server):
    assert server.call("POST", "/webhooks/github", {"repository": {}}).status == 400


def test_ping(server):
    assert 200 <= deliver(server, "ping", {"zen": "Bells ring.", "hook_id": 1}).status < 300


def test_gitea(server, connect):
    client = connect()
    client.subscribe("repo:bob/bells")
    payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40, "total_commits": 2,
               "commits": [{"id": "1" * 40, "message": "x"}, {"id": "2" * 40, "message": "y"}],
               "repository": {"full_name": "bob/bells", "owner": {"login": "bob", "username": "bob"}, "name": "bells"},
               "pusher": {"login": "bob", "username": "bob"}}
    assert 200 <= deliver(server, "push", payload, forge="gitea").status < 300
    event = client.hear()
    assert event["event"] == "push" and event["data"]["pusher"] == "bob" and event["data"]["commit_count"] == 2


def test_form_encoded_delivery(server, connect):
    """GitHub's other content type: the same JSON in a form field."""
    from urllib.parse import urlencode
    client = connect()
    client.subscribe("repo:alice/form")
    payload = json.dumps({"ref": "refs/heads/x", "repository": {"full_name": "alice/form", "owner": {"login": "alice"}}})
    answer = deliver(server, "push", urlencode({"payload": payload}), headers=[("Content-Type", "application/x-www-form-urlencoded")])
    assert 200 <= answer.status < 300
    assert client.hear()["event"] == "push"
