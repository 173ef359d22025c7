"""Who a client is: tokens, claimed names, and what they allow, over WebSocket, event streams and the HTTP API."""
import base64
import hashlib
import hmac
import json
import time

import pytest

from carillon_process import run_program, wait_until
from talking import Client, RawWebSocket, SseReader, CLOSE, close_code

SECRET = "a secret of thirty-two bytes, no less"
OLD_SECRET = "the secret before it, still as good as new"
KEY = "s3cret-bells"
CONFIG = f"""
[auth]
api_key = "{KEY}"
jwt_secrets = ["{SECRET}", "{OLD_SECRET}"]
[[channels]]
match = "user:{{user}}/**"
publish = "owner"
subscribe = "owner"
[[channels]]
match = "members:*"
publish = "user"
subscribe = "user"
"""


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(user="alice", secret=SECRET, algorithm="HS256", **claims):
    """Made by the standard library, not by us."""
    text = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": algorithm}, {"sub": user, **claims}))
    return text + "." + encoded(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def unsigned(user="alice"):
    return ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "none"}, {"sub": user})) + "."


def bearer(text):
    return {"Authorization": "Bearer " + text}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "carillon.toml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(scope="module")
def server(configuration):
    from carillon_process import Server
    running = Server("--config", configuration)
    yield running
    try:
        running.stop()
        assert SECRET not in running.log and "eyJ" not in running.log
    finally:
        running.kill()


BAD = {
    "expired": (lambda: token(exp=time.time() - 60), "the token expired 6"),
    "not yet valid": (lambda: token(nbf=time.time() + 60), "not valid for"),
    "wrong signature": (lambda: token(secret="another secret of thirty-two bytes, at least"), "signature is wrong"),
    "alg none": (unsigned, "`alg` is not HS256"),
    "alg HS512": (lambda: token(algorithm="HS512"), "`alg` is not HS256"),
    "no user": (lambda: token(user=None), "no `sub`"),
    "no token": (lambda: "a.b", "malformed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_token_that_does_not_hold_is_refused_everywhere(server, kind):
    make, why = BAD[kind]
    text = make()
    asked = [server.get(f"/ws?token={text}", headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                                                      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}),
             server.get("/ws", headers=bearer(text)),
             server.get(f"/api/events?channel=room:x&token={text}"),
             server.get("/api/events?channel=room:x", headers=bearer(text)),
             server.call("POST", "/api/publish", {"channel": "members:1", "event": "e", "data": 1}, bearer(text)),
             server.get("/api/channels/members%3A1/history", headers=bearer(text))]
    for answer in asked:
        assert answer.status == 401, answer
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert answer.json["error"]["code"] == "unauthorized"
        assert why in answer.json["error"]["message"], answer


@pytest.mark.parametrize("how", ["query", "access_token", "header"])
def test_a_token_is_a_user(server, how):
    text = token(exp=time.time() + 60, role="editor")
    client = {"query": lambda: Client(server, f"?token={text}"), "access_token": lambda: Client(server, f"?access_token={text}"),
              "header": lambda: Client(server, headers=[f"Authorization: Bearer {text}"])}[how]()
    sessions = server.get("/api/sessions", headers=bearer(KEY)).json["sessions"]
    assert ("alice", True) in [(session["user"], session["verified"]) for session in sessions]
    for channel in ("user:alice", "members:1"):
        client.subscribe(channel)
        client.say({"type": "publish", "channel": channel, "event": "said", "data": how})
        assert client.hear()["data"] == how
        assert client.hear()["type"] == "published"
    assert client.ask({"type": "subscribe", "channel": "user:bob"})["code"] == "forbidden"
    assert client.ask({"type": "publish", "channel": "room:1", "event": "e", "data": 1})["code"] == "unauthorized"
    client.close()


def test_the_secret_before_still_holds(server):
    client = Client(server, f"?token={token(secret=OLD_SECRET)}")
    client.subscribe("user:alice")
    client.close()


def test_without_a_token_one_is_nobody(server):
    client = Client(server, "?user=alice")
    for channel in ("user:alice", "members:1"):
        assert client.ask({"type": "subscribe", "channel": channel})["code"] == "unauthorized"
        assert client.ask({"type": "publish", "channel": channel, "event": "e", "data": 1})["code"] == "unauthorized"
    client.subscribe("room:1")
    client.close()
    with SseReader(server, "members:1") as stream:
        assert stream.status == 401
        assert stream.headers["WWW-Authenticate"] == "Bearer"


def test_an_event_stream_of_a_user(server):
    with SseReader(server, "user:alice", path="/api/events") as stream:
        assert stream.status == 401
    answer = server.get(f"/api/events?channel=user:bob&token={token()}")
    assert answer.status == 403
    import http.client
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.request("GET", f"/api/events?channel=user:alice&token={token()}")
    assert connection.getresponse().status == 200
    connection.close()


def test_the_http_api_with_a_token(server):
    body = {"channel": "members:7", "event": "said", "data": 1}
    assert server.call("POST", "/api/publish", body, bearer(token())).status == 200
    assert server.call("POST", "/api/publish", {**body, "channel": "user:alice"}, bearer(token())).status == 200
    assert server.call("POST", "/api/publish", {**body, "channel": "user:bob"}, bearer(token())).status == 403
    assert server.call("POST", "/api/publish", {**body, "channel": "room:1"}, bearer(token())).status == 401
    assert len(server.get("/api/channels/members%3A7/history", headers=bearer(token())).json["events"]) == 1
    assert server.get("/api/sessions", headers=bearer(token())).status == 401
    assert server.call("POST", "/api/announce", {"text": "x"}, bearer(token())).status == 401
    assert server.call("POST", "/api/publish", {**body, "channel": "user:bob"}, bearer(KEY)).status == 200


def test_a_tree_does_not_pass_by_a_narrower_rule(start, tmp_path):
    config = tmp_path / "narrow.toml"
    config.write_text(f'''[auth]
api_key = "{KEY}"
[[channels]]
match = "repo:alice/app/secret"
subscribe = "key"
''')
    server = start("--config", str(config))
    text = "subscribing to repo:alice/app needs the API key, by the rule `repo:alice/app/secret`"
    stranger = Client(server)
    refused = stranger.ask({"type": "subscribe", "channel": "repo:alice/app"})
    assert (refused["code"], refused["message"]) == ("unauthorized", text)
    stranger.subscribe("repo:alice/app/prs")
    stranger.subscribe("repo:alice/lib")
    answer = server.get("/api/events?channel=repo:alice/app")
    assert (answer.status, answer.json["error"]["message"]) == (401, text)
    insider = Client(server, headers=[f"Authorization: Bearer {KEY}"])
    insider.subscribe("repo:alice/app")
    for end in ("secret", "prs"):
        published = server.call("POST", "/api/publish", {"channel": "repo:alice/app/" + end, "event": "said", "data": 1}, bearer(KEY))
        assert published.status == 200, published
        assert insider.hear_type("event")["channel"] == "repo:alice/app/" + end
    assert stranger.hear_type("event")["channel"] == "repo:alice/app/prs"
    stranger.hears_nothing_more()
    stranger.close()
    insider.close()


def test_a_session_ends_with_its_token(start, configuration):
    server = start("--config", configuration, "--set", "auth.jwt_leeway=0s")
    text = token(exp=time.time() + 1.5)
    client = Client(server, f"?token={text}")
    client.subscribe("user:alice")
    forever = Client(server, f"?token={token()}")
    opcode, payload = client.read_message()
    assert opcode == CLOSE and close_code(payload) == 1008 and payload[2:] == b"token expired"
    assert server.get(f"/ws?token={text}").status == 401
    forever.hears_nothing_more()
    forever.close()
    client.close()


def test_a_token_may_be_required(start, configuration):
    server = start("--config", configuration, "--set", "auth.require_token=true")
    for answer in (server.get("/ws"), server.get("/api/events?channel=room:x"), server.get("/ws?user=alice")):
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "needs a token" in answer.json["error"]["message"]
    for client in (Client(server, f"?token={token()}"), Client(server, headers=[f"Authorization: Bearer {KEY}"])):
        client.subscribe("room:x")
        client.close()
    assert server.get("/health/live").status == 200


def test_on_a_machine_of_ones_own_a_name_may_be_claimed(start):
    server = start()
    client = Client(server, "?user=alice")
    (session,) = server.sessions()
    assert (session["user"], session["verified"]) == ("alice", False)
    client.close()
    assert RawWebSocket(server, "/ws?user=a%0Ab").status == 400
    server = start("--set", "auth.claimed_users=never")
    client = Client(server, "?user=alice")
    (session,) = server.sessions()
    assert session["user"] == ""
    client.close()


def test_a_claimed_name_opens_nothing(start, configuration):
    server = start("--config", configuration, "--set", "auth.claimed_users=always")
    client = Client(server, "?user=alice")
    assert client.ask({"type": "subscribe", "channel": "user:alice"})["code"] == "unauthorized"
    assert client.ask({"type": "subscribe", "channel": "members:1"})["code"] == "unauthorized"
    client.close()


def test_the_programs_own_words_take_tokens(server, configuration, launch):
    made = run_program("token", "--user", "alice", "--config", configuration, "--ttl", "1m", "--claim", 'role="editor"')
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert claims["sub"] == "alice" and claims["role"] == "editor" and 50 < claims["exp"] - time.time() <= 60
    sub = launch("sub", "--url", server.url, "user:alice", "--token", text, "--since-beginning")
    pub = run_program("pub", "--url", server.url, "user:alice", "said", "--text", "hello by token", env={"CARILLON_TOKEN": text})
    assert pub.returncode == 0, pub.stderr
    wait_until(lambda: "hello by token" in sub.log)
    history = run_program("history", "--url", server.url, "user:alice", "--token", text)
    assert "hello by token" in history.stdout, history.stderr
    refused = run_program("pub", "--url", server.url, "user:bob", "said", "1", "--token", text)
    assert refused.returncode == 1 and "for its user only" in refused.stderr
    refused = run_program("sub", "--url", server.url, "user:alice", "--token", "x.y.z")
    assert refused.returncode == 1 and "malformed" in refused.stderr


def test_a_short_secret_is_refused_at_the_start():
    started = run_program("serve", "--set", "auth.jwt_secrets=short", "--listen", "127.0.0.1:0")
    assert started.returncode == 1
    assert "auth.jwt_secrets holds a secret of 5 bytes" in started.stderr
