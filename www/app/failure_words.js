/**
 * What each kind of failure means to a person, and what can be done about it. The error's own message has the details.
 *
 * @type {Record<import("../qwisp.js").ErrorKind, { title: string, advice: string }>}
 */
export const FAILURE_WORDS = {
  "no-webgpu": {
    title: "This browser offers no WebGPU",
    advice:
      "The address of this page asks for WebGPU. Use a current Chrome or Edge, or a newer version of this browser, and " +
      "update the graphics driver; the page itself has to come over HTTPS or from localhost. Without backend=webgpu in " +
      "its address, Qwisp computes on the processor.",
  },
  "unsupported-model": {
    title: "This model isn't supported",
    advice: "The file is a sound GGUF, but of a kind that Qwisp cannot run. Small Qwen models work best.",
  },
  "bad-file": {
    title: "This isn't a model Qwisp can read",
    advice: "The file is damaged, incomplete or not a GGUF at all.",
  },
  network: {
    title: "The download failed",
    advice: "Check the connection and try again. The download then starts from the beginning.",
  },
  integrity: {
    title: "The file isn't the expected one",
    advice: "Its checksum is wrong, so it was damaged or exchanged on the way. It is not used.",
  },
  quota: {
    title: "This browser's storage is full",
    advice: "Free some space on this device or remove other sites' data, then try again.",
  },
  "out-of-memory": {
    title: "Not enough memory",
    advice: "Close other tabs or programs and try again, or choose a smaller model.",
  },
  "device-lost": {
    title: "The GPU went away",
    advice: "That happens after sleep, a driver update or under heavy load. Starting again usually helps.",
  },
  "context-full": {
    title: "This chat has become too long for the model",
    advice: "Start a new chat, or ask something shorter.",
  },
  aborted: { title: "Stopped", advice: "Loading was cancelled." },
  "invalid-argument": { title: "That can't be done", advice: "Something that was asked for is not valid." },
  unloaded: { title: "The model was closed", advice: "Start it again to go on." },
  internal: { title: "Something went wrong inside Qwisp", advice: "Starting again usually helps." },
};
