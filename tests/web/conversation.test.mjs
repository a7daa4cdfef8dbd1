/** One conversation and its store: what is stored when, and what happens when the store fails or somebody deletes it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Conversation, DeletedElsewhere } from "../../www/app/conversations/conversation.js";
import { memoryStore } from "../../www/app/conversations/memory_store.js";

/** A store that fails when told to. */
function fragileStore() {
  const memory = memoryStore();
  const state = { isBroken: false };
  const check = () => {
    if (state.isBroken) throw new Error("no room");
  };
  /** @type {import("../../www/app/conversations/conversation_store.js").ConversationStore} */
  const store = {
    ...memory,
    save: async (...given) => (check(), memory.save(...given)),
    update: async (...given) => (check(), memory.update(...given)),
  };
  return { store, state };
}

/** @param {import("../../www/app/conversations/conversation_store.js").ConversationStore} store @param {string} id */
const storedTexts = async (store, id) => (await store.messagesOf([id])).map(({ text }) => text);

/** @param {Conversation} conversation @param {string} text */
function addTurn(conversation, text) {
  const question = conversation.add("user", conversation.tree.leafId, text);
  return [question, conversation.add("assistant", question.id, `${text}!`)];
}

describe("a conversation", () => {
  it("takes a failed turn out at once, and leaves the next one alone", async () => {
    const store = memoryStore();
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
    assert.equal((await store.read(conversation.id))?.summary.leafId, third[1].id);
    assert.deepEqual(await storedTexts(store, conversation.id), ["one", "one!", "three", "three!"]);
  });

  it("stores later what the store did not take", async () => {
    const { store, state } = fragileStore();
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
    assert.deepEqual(await storedTexts(store, conversation.id), ["one", "one!", "two", "two!", "three", "three!"]);
  });

  it("stays deleted", async () => {
    const store = memoryStore();
    const conversation = new Conversation(store);
    const turn = addTurn(conversation, "one");
    await conversation.save(turn);
    conversation.markGone();
    await store.remove(conversation.id);
    await conversation.save(turn);
    await conversation.discard([turn[1], turn[0]], null);
    await conversation.save(turn);
    assert.deepEqual([await store.list(), await storedTexts(store, conversation.id)], [[], []]);
  });

  it("stays deleted by another tab, says so, and is stored again when that tab brings it back", async () => {
    const store = memoryStore();
    const conversation = new Conversation(store);
    await conversation.save(addTurn(conversation, "one"));
    const deleted = await store.read(conversation.id);
    assert.ok(deleted);
    await store.remove(conversation.id);
    const [question, answer] = addTurn(conversation, "two");
    await assert.rejects(conversation.save([question, answer]), DeletedElsewhere);
    await assert.rejects(conversation.discard([answer], question.id), DeletedElsewhere);
    assert.deepEqual([await store.list(), await storedTexts(store, conversation.id)], [[], []]);
    await store.save(deleted.summary, deleted.messages);
    await conversation.save([]);
    assert.deepEqual(await storedTexts(store, conversation.id), ["one", "one!", "two"]);
  });

  it("takes nothing away that another tab has added", async () => {
    const store = memoryStore();
    const here = new Conversation(store);
    const question = here.add("user", null, "Why?");
    await here.save([question]);
    const there = new Conversation(store, await store.read(here.id));
    await there.save([there.add("assistant", question.id, "Because.")]);
    await here.discard([here.add("assistant", question.id, ""), question], null);
    assert.deepEqual(await storedTexts(store, here.id), ["Why?", "Because."]);
    const stored = new Conversation(store, await store.read(here.id));
    assert.deepEqual(
      stored.tree.path().map(({ text }) => text),
      ["Why?", "Because."],
    );
  });

  it("is stored as a new one after its only question was taken back, under the next one's title", async () => {
    const store = memoryStore();
    const conversation = new Conversation(store);
    const question = conversation.add("user", null, "Badly put");
    await conversation.save([question]);
    await conversation.discard([question], null);
    assert.deepEqual(await store.list(), []);
    await conversation.save(addTurn(conversation, "Well put"));
    assert.deepEqual(
      (await store.list()).map(({ title }) => title),
      ["Well put"],
    );
  });
});
