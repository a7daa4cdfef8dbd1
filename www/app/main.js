/** The chat page. It knows the engine only through its public module; it moves between four views. */
import { Engine } from "../qwisp.js";
import { ChatView } from "./chat_view.js";
import { EngineFacts } from "./engine_facts.js";
import { FailureView } from "./failure_view.js";
import { rememberLoaded } from "./loaded_before.js";
import { LoadingView } from "./loading_view.js";
import { listModelChoices } from "./model_choices.js";
import { readPageOptions } from "./page_options.js";
import { StartView } from "./start_view.js";

/** @typedef {import("./model_choices.js").ModelChoice} ModelChoice */

const failureView = new FailureView();
try {
  await runPage();
} catch (error) {
  failureView.show(error, [
    { label: "Try again", run: () => location.reload() },
    { label: "Open the plain page", run: () => location.assign(location.pathname) },
  ]);
}

async function runPage() {
  const options = readPageOptions(location.search);
  const choices = await listModelChoices(options.model);
  const engineFacts = new EngineFacts();
  let loading = new AbortController();
  /** @type {ModelChoice} */
  let lastChoice = choices[0];
  let lastBackend = options.backend;

  const startView = new StartView((choice) => load(choice, options.backend));
  const loadingView = new LoadingView(() => loading.abort());
  const chatView = new ChatView({
    system: options.system,
    onRestart: () => load(lastChoice, lastBackend),
    onAnswer: (result) => engineFacts.update(result),
  });
  const views = [startView, loadingView, failureView, chatView, engineFacts];

  const hideAll = () => views.forEach((view) => view.hide());
  const showStart = () => {
    hideAll();
    startView.show(choices);
  };
  const returnToStart = () => {
    showStart();
    startView.focus();
  };

  /**
   * @param {ModelChoice} choice
   * @param {"auto" | "webgpu" | "cpu"} backend
   */
  async function load(choice, backend) {
    lastChoice = choice;
    lastBackend = backend;
    loading = new AbortController();
    hideAll();
    loadingView.show(choice.name);
    try {
      const engine = await Engine.load({
        model: choice.model,
        backend,
        contextLength: options.contextLength,
        onProgress: (progress) => loadingView.update(progress),
        signal: loading.signal,
      });
      if (choice.address) rememberLoaded(choice.address);
      hideAll();
      engineFacts.show(choice.name, engine.info);
      chatView.show(engine, { ...choice.sampling, ...options.generation });
    } catch (error) {
      if (loading.signal.aborted) returnToStart();
      else showFailure(error, choice, backend);
    }
  }

  /**
   * @param {unknown} error
   * @param {ModelChoice} choice
   * @param {"auto" | "webgpu" | "cpu"} backend
   */
  function showFailure(error, choice, backend) {
    const noGpu = /** @type {{ kind?: string }} */ (error).kind === "no-webgpu";
    hideAll();
    failureView.show(error, [
      ...(noGpu ? [{ label: "Run on the processor", run: () => load(choice, "cpu") }] : []),
      { label: "Try again", run: () => load(choice, backend) },
      { label: "Choose another model", run: returnToStart },
    ]);
  }

  if (options.autoload) await load(choices[0], options.backend);
  else showStart();
}
