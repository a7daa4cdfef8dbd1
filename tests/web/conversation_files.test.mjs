/** Conversations without a page: versions, titles, files and what is refused. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readConversations, toJson, toMarkdown, withNewIds } from "../../www/app/conversations/conversation_files.js";
import { ConversationTree } from "../../www/app/conversations/conversation_tree.js";
import { titleOf } from "../../www/app/conversations/title.js";

/** @typedef {import("../../www/app/conversations/conversation_tree.js").StoredMessage} StoredMessage */

/**
 * @param {string} id
 * @param {string | null} parentId
 * @param {"user" | "assistant"} role
 * @param {number} createdAt
 * @returns {StoredMessage}
 */
const message = (id, parentId, role, createdAt) => ({
  id,
  conversationId: "c",
  parentId,
  role,
  text: `text of ${id}`,
  createdAt,
});

/** A question with two answers, the second of which is followed by a question in two versions. */
const MESSAGES = [
  message("q1", null, "user", 1),
  message("a1", "q1", "assistant", 2),
  message("a2", "q1", "assistant", 3),
  message("q2", "a2", "user", 4),
  message("q3", "a2", "user", 5),
  message("a3", "q3", "assistant", 6),
];
const STORED = {
  summary: { id: "c", title: "A title", createdAt: 1, updatedAt: 9, leafId: "a3" },
  messages: MESSAGES,
};

/** @param {StoredMessage[]} path */
const ids = (path) => path.map(({ id }) => id);

describe("a conversation's versions", () => {
  it("are shown one at a time, and the last one that was said after a message with it", () => {
    const tree = new ConversationTree(MESSAGES, "a3");
    assert.deepEqual(ids(tree.path()), ["q1", "a2", "q3", "a3"]);
    assert.deepEqual(ids(tree.versions(MESSAGES[1])), ["a1", "a2"]);
    tree.select("a1");
    assert.deepEqual(ids(tree.path()), ["q1", "a1"]);
    tree.select("a2");
    assert.deepEqual(ids(tree.path()), ["q1", "a2", "q3", "a3"]);
  });

  it("lose nothing that something follows", () => {
    const tree = new ConversationTree(MESSAGES, "a3");
    tree.remove("q3");
    assert.ok(tree.get("q3"));
    tree.remove("a3");
    tree.remove("q3");
    assert.deepEqual(ids(tree.path()), ["q1", "a2"]);
  });
});

describe("titles", () => {
  for (const [question, title] of [
    ["  Hello   there ", "Hello there"],
    ["\n\n# **Why** is `x` a [link](https://example.org)?\nmore", "Why is x a link?"],
    ["```\ncode first\n```", "code first"],
    ["一".repeat(80), `${"一".repeat(59)}…`],
    [`${"word ".repeat(20)}`, `${"word ".repeat(11).trim()}…`],
    ["?!", "?!"],
  ]) {
    it(`of ${JSON.stringify(question.slice(0, 30))}`, () => assert.equal(titleOf(question), title));
  }
});

describe("conversations in files", () => {
  it("come back from JSON with all versions", () => {
    assert.deepEqual(readConversations(toJson([STORED])), [STORED]);
  });

  it("come back from Markdown as they were shown, whatever their texts are", () => {
    const texts = [
      "# A heading\n\n**You**\n\n",
      "<!-- abc user -->\n\n```\n<!-- qwisp-conversation 0 -->\n```",
      "last",
    ];
    const messages = texts.map((text, index) => ({
      ...message(`m${index}`, index ? `m${index - 1}` : null, index % 2 ? "assistant" : "user", index),
      text,
    }));
    const [read] = readConversations(toMarkdown({ summary: { ...STORED.summary, leafId: "m2" }, messages }));
    assert.deepEqual(
      read.messages.map(({ role, text }) => ({ role, text })),
      messages.map(({ role, text }) => ({ role, text: text.replace(/\n+$/, (end) => end.slice(0, 2)) })),
    );
    assert.equal(read.summary.title, "A title");
  });

  it("get new ids where theirs are taken", () => {
    const renamed = withNewIds(STORED, "other");
    assert.ok(renamed.messages.every(({ id, conversationId }) => !/^[qa]\d$/.test(id) && conversationId === "other"));
    const path = new ConversationTree(renamed.messages, renamed.summary.leafId).path();
    assert.deepEqual(
      path.map(({ text }) => text),
      ["text of q1", "text of a2", "text of q3", "text of a3"],
    );
  });

  const written = () => JSON.parse(toJson([STORED]));
  /** @type {[string, (file: any) => void, RegExp][]} */
  const wrong = [
    ["another format", (file) => (file.format = "x"), /expected the format "qwisp-conversations", got "x"/],
    ["another version", (file) => (file.version = 2), /expected version 1, got 2/],
    ["no list", (file) => (file.conversations = {}), /conversations: expected a list/],
    ["a system message", (file) => (file.conversations[0].messages[0].role = "system"), /role: expected "user"/],
    [
      "a text that is none",
      (file) => (file.conversations[0].messages[2].text = 1),
      /messages\[2\].text: expected a text/,
    ],
    ["an answer to nothing", (file) => (file.conversations[0].messages[1].parentId = null), /follows a question/],
    ["an answer to an answer", (file) => (file.conversations[0].messages[5].parentId = "a1"), /follows a question/],
    ["the same id twice", (file) => (file.conversations[0].messages[1].id = "q1"), /ids that occur once/],
    ["a circle", (file) => (file.conversations[0].messages[0].parentId = "a3"), /no circle/],
    ["a time that is none", (file) => (file.conversations[0].createdAt = "now"), /createdAt: expected a time/],
  ];
  for (const [name, spoil, expected] of wrong) {
    it(`are refused with ${name}`, () => {
      const file = written();
      spoil(file);
      assert.throws(() => readConversations(JSON.stringify(file)), expected);
    });
  }

  it("are refused as anything else", () => {
    assert.throws(() => readConversations("# Notes"), /expected a file that Qwisp exported/);
  });

  it("bring nothing that nobody asked for", () => {
    const file = written();
    Object.assign(file.conversations[0].messages[1], { evil: 1, facts: { finishReason: "stop", promptTokens: "x" } });
    assert.deepEqual(readConversations(JSON.stringify(file)), [STORED]);
  });
});
