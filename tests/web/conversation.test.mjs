/** One conversation and its store: what is stored when, and what happens when the store fails or somebody deletes it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Conversation } from "../../www/app/conversations/conversation.js";

/** A store that fails when told to. */
function fakeStore() {
  /** @type {Map<string, any>} */
  const summaries = new Map();
  /** @type {Map<string, string>} */
  const texts = new Map();
  const state = { isBroken: false };
  /** @param {any} summary @param {any[]} messages */
  const put = async (summary, messages = []) => {
    if (state.isBroken) throw new Error("no room");
    summaries.set(summary.id, summary);
    for (const { id, text } of messages) texts.set(id, text);
  };
  const store = {
    save: put,
    update: async (/** @type {any} */ summary, /** @type {any[]} */ messages) => {
      if (!summaries.has(summary.id)) return false;
      await put(summary, messages);
      return true;
    },
    removeMessages: async (/** @type {string[]} */ ids) => ids.forEach((id) => texts.delete(id)),
    remove: async (/** @type {string} */ id) => void summaries.delete(id),
  };
  return { store: /** @type {any} */ (store), state, summaries, texts };
}

/** @param {Conversation} conversation @param {string} text */
function addTurn(conversation, text) {
  const question = conversation.add("user", conversation.tree.leafId, text);
  return [question, conversation.add("assistant", question.id, `${text}!`)];
}

describe("a conversation", () => {
  it("takes a failed turn out at once, and leaves the next one alone", async () => {
    const { store, summaries, texts } = fakeStore();
    const conversation = new Conversation(store);
    const first = addTurn(conversation, "one");
    await conversation.save(first);
    const [question, answer] = addTurn(conversation, "two");
    const discarded = conversation.discard([answer, question], first[1].id);
    assert.equal(conversation.tree.leafId, first[1].id);
    const third = addTurn(conversation, "three");
    await discarded;
    await conversation.save(third);
    assert.deepEqual(
      conversation.tree.path().map(({ text }) => text),
      ["one", "one!", "three", "three!"],
    );
    assert.equal(summaries.get(conversation.id).leafId, third[1].id);
    assert.deepEqual([...texts.values()], ["one", "one!", "three", "three!"]);
  });

  it("stores later what the store did not take", async () => {
    const { store, state, texts } = fakeStore();
    const conversation = new Conversation(store);
    state.isBroken = true;
    await assert.rejects(conversation.save(addTurn(conversation, "one")), /no room/);
    assert.equal(conversation.isStored, false);
    state.isBroken = false;
    await conversation.save(addTurn(conversation, "two"));
    state.isBroken = true;
    await assert.rejects(conversation.save(addTurn(conversation, "three")), /no room/);
    state.isBroken = false;
    await conversation.save([]);
    assert.deepEqual([...texts.values()], ["one", "one!", "two", "two!", "three", "three!"]);
  });

  it("stays deleted, here and by another tab", async () => {
    for (const isToMark of [true, false]) {
      const { store, summaries, texts } = fakeStore();
      const conversation = new Conversation(store);
      const turn = addTurn(conversation, "one");
      await conversation.save(turn);
      if (isToMark) conversation.markGone();
      await store.remove(conversation.id);
      texts.clear();
      await conversation.save(turn);
      await conversation.discard([turn[1], turn[0]], null);
      await conversation.save(turn);
      assert.equal(summaries.size + texts.size, 0);
    }
  });
});
