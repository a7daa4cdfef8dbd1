/**
 * Takes the comments out of the scripts that are served: they are more than a third of what would be sent, and whoever wants to
 * read them finds them in the repository. The compiler of TypeScript does it, which knows a comment from a text; licences
 * (`/*! …`) stay, and so do names and lines.
 */

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** What others have built, and made as small as they wanted. */
const NOT_OURS = /^(app\/vendor|engine\/wasm)\//;

/** @param {string} folder in which all `.js` files of this project are rewritten */
export function removeComments(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
  for (const name of names.filter((name) => name.endsWith(".js") && !NOT_OURS.test(name))) {
    const path = join(folder, name);
    const { outputText, diagnostics } = ts.transpileModule(readFileSync(path, "utf8"), {
      fileName: name,
      reportDiagnostics: true,
      compilerOptions: {
        allowJs: true,
        removeComments: true,
        target: ts.ScriptTarget.ESNext,
        module: ts.ModuleKind.ESNext,
        newLine: ts.NewLineKind.LineFeed,
      },
    });
    const [wrong] = diagnostics ?? [];
    if (wrong)
      throw new Error(`${name}: expected a module, got ${ts.flattenDiagnosticMessageText(wrong.messageText, " ")}`);
    writeFileSync(path, outputText);
  }
}
