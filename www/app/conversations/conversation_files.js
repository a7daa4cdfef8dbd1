/**
 * Conversations as files. JSON holds everything, all versions included. Markdown holds the version that is shown, for people
 * to read; marks in comments, which occur nowhere else in the file, say where a turn begins, so that it can be read back.
 */
import { ConversationTree, makeId } from "./conversation_tree.js";
import { titleOf } from "./title.js";

/**
 * @typedef {import("./conversation_store.js").StoredConversation} StoredConversation
 * @typedef {import("./conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {import("./conversation_tree.js").AnswerFacts} AnswerFacts
 */

const FORMAT = "qwisp-conversations";
const VERSION = 1;
/** A file that is larger holds no conversations. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** @param {StoredConversation[]} conversations */
export function toJson(conversations) {
  const written = conversations.map(({ summary, messages }) => ({
    ...summary,
    messages: messages.map(({ conversationId: _, ...message }) => message),
  }));
  return `${JSON.stringify({ format: FORMAT, version: VERSION, conversations: written }, null, 2)}\n`;
}

/** @param {StoredConversation} conversation */
export function toMarkdown({ summary, messages }) {
  const path = new ConversationTree(messages, summary.leafId).path();
  const mark = makeId().slice(0, 12);
  const title = summary.title.replace(/\s+/g, " ");
  const turns = path.map(({ role, text, model }) => {
    const heading = role === "user" ? "You" : `Qwisp${model ? ` (${model.replace(/[\n*]/g, " ")})` : ""}`;
    return `<!-- ${mark} ${role} -->\n**${heading}**\n\n${text}\n`;
  });
  return `<!-- qwisp-conversation ${mark} -->\n# ${title}\n\n${turns.join("\n")}`;
}

/**
 * Reads a file of either kind.
 *
 * @param {string} text
 * @returns {StoredConversation[]}
 * @throws {Error} that says what isn't as expected
 */
export function readConversations(text) {
  const start = text.slice(0, 100).trimStart();
  if (start.startsWith("{")) return fromJson(text);
  if (start.startsWith("<!-- qwisp-conversation ")) return [fromMarkdown(text)];
  throw new Error("expected a file that Qwisp exported, JSON or Markdown");
}

/**
 * The same conversation with ids of its own, so that it replaces nothing.
 *
 * @param {StoredConversation} conversation
 * @param {string} id of the conversation
 * @returns {StoredConversation}
 */
export function withNewIds({ summary, messages }, id) {
  const ids = new Map(messages.map((message) => [message.id, makeId()]));
  /** @param {string | null} old */
  const newId = (old) => (old === null ? null : (ids.get(old) ?? null));
  return {
    summary: { ...summary, id, leafId: newId(summary.leafId) },
    messages: messages.map((message) => ({
      ...message,
      id: /** @type {string} */ (newId(message.id)),
      conversationId: id,
      parentId: newId(message.parentId),
    })),
  };
}

/** @param {string} text @returns {StoredConversation[]} */
function fromJson(text) {
  const file = JSON.parse(text);
  if (file?.format !== FORMAT) throw new Error(`expected the format "${FORMAT}", got ${JSON.stringify(file?.format)}`);
  if (file.version !== VERSION) throw new Error(`expected version ${VERSION}, got ${JSON.stringify(file.version)}`);
  return expectArray(file.conversations, "conversations").map((entry, index) =>
    readConversation(entry, `conversations[${index}]`),
  );
}

/**
 * @param {any} entry
 * @param {string} where
 * @returns {StoredConversation}
 */
function readConversation(entry, where) {
  if (typeof entry !== "object" || entry === null) throw new Error(`${where}: expected an object`);
  const id = expectString(entry.id, `${where}.id`);
  const messages = expectArray(entry.messages, `${where}.messages`).map((message, index) =>
    readMessage(message, id, `${where}.messages[${index}]`),
  );
  const tree = new ConversationTree(messages);
  const byId = new Map(messages.map((message) => [message.id, message]));
  if (byId.size !== messages.length) throw new Error(`${where}.messages: expected ids that occur once`);
  for (const { id: ownId, parentId, role } of messages) {
    const expected = role === "user" ? "assistant" : "user";
    const parent = parentId === null ? null : byId.get(parentId);
    if (parentId === null ? role !== "user" : parent?.role !== expected) {
      throw new Error(
        `${where}.messages: expected that ${role} "${ownId}" follows ${expected === "user" ? "a question" : "an answer"}`,
      );
    }
    if (tree.pathTo(ownId)[0]?.parentId !== null) {
      throw new Error(`${where}.messages: expected no circle at "${ownId}"`);
    }
  }
  const createdAt = expectTime(entry.createdAt, `${where}.createdAt`);
  const summary = {
    id,
    title: expectString(entry.title, `${where}.title`),
    createdAt,
    updatedAt: expectTime(entry.updatedAt, `${where}.updatedAt`),
    leafId: typeof entry.leafId === "string" && byId.has(entry.leafId) ? entry.leafId : null,
  };
  return { summary, messages };
}

/**
 * Takes over what is known, and nothing else.
 *
 * @param {any} message
 * @param {string} conversationId
 * @param {string} where
 * @returns {StoredMessage}
 */
function readMessage(message, conversationId, where) {
  const { role, parentId } = message ?? {};
  if (role !== "user" && role !== "assistant") {
    throw new Error(`${where}.role: expected "user" or "assistant", got ${JSON.stringify(role)}`);
  }
  /** @type {StoredMessage} */
  const read = {
    id: expectString(message.id, `${where}.id`),
    conversationId,
    parentId: parentId === null ? null : expectString(parentId, `${where}.parentId`),
    role,
    text: expectString(message.text, `${where}.text`),
    createdAt: expectTime(message.createdAt, `${where}.createdAt`),
  };
  if (typeof message.thinking === "string") read.thinking = message.thinking;
  if (Number.isFinite(message.thinkingMs)) read.thinkingMs = message.thinkingMs;
  if (typeof message.model === "string") read.model = message.model;
  if (message.isInterrupted === true) read.isInterrupted = true;
  const facts = readFacts(message.facts);
  if (facts) read.facts = facts;
  return read;
}

/** @param {any} facts @returns {AnswerFacts | null} */
function readFacts(facts) {
  const numbers = ["completionTokens", "decodeTokensPerSecond", "promptTokens", "cachedTokens", "prefillMs"];
  if (!["stop", "length", "abort"].includes(facts?.finishReason)) return null;
  if (!numbers.every((name) => Number.isFinite(facts[name]))) return null;
  return /** @type {AnswerFacts} */ (
    Object.fromEntries(["finishReason", ...numbers].map((name) => [name, facts[name]]))
  );
}

/** @param {string} text @returns {StoredConversation} */
function fromMarkdown(text) {
  const mark = /^\s*<!-- qwisp-conversation ([0-9a-f]{12}) -->/.exec(text)?.[1];
  if (mark === undefined) throw new Error("expected a mark in the first line");
  const [head, ...parts] = text.replace(/\r\n/g, "\n").split(new RegExp(`^<!-- ${mark} (user|assistant) -->\\n`, "m"));
  const conversationId = makeId();
  const now = Date.now();
  /** @type {StoredMessage[]} */
  const messages = [];
  for (let index = 0; index < parts.length; index += 2) {
    const role = parts[index] === "user" ? "user" : "assistant";
    if (role !== (messages.length % 2 ? "assistant" : "user")) {
      throw new Error(`turn ${messages.length + 1}: expected question and answer in turn`);
    }
    const content = parts[index + 1].replace(/^\*\*[^\n]*\*\*\n\n/, "").replace(/\n{1,2}$/, "");
    const parentId = messages.at(-1)?.id ?? null;
    messages.push({ id: makeId(), conversationId, parentId, role, text: content, createdAt: now + messages.length });
  }
  if (!messages.length) throw new Error("expected at least one question");
  const title = /^# (.+)$/m.exec(head)?.[1] ?? titleOf(messages[0].text);
  const leafId = messages[messages.length - 1].id;
  return { summary: { id: conversationId, title, createdAt: now, updatedAt: now, leafId }, messages };
}

/** @param {unknown} value @param {string} where @returns {any[]} */
function expectArray(value, where) {
  if (!Array.isArray(value)) throw new Error(`${where}: expected a list, got ${typeof value}`);
  return value;
}

/** @param {unknown} value @param {string} where */
function expectString(value, where) {
  if (typeof value !== "string") throw new Error(`${where}: expected a text, got ${typeof value}`);
  return value;
}

/** @param {unknown} value @param {string} where */
function expectTime(value, where) {
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new Error(`${where}: expected a time in ms, got ${value}`);
  return value;
}
