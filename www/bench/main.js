/** The benchmark page: choose a model, load it, measure, show. It starts as the chat page does. */
import { FailureView } from "../app/failure_view.js";
import { LoadingView } from "../app/loading_view.js";
import { listModelChoices } from "../app/model_choices.js";
import { useLanguage } from "../app/i18n.js";
import { readPageOptions } from "../app/page_options.js";
import { Engine } from "../qwisp.js";
import { answerWith } from "./answer.js";
import { readPlan } from "./bench_options.js";
import { measure } from "./measure.js";
import { ResultView } from "./result_view.js";
import { RunningView } from "./running_view.js";
import { StartView } from "./start_view.js";

/** @typedef {import("../app/model_choices.js").ModelChoice} ModelChoice */

const failureView = new FailureView();
try {
  await useLanguage("en"); // all of this page is in English
  await runPage();
} catch (error) {
  failureView.show(error, [
    { label: "Try again", run: () => location.reload() },
    { label: "Open the plain page", run: () => location.assign(location.pathname) },
  ]);
}

async function runPage() {
  const options = readPageOptions(location.search);
  const plan = readPlan(location.search);
  const choices = await listModelChoices(options.model);
  let stop = new AbortController();
  /** @type {ModelChoice} */
  let lastChoice = choices[0];

  const startView = new StartView((choice) => run(choice));
  const loadingView = new LoadingView(() => stop.abort());
  const runningView = new RunningView(() => stop.abort());
  const resultView = new ResultView(() => run(lastChoice));
  const views = [startView, loadingView, runningView, resultView, failureView];

  const hideAll = () => views.forEach((view) => view.hide());
  const returnToStart = () => {
    hideAll();
    startView.show(choices);
    startView.focus();
  };

  /**
   * @param {ModelChoice} choice
   * @returns {Promise<{ engine: Engine, loadMs: number, isDownload: boolean }>}
   */
  async function load(choice) {
    hideAll();
    loadingView.begin(choice.name);
    loadingView.show();
    let isDownload = false;
    const started = performance.now();
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
      signal: stop.signal,
    });
    const loadMs = performance.now() - started;
    return { engine, loadMs, isDownload };
  }

  /** @param {ModelChoice} choice */
  async function run(choice) {
    lastChoice = choice;
    stop = new AbortController();
    /** @type {Engine | undefined} */
    let engine;
    try {
      const first = await load(choice);
      engine = first.engine;
      let storedLoadMs = first.isDownload ? null : first.loadMs;
      if (first.isDownload && engine.info.stored) {
        await engine.unload();
        const second = await load(choice);
        engine = second.engine;
        storedLoadMs = second.isDownload ? null : second.loadMs;
      }
      hideAll();
      runningView.show(choice.name);
      runningView.update("Measuring the memory");
      const bandwidth = await engine.measureBandwidth();
      stop.signal.throwIfAborted();
      const measured = await measure(answerWith(engine, stop.signal), plan, (step) => runningView.update(step));
      hideAll();
      resultView.show({
        modelName: choice.name,
        info: engine.info,
        networkLoadMs: first.isDownload ? first.loadMs : null,
        storedLoadMs,
        bandwidth,
        ...measured,
        browser: navigator.userAgent,
      });
    } catch (error) {
      if (stop.signal.aborted) returnToStart();
      else showFailure(error, choice);
    } finally {
      await engine?.unload();
    }
  }

  /**
   * @param {unknown} error
   * @param {ModelChoice} choice
   */
  function showFailure(error, choice) {
    hideAll();
    failureView.show(error, [
      { label: "Try again", run: () => run(choice) },
      { label: "Choose another model", run: returnToStart },
    ]);
  }

  startView.show(choices);
}
