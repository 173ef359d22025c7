#include "feature/api/openapi_document.h"

#include "wire/json/json_writer.h"

namespace carillon {
namespace {

// The routes stand in api_room.cc; a test holds the two together. `@` marks what differs from server to server.
constexpr std::string_view kTemplate = R"openapi({
  "openapi": "3.1.0",
  "info": {
    "title": "Carillon HTTP API",
    "version": "@VERSION@",
    "description": "Publish, look and steer by plain requests. With an API key configured, requests show it; without, clients on the server's own machine are answered. Users may publish, read history, see who is present and take part in queue groups with a token, where the channel's rule lets them."
  },
  "servers": [{"url": "@PATH@"}],
  "security": [{"apiKey": []}, {}],
  "paths": {
    "/publish": {
      "post": {
        "operationId": "publish",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Publish one event.",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PublishRequest"}}}},
        "responses": {
          "200": {
            "description": "Published, or the receipt of the first one with this idempotency key.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"},
          "429": {"$ref": "#/components/responses/Limit"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/broadcast": {
      "post": {
        "operationId": "broadcast",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Publish one event on many channels.",
        "description": "Each channel succeeds or fails alone; results stand in the order of the channels. Beyond the server's `batch_max` nothing is published (413).",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BroadcastRequest"}}}},
        "responses": {
          "200": {
            "description": "What became of each.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Outcomes"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"}
        }
      }
    },
    "/batch": {
      "post": {
        "operationId": "batch",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Publish many events.",
        "description": "Each publication succeeds or fails alone; results stand in their order. Beyond the server's `batch_max` nothing is published (413).",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BatchRequest"}}}},
        "responses": {
          "200": {
            "description": "What became of each.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Outcomes"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"}
        }
      }
    },
    "/announce": {
      "post": {
        "operationId": "announce",
        "summary": "Send one text to every client, whatever it is subscribed to.",
        "description": "Clients of the native protocol receive the text as it is, with nothing around it; those of Phoenix Channels as the event `announcement` on the topic `phoenix`.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {"schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}
          }
        },
        "responses": {
          "200": {
            "description": "On its way.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"sessions": {"type": "integer", "minimum": 0, "description": "Clients connected when it was sent."}},
                  "required": ["sessions"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"}
        }
      }
    },
    "/channels": {
      "get": {
        "operationId": "listChannels",
        "summary": "Channels that keep history or are subscribed to, in the order of their names.",
        "parameters": [
          {"name": "prefix", "in": "query", "description": "Only names that begin with this.", "schema": {"type": "string"}},
          {
            "name": "after",
            "in": "query",
            "description": "Only names after this one: the last page's `next`.",
            "schema": {"type": "string"}
          },
          {"$ref": "#/components/parameters/limit"}
        ],
        "responses": {
          "200": {
            "description": "One page.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "channels": {"type": "array", "items": {"$ref": "#/components/schemas/Channel"}},
                    "next": {"type": "string", "description": "Present when there are more: ask again with `after`."}
                  },
                  "required": ["channels"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/topics": {
      "get": {
        "operationId": "listTopics",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Channels that have a name, in the order of their ids.",
        "parameters": [
          {
            "name": "after",
            "in": "query",
            "description": "Only ids after this one: the last page's `next`.",
            "schema": {"type": "string", "format": "uuid"}
          },
          {"$ref": "#/components/parameters/limit"}
        ],
        "responses": {
          "200": {
            "description": "One page.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "topics": {"type": "array", "items": {"$ref": "#/components/schemas/Topic"}},
                    "next": {"type": "string", "description": "Present when there are more: ask again with `after`."}
                  },
                  "required": ["topics"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      },
      "post": {
        "operationId": "createTopic",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Give a new channel a name.",
        "description": "For who may publish on the channels `log:*`. Its publications are those of the `channel` in the answer, on every protocol. Changes of topics are published on the channel `topics`.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Need not be the only one of this name."}},
                "required": ["name"]
              }
            }
          }
        },
        "responses": {
          "201": {"description": "Created.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Topic"}}}},
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"},
          "429": {"$ref": "#/components/responses/Limit"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/topics/{id}": {
      "parameters": [
        {"name": "id", "in": "path", "required": true, "description": "The topic's UUID.", "schema": {"type": "string", "format": "uuid"}}
      ],
      "get": {
        "operationId": "showTopic",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "A topic and who has subscribed to it for good.",
        "responses": {
          "200": {
            "description": "The topic.",
            "content": {
              "application/json": {
                "schema": {
                  "allOf": [
                    {"$ref": "#/components/schemas/Topic"},
                    {
                      "type": "object",
                      "properties": {
                        "subscribers": {"type": "array", "items": {"type": "string"}, "description": "Those who are remembered while they are away, 1000 at most."},
                        "more": {"type": "boolean", "description": "There are more of them."}
                      },
                      "required": ["subscribers", "more"]
                    }
                  ]
                }
              }
            }
          },
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      },
      "delete": {
        "operationId": "deleteTopic",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Delete a topic, what its channel kept, and everybody's subscriptions to it.",
        "description": "For who created it, and for who may use all of this API.",
        "responses": {
          "200": {
            "description": "Deleted.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"id": {"type": "string"}, "removed": {"const": true}},
                  "required": ["id", "removed"]
                }
              }
            }
          },
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/channels/{name}": {
      "parameters": [{"$ref": "#/components/parameters/name"}],
      "get": {
        "operationId": "showChannel",
        "summary": "One channel.",
        "description": "A channel that keeps nothing and that nobody hears is shown with zeros.",
        "responses": {
          "200": {
            "description": "The channel.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Channel"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/channels/{name}/history": {
      "parameters": [{"$ref": "#/components/parameters/name"}],
      "get": {
        "operationId": "readHistory",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "What a channel keeps, oldest first.",
        "parameters": [
          {"$ref": "#/components/parameters/limit"},
          {
            "name": "since",
            "in": "query",
            "description": "Only what came after this position (before it, with `reverse`): EPOCH:OFFSET.",
            "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{1,16}:[0-9]+$"}
          },
          {
            "name": "from_ms",
            "in": "query",
            "description": "Instead of `since`: what was published at this Unix time in milliseconds or later (before it, with `reverse`).",
            "schema": {"type": "integer", "minimum": 0}
          },
          {
            "name": "reverse",
            "in": "query",
            "description": "Newest first.",
            "schema": {"type": "string", "enum": ["true", "false"]}
          }
        ],
        "responses": {
          "200": {"description": "One page.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/History"}}}},
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      },
      "delete": {
        "operationId": "removeHistory",
        "summary": "Forget what a channel kept.",
        "description": "Its next publication begins a new epoch.",
        "responses": {
          "200": {
            "description": "Forgotten.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "channel": {
                      "type": "string",
                      "minLength": 1,
                      "maxLength": 255,
                      "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
                    },
                    "removed": {"const": true}
                  },
                  "required": ["channel", "removed"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/channels/close": {
      "post": {
        "operationId": "closeChannel",
        "summary": "End every client's subscription to exactly this channel.",
        "description": "Who is present there is so no more. Clients stay connected, are told, and may subscribe again.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {
                  "channel": {"type": "string", "minLength": 1, "maxLength": 255},
                  "reason": {"type": ["string", "null"], "description": "What the clients are told."},
                  "crash": {
                    "type": "boolean",
                    "default": false,
                    "description": "Something went wrong: clients whose protocol knows the difference come back by themselves."
                  }
                },
                "required": ["channel"]
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "Closed.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"closed": {"type": "integer", "minimum": 0, "description": "Subscriptions ended."}},
                  "required": ["closed"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"}
        }
      }
    },
    "/presence": {
      "get": {
        "operationId": "showPresence",
        "summary": "Who is in a channel, in full.",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "description": "403 where the channel's rule has no `presence = true`.",
        "parameters": [{"$ref": "#/components/parameters/channel"}],
        "responses": {
          "200": {
            "description": "Who is there.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Presence"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/presence_stats": {
      "get": {
        "operationId": "showPresenceStats",
        "summary": "How many are in a channel.",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "description": "403 where the channel's rule has no `presence = true`.",
        "parameters": [{"$ref": "#/components/parameters/channel"}],
        "responses": {
          "200": {
            "description": "How many are there.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PresenceStats"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/groups": {
      "get": {
        "operationId": "listGroups",
        "summary": "Queue groups, by channel and name.",
        "parameters": [
          {"name": "channel", "in": "query", "description": "Only those on this channel.", "schema": {"type": "string"}},
          {"name": "after", "in": "query", "description": "Only what comes after: the last page's `next`.", "schema": {"type": "string"}},
          {"$ref": "#/components/parameters/limit"}
        ],
        "responses": {
          "200": {
            "description": "One page.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "groups": {"type": "array", "items": {"$ref": "#/components/schemas/Group"}},
                    "next": {"type": "string", "description": "Present when there are more: ask again with `after`."}
                  },
                  "required": ["groups"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      },
      "delete": {
        "operationId": "removeGroup",
        "summary": "Delete a queue group.",
        "description": "Its members are told. What it had not settled stays in the channel.",
        "parameters": [
          {"name": "channel", "in": "query", "required": true, "schema": {"type": "string"}},
          {"name": "group", "in": "query", "required": true, "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {
            "description": "Deleted.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"channel": {"type": "string"}, "group": {"type": "string"}, "removed": {"const": true}},
                  "required": ["channel", "group", "removed"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/groups/take": {
      "post": {
        "operationId": "takeFromGroup",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Take publications of a queue group.",
        "description": "Answered at once when something is there, else when something comes, at the latest after `wait_ms`, then with an empty list. What is taken is delivered to nobody else for the visibility time; acknowledge it before. The first take makes the group, with these settings; later ones may leave them out or must repeat them.",
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GroupTake"}}}
        },
        "responses": {
          "200": {
            "description": "What was taken.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "channel": {"type": "string"},
                    "group": {"type": "string"},
                    "deliveries": {"type": "array", "items": {"$ref": "#/components/schemas/GroupDelivery"}}
                  },
                  "required": ["channel", "group", "deliveries"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "409": {"$ref": "#/components/responses/Conflict"},
          "415": {"$ref": "#/components/responses/NotJson"},
          "429": {"$ref": "#/components/responses/Limit"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/groups/ack": {
      "post": {
        "operationId": "ackInGroup",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Deliveries are handled.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "allOf": [{"$ref": "#/components/schemas/GroupDeliveries"}],
                "type": "object",
                "properties": {}
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "Written. `refused` names those that were settled before, delivered anew since, or never made.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GroupSettled"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "409": {"$ref": "#/components/responses/Conflict"},
          "415": {"$ref": "#/components/responses/NotJson"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/groups/nack": {
      "post": {
        "operationId": "nackInGroup",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Deliveries are to be made again.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "allOf": [{"$ref": "#/components/schemas/GroupDeliveries"}],
                "type": "object",
                "properties": {"delay_ms": {"type": "integer", "minimum": 0, "maximum": 43200000, "description": "How long they wait first; 0 unless given."}}
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "Written. `refused` names those that were settled before, delivered anew since, or never made.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GroupSettled"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "409": {"$ref": "#/components/responses/Conflict"},
          "415": {"$ref": "#/components/responses/NotJson"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/groups/extend": {
      "post": {
        "operationId": "extendInGroup",
        "security": [{"apiKey": []}, {"token": []}, {}],
        "summary": "Deliveries need more time.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "allOf": [{"$ref": "#/components/schemas/GroupDeliveries"}],
                "type": "object",
                "properties": {"visibility_ms": {"type": "integer", "minimum": 100, "maximum": 43200000, "description": "From now; the group's unless given."}}
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "Written. `refused` names those that were settled before, delivered anew since, or never made.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GroupSettled"}}}
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "409": {"$ref": "#/components/responses/Conflict"},
          "415": {"$ref": "#/components/responses/NotJson"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/disconnect": {
      "post": {
        "operationId": "disconnect",
        "summary": "Disconnect a user's clients, or one session.",
        "description": "They may connect again.",
        "requestBody": {
          "required": true,
          "content": {
            "application/json": {
              "schema": {
                "type": "object",
                "properties": {
                  "user": {"type": "string", "minLength": 1},
                  "session": {"$ref": "#/components/schemas/SessionId"},
                  "reason": {
                    "type": ["string", "null"],
                    "description": "What the clients are told; a WebSocket shows the first 123 bytes."
                  }
                },
                "oneOf": [{"required": ["user"]}, {"required": ["session"]}]
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "They are being disconnected.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"disconnected": {"type": "integer", "minimum": 0, "description": "How many there were."}},
                  "required": ["disconnected"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/TooLarge"},
          "415": {"$ref": "#/components/responses/NotJson"}
        }
      }
    },
    "/sessions": {
      "get": {
        "operationId": "listSessions",
        "summary": "Connected clients, in the order of their ids.",
        "parameters": [
          {
            "name": "after",
            "in": "query",
            "description": "Only ids after this one: the last page's `next`.",
            "schema": {"type": "string"}
          },
          {"$ref": "#/components/parameters/limit"}
        ],
        "responses": {
          "200": {
            "description": "One page.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}},
                    "next": {"type": "string", "description": "Present when there are more: ask again with `after`."}
                  },
                  "required": ["sessions"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"}
        }
      }
    },
    "/sessions/{id}": {
      "parameters": [{"$ref": "#/components/parameters/id"}],
      "get": {
        "operationId": "showSession",
        "summary": "One connected client.",
        "responses": {
          "200": {
            "description": "The client.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Session"}}}
          },
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"}
        }
      },
      "delete": {
        "operationId": "endSession",
        "summary": "Disconnect a client.",
        "description": "It may connect again.",
        "parameters": [
          {
            "name": "reason",
            "in": "query",
            "description": "What the client is told; a WebSocket shows the first 123 bytes.",
            "schema": {"type": "string"}
          }
        ],
        "responses": {
          "200": {
            "description": "It is being disconnected.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"id": {"$ref": "#/components/schemas/SessionId"}, "disconnected": {"const": true}},
                  "required": ["id", "disconnected"]
                }
              }
            }
          },
          "400": {"$ref": "#/components/responses/Invalid"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"}
        }
      }
    },
    "/info": {
      "get": {
        "operationId": "showInfo",
        "summary": "What this server is and where its limits are.",
        "responses": {
          "200": {"description": "The server.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Info"}}}},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"}
        }
      }
    },
    "/nodes": {
      "get": {
        "operationId": "listNodes",
        "summary": "The servers that share the channels, and their counters together.",
        "description": "With an engine of one process: this server alone, without name, number and address. Counters are as each server last said, some seconds ago at most.",
        "responses": {
          "200": {
            "description": "The servers.",
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "nodes": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "properties": {
                          "name": {"type": "string"},
                          "number": {"type": "integer", "minimum": 0},
                          "address": {"type": "string", "description": "Where the others reach it; empty: they cannot."},
                          "started_at_ms": {"type": "integer"},
                          "this": {"type": "boolean", "description": "The one that answers."},
                          "stats": {"$ref": "#/components/schemas/Counters"}
                        },
                        "required": ["name", "number", "address", "started_at_ms", "this", "stats"]
                      }
                    },
                    "totals": {"$ref": "#/components/schemas/Counters"}
                  },
                  "required": ["nodes", "totals"]
                }
              }
            }
          },
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "503": {"$ref": "#/components/responses/Unavailable"}
        }
      }
    },
    "/realtime/stats": {
      "get": {
        "operationId": "showStats",
        "summary": "Four counters of this server.",
        "security": [{}],
        "responses": {
          "200": {
            "description": "The counters.",
            "content": {
              "application/json": {
                "schema": {"$ref": "#/components/schemas/Counters"}
              }
            }
          }
        }
      }
    },
    "/openapi.json": {
      "get": {
        "operationId": "showOpenapi",
        "summary": "This document.",
        "security": [{}],
        "responses": {"200": {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}}
      }
    }
  },
  "components": {
    "securitySchemes": {
      "apiKey": {"type": "http", "scheme": "bearer"},
      "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    },
    "parameters": {
      "name": {
        "name": "name",
        "in": "path",
        "required": true,
        "description": "The channel, percent-encoded: `repo%3Aalice%2Fapp`.",
        "schema": {"type": "string"}
      },
      "channel": {
        "name": "channel",
        "in": "query",
        "required": true,
        "description": "The channel.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255}
      },
      "id": {"name": "id", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/SessionId"}},
      "limit": {
        "name": "limit",
        "in": "query",
        "description": "At most so many; beyond the server's own limit, that many.",
        "schema": {"type": "integer", "minimum": 1, "default": 100}
      }
    },
    "responses": {
      "Invalid": {
        "description": "The request can never succeed as it is; the message says what is wrong and where.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "Unauthorized": {
        "description": "The API key is missing or wrong.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "Forbidden": {
        "description": "No API key is configured and the client is not on the server's machine, or the channel's rules forbid it.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "Conflict": {"description": "It contradicts what exists.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "NotFound": {
        "description": "There is no such session, or group.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "TooLarge": {
        "description": "A size limit was passed; nothing was published.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "NotJson": {
        "description": "The body's Content-Type is not JSON.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "Limit": {
        "description": "Something is full; later may succeed.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      },
      "Unavailable": {
        "description": "Not now; try again after Retry-After.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
      }
    },
    "schemas": {
      "Counters": {
        "type": "object",
        "properties": {
          "current_connections": {"type": "integer", "minimum": 0},
          "total_connections": {"type": "integer", "minimum": 0},
          "total_subscriptions": {"type": "integer", "minimum": 0},
          "total_events": {"type": "integer", "minimum": 0}
        },
        "required": ["current_connections", "total_connections", "total_subscriptions", "total_events"]
      },
      "Topic": {
        "type": "object",
        "properties": {
          "id": {"type": "string", "format": "uuid"},
          "channel": {"type": "string", "description": "log:<id>"},
          "name": {"type": "string"},
          "creator": {"type": "string", "description": "The user or the session that made it; `api`: a program with the API key."},
          "created_ms": {"type": "integer", "description": "Unix time in milliseconds."},
          "lasting": {"type": "boolean", "description": "It was created. Else a subscription made it, and it goes with the last one."}
        },
        "required": ["id", "channel", "name", "creator", "created_ms", "lasting"]
      },
      "PublishRequest": {
        "type": "object",
        "properties": {
          "channel": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
          },
          "event": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "The event's name: `push`, `pr_opened`, `new_msg`."
          },
          "data": {"description": "Any JSON; delivered byte for byte."},
          "idempotency_key": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 255,
            "description": "A second publication with the same key on the same channel is not published again for a while; its answer is the first one's, with `repeated`."
          }
        },
        "required": ["channel", "event", "data"]
      },
      "BroadcastRequest": {
        "type": "object",
        "properties": {
          "channels": {
            "type": "array",
            "items": {
              "type": "string",
              "minLength": 1,
              "maxLength": 255,
              "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
            }
          },
          "event": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "The event's name: `push`, `pr_opened`, `new_msg`."
          },
          "data": {"description": "Any JSON; delivered byte for byte."},
          "idempotency_key": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 255,
            "description": "A second publication with the same key on the same channel is not published again for a while; its answer is the first one's, with `repeated`."
          }
        },
        "required": ["channels", "event", "data"]
      },
      "BatchRequest": {
        "type": "object",
        "properties": {"publications": {"type": "array", "items": {"$ref": "#/components/schemas/PublishRequest"}}},
        "required": ["publications"]
      },
      "Receipt": {
        "type": "object",
        "properties": {
          "channel": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
          },
          "epoch": {
            "type": "string",
            "pattern": "^[0-9a-f]{16}$",
            "description": "Names one life of the channel's history; another epoch means that offsets began anew."
          },
          "offset": {
            "type": "integer",
            "minimum": 1,
            "description": "Counts the channel's publications within an epoch, from 1 without holes."
          },
          "id": {"type": "string", "format": "uuid", "description": "The event's `event_id`."},
          "repeated": {"const": true, "description": "The idempotency key had been seen; nothing new was published."}
        },
        "required": ["channel", "id"],
        "description": "Without `epoch` and `offset` where the channel keeps no history."
      },
      "Failure": {
        "type": "object",
        "properties": {
          "channel": {"type": "string", "description": "As it was asked for, when it was readable."},
          "error": {"$ref": "#/components/schemas/ErrorBody"}
        },
        "required": ["error"]
      },
      "Outcomes": {
        "type": "object",
        "properties": {
          "results": {
            "type": "array",
            "items": {"anyOf": [{"$ref": "#/components/schemas/Receipt"}, {"$ref": "#/components/schemas/Failure"}]}
          }
        },
        "required": ["results"]
      },
      "Event": {
        "type": "object",
        "properties": {
          "type": {"const": "event"},
          "channel": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
          },
          "event": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "The event's name: `push`, `pr_opened`, `new_msg`."
          },
          "data": {"description": "Any JSON."},
          "timestamp": {"type": "integer", "description": "Unix time in seconds."},
          "event_id": {"type": "string", "format": "uuid"},
          "epoch": {
            "type": "string",
            "pattern": "^[0-9a-f]{16}$",
            "description": "Names one life of the channel's history; another epoch means that offsets began anew."
          },
          "offset": {
            "type": "integer",
            "minimum": 1,
            "description": "Counts the channel's publications within an epoch, from 1 without holes."
          }
        },
        "required": ["type", "channel", "event", "data", "timestamp", "event_id"]
      },
      "History": {
        "type": "object",
        "properties": {
          "channel": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
          },
          "epoch": {
            "type": "string",
            "pattern": "^[0-9a-f]{16}$",
            "description": "Names one life of the channel's history; another epoch means that offsets began anew."
          },
          "offset": {
            "type": "integer",
            "minimum": 0,
            "description": "The newest position of the channel; 0 before the first publication of the epoch."
          },
          "complete": {"type": "boolean", "description": "With `since`: nothing between it and this page is missing."},
          "more": {"type": "boolean", "description": "There is more in this direction: ask again with `since` at the last event."},
          "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}
        },
        "required": ["channel", "complete", "more", "events"]
      },
      "Channel": {
        "type": "object",
        "properties": {
          "channel": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "A channel. `repo:owner/name[/filter]`, `user:name` and `org:name` keep their shapes; every other name is free."
          },
          "subscribers": {"type": "integer", "minimum": 0, "description": "Clients with a subscription to exactly this name."},
          "epoch": {
            "type": "string",
            "pattern": "^[0-9a-f]{16}$",
            "description": "Names one life of the channel's history; another epoch means that offsets began anew."
          },
          "offset": {"type": "integer", "minimum": 0},
          "history": {"type": "integer", "minimum": 0, "description": "Publications kept."}
        },
        "required": ["channel", "subscribers", "history"]
      },
      "PresenceStats": {
        "type": "object",
        "properties": {
          "channel": {"type": "string"},
          "users": {"type": "integer", "minimum": 0, "description": "Keys."},
          "members": {"type": "integer", "minimum": 0, "description": "Metas: one for each client that is present."}
        },
        "required": ["channel", "users", "members"]
      },
      "Presence": {
        "allOf": [{"$ref": "#/components/schemas/PresenceStats"}],
        "type": "object",
        "properties": {
          "presence": {
            "type": "object",
            "description": "By key, which is a user or `anonymous:` and a session's id.",
            "additionalProperties": {
              "type": "object",
              "properties": {"metas": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/PresenceMeta"}}},
              "required": ["metas"]
            }
          }
        },
        "required": ["presence"]
      },
      "PresenceMeta": {
        "type": "object",
        "properties": {
          "ref": {"type": "string", "description": "Another one each time that the client becomes present or changes its meta."},
          "online_at": {"type": "integer", "description": "Unix time in milliseconds."},
          "meta": {"type": "object", "description": "What the client said of itself; byte for byte as it came."},
          "session": {
            "allOf": [{"$ref": "#/components/schemas/SessionId"}],
            "description": "Only for who may use all of the API, not for users with a token."
          }
        },
        "required": ["ref", "online_at"]
      },
      "GroupTake": {
        "type": "object",
        "properties": {
          "channel": {"type": "string", "minLength": 1, "maxLength": 255},
          "group": {"type": "string", "minLength": 1, "maxLength": 128},
          "count": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1},
          "wait_ms": {"type": "integer", "minimum": 0, "maximum": 60000, "default": 0},
          "start": {
            "description": "Where a new group begins; of one that exists it says nothing.",
            "anyOf": [
              {"enum": ["now", "beginning"]},
              {
                "type": "object",
                "properties": {"epoch": {"type": "string"}, "offset": {"type": "integer", "minimum": 0}},
                "required": ["epoch", "offset"]
              }
            ]
          },
          "visibility_ms": {"type": "integer", "minimum": 100, "maximum": 43200000, "default": 30000},
          "deliveries_max": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 5, "description": "0: without end."},
          "dead_letter": {"type": "string", "minLength": 1, "maxLength": 255, "description": "A channel; the channel's name and `/dead` unless given."}
        },
        "required": ["channel", "group"]
      },
      "GroupDelivery": {
        "allOf": [{"$ref": "#/components/schemas/Event"}],
        "type": "object",
        "properties": {
          "group": {"type": "string"},
          "delivery": {"type": "string", "description": "What this delivery is acknowledged by."},
          "attempt": {"type": "integer", "minimum": 1, "description": "The how-manieth delivery of this event this is."}
        },
        "required": ["group", "delivery", "attempt"]
      },
      "GroupDeliveries": {
        "type": "object",
        "properties": {
          "channel": {"type": "string"},
          "group": {"type": "string"},
          "delivery": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1000}]
          }
        },
        "required": ["channel", "group", "delivery"]
      },
      "GroupSettled": {
        "type": "object",
        "properties": {
          "channel": {"type": "string"},
          "group": {"type": "string"},
          "settled": {"type": "integer", "minimum": 1},
          "refused": {"type": "array", "items": {"type": "string"}}
        },
        "required": ["channel", "group", "settled"]
      },
      "Group": {
        "type": "object",
        "properties": {
          "channel": {"type": "string"},
          "group": {"type": "string"},
          "epoch": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
          "offset": {"type": "integer", "minimum": 0, "description": "All up to it are settled."},
          "lag": {"type": "integer", "minimum": 0, "description": "Publications that are not settled."},
          "in_flight": {"type": "integer", "minimum": 0},
          "members": {"type": "integer", "minimum": 0, "description": "Clients, and takes that wait."},
          "visibility_ms": {"type": "integer"},
          "deliveries_max": {"type": "integer"},
          "dead_letter": {"type": "string"},
          "delivered": {"type": "integer", "description": "First deliveries."},
          "redelivered": {"type": "integer"},
          "acked": {"type": "integer"},
          "dead": {"type": "integer", "description": "Moved to the dead-letter channel."},
          "lost": {"type": "integer", "description": "Taken by the channel's retention, or removed, before they were handled."},
          "fault": {"type": "string", "description": "Why nothing else is known: its stored state is damaged, or its channel keeps no history any more."}
        },
        "required": ["channel", "group"]
      },
      "SessionId": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
      "Session": {
        "type": "object",
        "properties": {
          "id": {"$ref": "#/components/schemas/SessionId"},
          "protocol": {"type": "string", "examples": ["native", "sse"]},
          "user": {"type": "string", "description": "Empty: anonymous."},
          "verified": {"type": "boolean", "description": "A token says that this is the user; else it is what the client calls itself."},
          "peer": {"type": "string", "examples": ["127.0.0.1:40312"]},
          "user_agent": {"type": "string"},
          "connected_at": {"type": "integer", "description": "Unix time in seconds."},
          "subscriptions": {"type": "integer", "minimum": 0},
          "outbox_bytes": {"type": "integer", "minimum": 0, "description": "Waiting to be sent."}
        },
        "required": ["id", "protocol", "user", "verified", "peer", "user_agent", "connected_at", "subscriptions", "outbox_bytes"]
      },
      "Info": {
        "type": "object",
        "properties": {
          "server": {"const": "carillon"},
          "version": {"type": "string"},
          "uptime_seconds": {"type": "integer", "minimum": 0},
          "loops": {"type": "integer", "minimum": 1},
          "engine": {"type": "string"},
          "protocols": {
            "type": "array",
            "items": {
              "type": "object",
              "properties": {"name": {"type": "string"}, "path": {"type": "string"}},
              "required": ["name", "path"]
            }
          },
          "limits": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
        },
        "required": ["server", "version", "uptime_seconds", "loops", "engine", "protocols", "limits"]
      },
      "ErrorBody": {
        "type": "object",
        "properties": {
          "code": {
            "type": "string",
            "enum": [
              "invalid",
              "unauthorized",
              "forbidden",
              "not_found",
              "conflict",
              "too_large",
              "limit",
              "unavailable",
              "corrupt",
              "internal",
              "unsupported_media_type"
            ]
          },
          "message": {"type": "string", "description": "For people."}
        },
        "required": ["code", "message"]
      },
      "Error": {"type": "object", "properties": {"error": {"$ref": "#/components/schemas/ErrorBody"}}, "required": ["error"]}
    }
  }
}
)openapi";

void replace_mark(std::string& text, std::string_view mark, std::string_view value) {
  std::string json;
  append_json_string(json, value);
  text.replace(text.find(mark), mark.size(), json);
}

}  // namespace

std::string openapi_document(std::string_view api_path, std::string_view version) {
  std::string text(kTemplate);
  replace_mark(text, "\"@VERSION@\"", version);
  replace_mark(text, "\"@PATH@\"", api_path);
  return text;
}

}  // namespace carillon
