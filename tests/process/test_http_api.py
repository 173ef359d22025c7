"""The HTTP API, health, metrics and stats."""
import json
import re
import subprocess

import pytest

from carillon_process import wait_until
from talking import Client, RawHttp

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def assert_error(answer, status):
    assert answer.status == status, answer
    error = answer.json["error"]
    assert set(answer.json) == {"error"} and set(error) == {"code", "message"}
    assert re.fullmatch("[a-z_]+", error["code"]) and error["message"]


def test_publish_answers_with_the_position(server, room):
    first, second = server.publish(room, "new_msg", {"a": 1}), server.publish(room)
    assert set(first) == {"channel", "epoch", "offset", "id"}
    assert first["channel"] == room and re.fullmatch("[0-9a-f]+", first["epoch"]) and re.fullmatch(UUID4, first["id"])
    assert (first["offset"], second["offset"]) == (1, 2) and first["epoch"] == second["epoch"]


@pytest.mark.parametrize("body", [
    "", "{", "[]", "null", "5", "{}", '{"channel":"room:x"}', '{"channel":"room:x","data":1}', '{"channel":5,"event":"e","data":1}',
    '{"channel":"room:x","event":5,"data":1}', '{"channel":"","event":"e","data":1}', '{"channel":"room:x","event":"","data":1}',
    '{"channel":"repo:onlyname","event":"e","data":1}', '{"channel":"room:x","event":"e","data":[1,2}}',
    '{"channel":"room:x","event":"e","data":1} x', '{"channel":"room:x","event":"a\\nb","data":1}', b'{"channel":"room:\xff","event":"e","data":1}',
    '{"channel":"room:x","event":"e","data":1,"idempotency_key":5}',
])
def test_bad_publish_is_refused(server, body):
    assert_error(server.call("POST", "/api/publish", body), 400)


def test_idempotent_publish(server, connect, room):
    client = connect()
    client.subscribe(room)
    first = server.publish(room, data=1, idempotency_key="k1")
    again = server.publish(room, data=2, idempotency_key="k1")
    assert again.pop("repeated", True) is True and again == first
    other = server.publish(room, data=3, idempotency_key="k2")
    assert other["id"] != first["id"] and other["offset"] == 2
    assert server.publish(room + "x", data=4, idempotency_key="k1")["id"] != first["id"]  # Keys belong to their channel.
    assert [client.hear()["data"] for _ in range(2)] == [1, 3]
    client.hears_nothing_more()


def test_broadcast(server, connect, room):
    client = connect()
    client.subscribe("all")
    channels = [f"{room}/{n}" for n in range(3)]
    answer = server.call("POST", "/api/broadcast", {"channels": channels, "event": "e", "data": {"x": 1}})
    assert answer.status == 200, answer
    heard = [client.hear() for _ in range(3)]
    assert sorted(e["channel"] for e in heard) == channels and all(e["data"] == {"x": 1} for e in heard)
    assert_error(server.call("POST", "/api/broadcast", {"channels": "room:x", "event": "e", "data": 1}), 400)
    assert_error(server.call("POST", "/api/broadcast", {"channels": ["room:x"], "event": "e" * 300, "data": 1}), 400)


def test_batch_has_a_result_for_each(server, connect, room):
    client = connect()
    client.subscribe(room)
    answer = server.call("POST", "/api/batch", {"publications": [
        {"channel": room, "event": "e", "data": 1}, {"channel": "repo:onlyname", "event": "e", "data": 2},
        {"channel": room, "event": "e", "data": 3}]})
    assert answer.status == 200, answer
    results = answer.json["results"]
    assert len(results) == 3 and results[0]["offset"] == 1 and results[2]["offset"] == 2 and results[1]["error"]["code"]
    assert [client.hear()["data"] for _ in range(2)] == [1, 3]
    assert_error(server.call("POST", "/api/batch", {"publications": 5}), 400)


def test_batch_limit(start, room):
    server = start(env={"CARILLON_LIMITS_BATCH_MAX": "3"})
    item = {"channel": room, "event": "e", "data": 1}
    assert server.call("POST", "/api/batch", {"publications": [item] * 3}).status == 200
    assert_error(server.call("POST", "/api/batch", {"publications": [item] * 4}), 413)
    assert_error(server.call("POST", "/api/broadcast", {"channels": [f"{room}/{n}" for n in range(4)], "event": "e", "data": 1}), 413)
    assert server.publish(room)["offset"] == 4  # Nothing of the refused ones was published.


def test_history_and_its_removal(server, room):
    epoch = [server.publish(room, data=n) for n in range(5)][0]["epoch"]
    page = server.get(f"/api/channels/{room}/history").json
    assert [event["data"] for event in page["events"]] == [0, 1, 2, 3, 4] and page["epoch"] == epoch and page["offset"] == 5
    assert page["complete"] is True and page["more"] is False
    page = server.get(f"/api/channels/{room}/history?limit=2").json
    assert [event["data"] for event in page["events"]] == [0, 1] and page["more"] is True
    page = server.get(f"/api/channels/{room}/history?limit=2&reverse=true").json
    assert [event["data"] for event in page["events"]] == [4, 3]
    assert_error(server.get(f"/api/channels/{room}/history?limit=abc"), 400)
    assert server.call("DELETE", f"/api/channels/{room}/history").status in (200, 204)
    assert server.get(f"/api/channels/{room}/history").json["events"] == []
    again = server.publish(room)
    assert again["epoch"] != epoch and again["offset"] == 1


def test_history_of_a_channel_whose_name_must_be_escaped(server):
    server.publish("repo:alice/app/prs", data=1)
    page = server.get("/api/channels/repo%3Aalice%2Fapp%2Fprs/history")
    assert page.status == 200 and page.json["events"][-1]["data"] == 1
    assert_error(server.get("/api/channels/%ff/history"), 400)


def test_channels_are_listed(start):
    server = start()
    assert server.get("/api/channels").json["channels"] == []
    for name in ("room:b", "room:a", "repo:x/y"):
        server.publish(name)
    server.publish("room:a")
    channels = server.get("/api/channels").json["channels"]
    names = [c.get("channel", c.get("name")) for c in channels]
    assert sorted(names) == ["repo:x/y", "room:a", "room:b"]
    names = [c.get("channel", c.get("name")) for c in server.get("/api/channels?prefix=room:").json["channels"]]
    assert sorted(names) == ["room:a", "room:b"]


def test_sessions_are_listed_and_can_be_disconnected(start):
    server = start()
    client = Client(server, headers=["User-Agent: bell-test/1"])
    client.subscribe("room:x")
    (session,) = server.sessions()
    assert session["protocol"] == "native" and session["user_agent"] == "bell-test/1"
    assert server.call("DELETE", f"/api/sessions/{session['id']}").status in (200, 204)
    code, reason = client.read_message()
    assert code == 8
    client.close()
    wait_until(lambda: not server.sessions())
    assert_error(server.call("DELETE", f"/api/sessions/{session['id']}"), 404)
    assert_error(server.call("DELETE", "/api/sessions/nonsense"), 404)


def test_announcement_reaches_everyone_as_it_is(server, connect):
    clients = [connect() for _ in range(5)]
    text = '{"type":"announcement","text":"maintenance at noon"}'
    answer = server.call("POST", "/api/announce", {"text": text})
    assert answer.status == 200, answer
    assert [client.hear_text() for client in clients] == [text] * 5
    assert_error(server.call("POST", "/api/announce", {"text": 5}), 400)


def test_stats_count_as_guts_does(start):
    server = start()
    assert server.stats() == {"current_connections": 0, "total_connections": 0, "total_subscriptions": 0, "total_events": 0}
    client = Client(server)
    client.subscribe("room:x")
    client.subscribe("room:x")
    server.publish("room:x")
    client.hear()
    server.publish("room:unheard")
    answer = server.get("/api/realtime/stats")
    assert answer.text.replace(" ", "") == '{"current_connections":1,"total_connections":1,"total_subscriptions":1,"total_events":2}'
    client.ask({"type": "unsubscribe", "channel": "room:x"})
    client.shake_close()
    wait_until(lambda: server.stats()["current_connections"] == 0)
    assert server.stats() == {"current_connections": 0, "total_connections": 1, "total_subscriptions": 1, "total_events": 2}


def test_info(server):
    answer = server.get("/api/info")
    assert answer.status == 200 and answer.json["version"]


def test_health(start):
    server = start()
    client = Client(server)
    client.subscribe("room:x")
    health = server.get("/health")
    assert health.status == 200 and health.json["status"] == "up"
    assert health.json["version"] and health.json["uptime_seconds"] >= 0
    realtime = health.json["checks"]["realtime"]
    assert realtime["status"] == "up" and realtime["details"]["connections"] == 1  # True, where guts' stays 0.
    for path in ("/health/live", "/health/ready", "/health/startup"):
        assert server.get(path).status == 200, path
    client.close()
    wait_until(lambda: server.get("/health").json["checks"]["realtime"]["details"]["connections"] == 0)


def metric(server, name):
    return float(re.search(rf"^{name} (\S+)$", server.get("/metrics").text, re.M)[1])


def test_metrics_are_well_formed_and_true(start):
    server = start()
    clients = [Client(server) for _ in range(3)]
    wait_until(lambda: metric(server, "guts_websocket_connections") == 3)
    server.publish("room:x")
    text = server.get("/metrics").text
    assert server.get("/metrics").headers["Content-Type"].startswith("text/plain")
    judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert judged.returncode == 0 and not judged.stderr, judged.stdout + judged.stderr
    for client in clients:
        client.close()
    wait_until(lambda: metric(server, "guts_websocket_connections") == 0)


def test_request_id_is_kept_or_made(server):
    assert server.get("/health", headers={"x-request-id": "abc-123"}).headers["x-request-id"] == "abc-123"
    made = server.get("/health").headers["x-request-id"]
    assert made and made != server.get("/health").headers["x-request-id"]
    assert server.get("/nowhere", headers={"x-request-id": "on-errors-too"}).headers["x-request-id"] == "on-errors-too"
    odd = server.get("/health", headers={"x-request-id": "x" * 5000}).headers["x-request-id"]
    assert odd and len(odd) <= 256


def test_openapi_describes_what_is_served(server):
    answer = server.get("/api/openapi.json")
    assert answer.status == 200 and answer.json["openapi"].startswith("3.")
    base = answer.json["servers"][0]["url"].rstrip("/")
    paths = {base + path: methods for path, methods in answer.json["paths"].items()}
    for path in ("/api/publish", "/api/broadcast", "/api/batch", "/api/channels", "/api/sessions", "/api/info", "/api/realtime/stats"):
        assert path in paths, path
    for path, methods in paths.items():  # Whatever it describes is known to the router.
        for method in methods:
            if method.upper() in ("POST", "DELETE"):
                status = server.call(method.upper(), re.sub(r"\{[^}]*\}", "0", path), "" if method == "post" else None).status
                assert status != 405 and (status != 404 or "{" in path), (method, path, status)


def test_unknown_path_and_wrong_method(server):
    assert_error(server.get("/api/nowhere"), 404)
    answer = server.get("/api/publish")
    assert_error(answer, 405)
    assert answer.headers["Allow"] == "POST"
    answer = server.call("DELETE", "/api/realtime/stats")
    assert_error(answer, 405)
    assert set(re.split(r",\s*", answer.headers["Allow"])) >= {"GET"}


def test_head_is_get_without_the_body(server):
    with RawHttp(server) as wire:
        wire.send(b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        head = wire.read_answer(body_expected=False)
        assert head.status == 200 and int(head.headers["content-length"]) > 0
        assert wire.read_answer().status == 200


def test_keep_alive_and_pipelining_answer_in_order(server, room):
    with RawHttp(server) as wire:
        requests = b""
        for number in range(10):
            body = json.dumps({"channel": room, "event": "e", "data": number})
            requests += f"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            requests += b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        wire.send(requests)
        for number in range(10):
            assert json.loads(wire.read_answer().body)["offset"] == number + 1
            assert b"offset" not in wire.read_answer().body


def test_api_key(start, room):
    server = start("--api-key", "s3cret-bells")
    body = {"channel": room, "event": "e", "data": 1}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret-bells"}, {"Authorization": "Bearer"},
                    {"Authorization": "Bearer s3cret-bell"}, {"Authorization": "Bearer s3cret-bells2"}):
        answer = server.call("POST", "/api/publish", body, headers)
        assert_error(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.get("/api/sessions").status == 401
    assert server.get("/health/live").status == 200
    assert server.call("POST", "/api/publish", body, {"Authorization": "Bearer s3cret-bells"}).status == 200
    assert "s3cret" not in server.log


def test_client_may_not_publish_without_the_key(start, room):
    server = start("--api-key", "s3cret-bells")
    client = Client(server)
    assert client.ask({"type": "publish", "channel": room, "event": "e", "data": 1, "id": 1})["type"] == "error"
    client.subscribe(room)
    server.call("POST", "/api/publish", {"channel": room, "event": "e", "data": 1}, {"Authorization": "Bearer s3cret-bells"})
    assert client.hear()["data"] == 1
    client.close()


def test_development_mode_is_said_in_the_log(start):
    server = start()
    wait_until(lambda: "development" in server.log.lower())
