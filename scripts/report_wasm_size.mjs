/** Prints the size of the built wasm module, and fails when it is over its budget for what a visitor downloads. */

import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const WASM = "dist/engine/wasm/qwisp_bg.wasm";
const BUDGET_BYTES = 1 << 20; // with brotli

const wasm = readFileSync(WASM);
const brotliBytes = brotliCompressSync(wasm, {
  params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length },
}).length;
const ofBudget = ((100 * brotliBytes) / BUDGET_BYTES).toFixed(0);
console.log(`${WASM}: ${wasm.length} bytes raw, ${brotliBytes} bytes with brotli (${ofBudget}% of its budget)`);
if (brotliBytes > BUDGET_BYTES) {
  console.error(`error: it is ${brotliBytes - BUDGET_BYTES} bytes over its budget of ${BUDGET_BYTES} bytes`);
  process.exit(1);
}
