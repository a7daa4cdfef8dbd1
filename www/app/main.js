/** The chat page. It knows the engine only through its public module; it moves between four views. */
import { Engine } from "../qwisp.js";
import { askToKeep } from "./ask_to_keep.js";
import { ChatView } from "./chat_view.js";
import { EngineFacts } from "./engine_facts.js";
import { FailureView } from "./failure_view.js";
import { rememberLoaded, wasLoadedBefore } from "./loaded_before.js";
import { LoadingView } from "./loading_view.js";
import { listModelChoices } from "./model_choices.js";
import { readPageOptions } from "./page_options.js";
import { StartView } from "./start_view.js";

/** @typedef {import("./model_choices.js").ModelChoice} ModelChoice */

const NOT_STORED = "Not kept on this device: the browser refused to store it";

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

  const startView = new StartView((choice) => load(choice));
  const loadingView = new LoadingView(() => loading.abort());
  const chatView = new ChatView({
    system: options.system,
    onRestart: () => load(lastChoice),
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

  /** @param {ModelChoice} choice */
  async function load(choice) {
    lastChoice = choice;
    loading = new AbortController();
    hideAll();
    loadingView.show(choice.name);
    let isDownload = false;
    try {
      const engine = await Engine.load({
        model: choice.model,
        backend: options.backend,
        tier: options.tier,
        contextLength: options.contextLength,
        kvCache: options.kvCache,
        onProgress: (progress) => {
          isDownload ||= progress.phase === "download";
          loadingView.update(progress);
        },
        signal: loading.signal,
      });
      const { stored } = engine.info;
      if (choice.address !== null) rememberLoaded(choice.address, stored);
      // Only then: whoever said no isn't asked at every visit. The answer makes no difference to what follows.
      if (isDownload && stored) void askToKeep();
      hideAll();
      engineFacts.show(choice.name, engine.info);
      chatView.show(engine, { ...choice.sampling, ...options.generation });
      if (choice.address !== null && !stored) chatView.note(NOT_STORED);
    } catch (error) {
      if (loading.signal.aborted) returnToStart();
      else showFailure(error, choice);
    }
  }

  /**
   * @param {unknown} error
   * @param {ModelChoice} choice
   */
  function showFailure(error, choice) {
    hideAll();
    failureView.show(error, [
      { label: "Try again", run: () => load(choice) },
      { label: "Choose another model", run: returnToStart },
    ]);
  }

  // An address alone is no consent to a download: anyone may have made it.
  const [{ address }] = choices;
  if (options.autoload && address !== null && wasLoadedBefore(address)) await load(choices[0]);
  else showStart();
}
