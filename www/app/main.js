/** The chat page. It knows the engine only through its public module; it moves between four views. */
import { Engine, storedModels } from "../qwisp.js";
import { askToKeep } from "./ask_to_keep.js";
import { ChatView } from "./chat_view.js";
import { byId } from "./dom.js";
import { FailureView } from "./failure_view.js";
import { FileOpener } from "./file_opener.js";
import { HealthView } from "./health_view.js";
import { startMessages, translate } from "./i18n.js";
import { InstalledPage } from "./installed_page.js";
import { LoadingView } from "./loading_view.js";
import { choiceOfFile, choiceOfStored, listModelChoices } from "./model_choices.js";
import { ModelsView } from "./models_view.js";
import { describeNotKept } from "./not_kept.js";
import { readPageOptions } from "./page_options.js";
import { PrivacyView } from "./privacy_view.js";
import { chatOptions } from "./settings.js";
import { SettingsView } from "./settings_view.js";
import { paintBrowser } from "./theme_choice.js";

/** @typedef {import("./model_choices.js").ModelChoice} ModelChoice */

paintBrowser();
const failureView = new FailureView();
try {
  await startMessages();
  await runPage();
} catch (error) {
  failureView.show(error, [
    { label: translate("failure.again"), run: () => location.reload() },
    { label: translate("failure.plainPage"), run: () => location.assign(location.pathname) },
  ]);
}
new InstalledPage();

async function runPage() {
  const options = readPageOptions(location.search);
  const settingsView = new SettingsView({
    isOverruled: options.system !== null || Object.keys(options.generation).length > 0,
    onChange: () => applySettings(),
  });
  const choices = await listModelChoices(options.model);
  let loading = new AbortController();
  let lastChoice = choices[0];
  /** @type {Engine | null} */
  let engine = null;

  const modelsView = new ModelsView({ choices, onStart: (choice) => load(choice), options });
  const loadingView = new LoadingView(() => loading.abort());
  const healthView = new HealthView(() => chooseOther());
  const chatView = new ChatView({
    system: systemPrompt(),
    onRestart: () => load(lastChoice),
    onAnswer: (result, measured) => healthView.update(result, measured),
    onFailure: (error) => healthView.fail(error),
  });
  const privacyView = new PrivacyView();
  const backToChat = byId("back-to-chat", HTMLButtonElement);
  const views = [modelsView, loadingView, failureView, chatView, healthView];
  const hideAll = () => views.forEach((view) => view.hide());

  new FileOpener((file, isToKeep) => (isToKeep ? keepAndLoad(file) : load(choiceOfFile(file))));
  backToChat.addEventListener("click", () => showChat());

  function systemPrompt() {
    return options.system ?? (settingsView.settings.system.trim() || null);
  }

  function generation() {
    const { settings } = settingsView;
    const thinking = engine?.info.model.thinking ?? "never";
    return chatOptions({ settings, recommended: lastChoice.sampling, address: options.generation, thinking });
  }

  function applySettings() {
    chatView.useOptions({ system: systemPrompt(), generation: generation() });
  }

  function showChat() {
    if (!engine) return;
    hideAll();
    const isFile = lastChoice.address === null;
    const hasFailedChecks = modelsView.probe?.checks.some(({ passed }) => !passed) ?? false;
    healthView.show({ modelName: lastChoice.name, info: engine.info, isFile, hasFailedChecks });
    settingsView.recommend(lastChoice.sampling);
    chatView.show(engine, generation());
  }

  /** @param {ModelChoice} [selected] */
  async function showStart(selected) {
    hideAll();
    backToChat.hidden = engine === null;
    await modelsView.show({ selected });
  }

  async function chooseOther() {
    await showStart();
    modelsView.focus();
  }

  /** @param {ModelChoice} choice */
  async function load(choice) {
    loading.abort();
    const mine = new AbortController();
    loading = mine;
    lastChoice = choice;
    hideAll();
    loadingView.show(choice.name);
    let isDownload = false;
    try {
      await unload();
      const loaded = await Engine.load({
        model: choice.model,
        backend: options.backend,
        tier: options.tier,
        contextLength: options.contextLength,
        kvCache: options.kvCache,
        onProgress: (progress) => {
          isDownload ||= progress.phase === "download";
          if (isDownload && choice.address !== null) privacyView.addDownload(choice.address);
          if (loading === mine) loadingView.update(progress);
        },
        signal: mine.signal,
      });
      if (loading !== mine) return void loaded.unload();
      engine = loaded;
      const { stored, notKept } = engine.info;
      // Only then: whoever said no isn't asked at every visit. The answer makes no difference to what follows.
      if (isDownload && stored) void askToKeep();
      if (!isDownload) privacyView.setModel(choice.address);
      applySettings();
      showChat();
      if (notKept) chatView.note(describeNotKept(notKept));
    } catch (error) {
      if (loading !== mine) return; // another one has begun
      if (mine.signal.aborted) await returnToStart(choice);
      else showFailure(error, choice);
    }
  }

  async function unload() {
    const former = engine;
    engine = null;
    await former?.unload();
  }

  /** @param {File} file */
  async function keepAndLoad(file) {
    loading.abort();
    const mine = new AbortController();
    loading = mine;
    hideAll();
    loadingView.show(file.name);
    try {
      const onProgress = (/** @type {import("../engine/qwisp.d.ts").ImportProgress} */ progress) =>
        loadingView.updateKeeping(progress);
      const stored = await storedModels.importFile(file, { onProgress, signal: mine.signal });
      if (loading === mine) await load(choiceOfStored(stored));
    } catch (error) {
      if (loading !== mine) return;
      if (mine.signal.aborted) await returnToStart();
      else showFailure(error, choiceOfFile(file));
    }
  }

  /** @param {ModelChoice} [choice] */
  async function returnToStart(choice) {
    await showStart(choice);
    modelsView.focus();
  }

  /**
   * @param {unknown} error
   * @param {ModelChoice} choice
   */
  function showFailure(error, choice) {
    hideAll();
    failureView.show(error, [
      { label: translate("failure.again"), run: () => load(choice) },
      { label: translate("failure.otherModel"), run: () => returnToStart(choice) },
    ]);
  }

  // An address alone is no consent to a download: anyone may have made it.
  await showStart();
  const autoloaded = options.autoload ? modelsView.storedChoice(options.model) : null;
  if (autoloaded) await load(autoloaded);
}
