/** The core of highlight.js; a language comes from `highlight/<name>.js`. */
interface Highlighter {
  registerLanguage(name: string, grammar: unknown): void;
  highlight(code: string, options: { language: string; ignoreIllegals: boolean }): { value: string };
}
declare const highlighter: Highlighter;
export default highlighter;
