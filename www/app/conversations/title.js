/** More doesn't fit in a list. */
const MAX_TITLE = 60;

/** A title from the first question: its first words, without the marks of Markdown. @param {string} question */
export function titleOf(question) {
  const line = question.split("\n").find((candidate) => /[\p{L}\p{N}]/u.test(candidate)) ?? question;
  const plain = line
    .replace(/[`*_#>]+|\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
  const characters = [...plain];
  if (characters.length <= MAX_TITLE) return plain;
  const cut = characters.slice(0, MAX_TITLE - 1).join("");
  const end = cut.lastIndexOf(" ");
  return `${(end > MAX_TITLE / 2 ? cut.slice(0, end) : cut).trimEnd()}…`;
}
