// The `phoenix` package over WebSocket.
import {describe} from "node:test";
import {webSocket17, webSocket18} from "./phoenix_client.js";
import {presenceTests} from "./phoenix_presence.js";
import {topicTests} from "./phoenix_topics.js";

describe("phoenix 1.8 over WebSocket", () => topicTests(webSocket18));
describe("phoenix 1.7 over WebSocket", () => topicTests(webSocket17));
describe("presence of phoenix 1.8 over WebSocket", () => presenceTests(webSocket18));
