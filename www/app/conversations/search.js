/** Searches titles and texts of conversations, a few conversations at a time so that the page stays alive. */

/**
 * @typedef {import("./conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversation_store.js").ConversationSummary} ConversationSummary
 */

const AT_A_TIME = 10;

/**
 * @param {ConversationStore} store
 * @param {ConversationSummary[]} summaries
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {Promise<ConversationSummary[]>} those in which every word occurs, in the order of `summaries`
 */
export async function searchConversations(store, summaries, text, signal) {
  const words = fold(text).split(/\s+/).filter(Boolean);
  /** @type {ConversationSummary[]} */
  const found = [];
  for (let index = 0; index < summaries.length; index += AT_A_TIME) {
    const group = summaries.slice(index, index + AT_A_TIME);
    const messages = await store.messagesOf(group.map(({ id }) => id));
    if (signal.aborted) return [];
    for (const summary of group) {
      const texts = messages
        .filter(({ conversationId }) => conversationId === summary.id)
        .map((message) => message.text);
      const all = fold([summary.title, ...texts].join("\n"));
      if (words.every((word) => all.includes(word))) found.push(summary);
    }
  }
  return found;
}

/** Case and accents make no difference. @param {string} text */
function fold(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{Mn}/gu, "")
    .toLowerCase();
}
