/**
 * Copies the libraries of the chat page from node_modules into `app/vendor/`, as modules of ECMAScript, with their licences.
 * They are what their authors built; only an export is added where there is none.
 */

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const LANGUAGES = "bash c cpp css go java javascript json python rust sql typescript xml yaml".split(" ");
const HIGHLIGHT = "@highlightjs/cdn-assets";

/**
 * `from`: the file in node_modules. `wrap`: for a script, what makes it a module.
 * @type {{ name: string, from: string, wrap?: (code: string) => string }[]}
 */
const FILES = [
  { name: "marked.js", from: "marked/lib/marked.esm.js" },
  {
    name: "dompurify.js",
    from: "dompurify/dist/purify.min.js",
    wrap: (code) =>
      `const module = { exports: {} };\nconst exports = module.exports;\n${code}\nexport default module.exports;\n`,
  },
  { name: "temml.js", from: "temml/dist/temml.min.js", wrap: (code) => `${code}\nexport default temml;\n` },
  { name: "idb.js", from: "idb/build/index.js" },
  { name: "highlight.js", from: `${HIGHLIGHT}/es/core.min.js` },
  ...LANGUAGES.map((language) => ({
    name: `highlight/${language}.js`,
    from: `${HIGHLIGHT}/es/languages/${language}.min.js`,
  })),
];

const LICENCES = ["marked", "dompurify", "temml", "idb", HIGHLIGHT];

/** @param {string} staging the folder that becomes dist/ */
export function copyVendor(staging) {
  const folder = join(staging, "app/vendor");
  rmSync(folder, { recursive: true, force: true }); // what the types say of them is for us alone
  for (const { name, from, wrap } of FILES) {
    const code = readFileSync(join("node_modules", from), "utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, wrap ? wrap(code) : code);
  }
  for (const library of LICENCES) {
    const name = library.replace(/^@|\/.*$/g, "");
    copyFileSync(join("node_modules", library, "LICENSE"), join(folder, `LICENSE-${name}.txt`));
  }
}
