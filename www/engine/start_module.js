import { QwispError } from "./errors.js";

const GLUE_URL = new URL("./wasm/qwisp.js", import.meta.url);
const WASM_URL = new URL("./wasm/qwisp_bg.wasm", import.meta.url);

/** @type {Promise<any> | null} */
let started = null;

/**
 * Fetches, compiles and starts the engine's WebAssembly module, once.
 *
 * @param {(message: string) => void} onPanic Called when the Rust code panics; the module is dead after that.
 * @returns {Promise<any>} The module's exports.
 */
export function startModule(onPanic) {
  started ??= start(onPanic).catch((error) => {
    started = null;
    throw error;
  });
  return started;
}

/** @param {(message: string) => void} onPanic */
async function start(onPanic) {
  const [glue, response] = await Promise.all([importGlue(), fetchWasm()]);
  try {
    await glue.default({ module_or_path: response });
  } catch (cause) {
    throw new QwispError(
      "internal",
      `${WASM_URL} could not be compiled and started: ${cause}. It needs a browser with WebAssembly SIMD, and a ` +
        "content security policy, if there is one, whose script-src allows 'wasm-unsafe-eval'.",
      { cause },
    );
  }
  glue.set_panic_handler(onPanic);
  return glue;
}

async function importGlue() {
  try {
    return await import(GLUE_URL.href);
  } catch (cause) {
    throw new QwispError("network", `${GLUE_URL}: expected a JavaScript module, got ${cause}`, { cause });
  }
}

async function fetchWasm() {
  let response;
  try {
    response = await fetch(WASM_URL);
  } catch (cause) {
    throw new QwispError("network", `${WASM_URL}: expected the engine's WebAssembly module, got ${cause}`, { cause });
  }
  if (!response.ok) {
    throw new QwispError(
      "network",
      `${WASM_URL}: expected the engine's WebAssembly module, got HTTP ${response.status} ${response.statusText}`,
    );
  }
  return response;
}
