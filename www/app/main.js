/** The chat page. It knows the engine only through its public module; it moves between four views. */
import { Engine, storedModels } from "../qwisp.js";
import { askToKeep } from "./ask_to_keep.js";
import { ChatView } from "./chat_view.js";
import { openConversationStore } from "./conversations/conversation_store.js";
import { byId, isFocusHidden } from "./dom.js";
import { FailureView } from "./failure_view.js";
import { FileOpener } from "./file_opener.js";
import { HealthView } from "./health_view.js";
import { startMessages, translate } from "./i18n.js";
import { InstalledPage } from "./installed_page.js";
import { onLaunch } from "./launch.js";
import { LoadingView } from "./loading_view.js";
import { choiceOfFile, choiceOfStored, listModelChoices } from "./model_choices.js";
import { ModelsView } from "./models_view.js";
import { describeNotKept } from "./not_kept.js";
import { forgetWishes, readPageOptions } from "./page_options.js";
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
  forgetWishes();
  const opening = openConversationStore();
  const settingsView = new SettingsView({
    isOverruled: options.system !== null || Object.keys(options.generation).length > 0,
    onChange: () => applySettings(),
  });
  const choices = await listModelChoices(options.model);
  /** Stops the load that is under way. @type {AbortController | null} */
  let loading = null;
  let lastChoice = choices[0];
  let loadingName = "";
  /** @type {Engine | null} */
  let engine = null;

  const modelsView = new ModelsView({ choices, onStart: (choice) => load(choice), options });
  const loadingView = new LoadingView(() => loading?.abort());
  const healthView = new HealthView(() => chooseModel());
  const chatView = new ChatView({
    system: systemPrompt(),
    onOpen: () => showChat(),
    onStartOver: () => leaveEmptyChat(),
    onRestart: () => load(lastChoice),
    onAnswer: (result, measured) => healthView.update(result, measured),
    onFailure: (error) => healthView.fail(error),
  });
  const privacyView = new PrivacyView();
  const backToChat = byId("back-to-chat", HTMLButtonElement);
  const views = [modelsView, loadingView, failureView, chatView, healthView];
  /** @param {ChatView | null} [but] */
  const hideAll = (but = null) => views.forEach((view) => view !== but && view.hide());

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
    hideAll(chatView);
    if (!engine) return chatView.read(() => describeGate());
    const isFile = lastChoice.address === null;
    const hasFailedChecks = modelsView.probe?.checks.some(({ passed }) => !passed) ?? false;
    healthView.show({ modelName: lastChoice.name, info: engine.info, isFile, hasFailedChecks });
    settingsView.recommend(lastChoice.sampling);
    chatView.show(engine, generation());
  }

  /** What stands between a conversation that can be read and one that goes on. */
  function describeGate() {
    if (loading) {
      const progress = { label: translate("gate.progress"), run: () => showLoading() };
      return { text: translate("gate.opening", { model: loadingName }), actions: [progress] };
    }
    const stored = modelsView.storedChoice(options.model);
    if (!stored) {
      const choose = { label: translate("gate.choose"), run: () => chooseModel() };
      return { text: translate("gate.text"), actions: [choose] };
    }
    const start = { label: translate("start.start"), run: () => load(stored) };
    const other = { label: translate("failure.otherModel"), run: () => chooseModel() };
    return { text: translate("gate.stored", { model: stored.name }), actions: [start, other] };
  }

  function showLoading() {
    hideAll();
    loadingView.show();
  }

  /** @param {ModelChoice} [selected] */
  async function showStart(selected) {
    hideAll();
    showWayBack();
    await modelsView.show({ selected });
  }

  function showWayBack() {
    backToChat.hidden = engine === null && chatView.isEmpty;
  }

  /** @param {ModelChoice} [selected] */
  async function chooseModel(selected) {
    await showStart(selected);
    modelsView.focus();
  }

  /** A new conversation without a model is what the start page is for. */
  async function leaveEmptyChat() {
    showWayBack();
    if (engine || !chatView.isShown) return;
    if (loading) return showLoading();
    const shown = showStart();
    // Another tab may have deleted the conversation, while somebody here does something else.
    const wasFocused = isFocusHidden();
    await shown;
    if (wasFocused) modelsView.focus();
  }

  /**
   * Shows that something is on its way: in the conversation that is being read, or else instead of all.
   *
   * @param {string} name
   */
  function showBeginning(name) {
    loadingName = name;
    loadingView.begin(name);
    if (!engine && chatView.isShown && !chatView.isEmpty) showChat();
    else showLoading();
  }

  /** @param {ModelChoice} choice */
  async function load(choice) {
    loading?.abort();
    const mine = new AbortController();
    loading = mine;
    lastChoice = choice;
    const former = engine;
    engine = null;
    showBeginning(choice.name);
    let isDownload = false;
    try {
      await former?.unload();
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
      loading = null;
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
      loading = null;
      if (mine.signal.aborted) await chooseModel(choice);
      else showFailure(error, choice);
    }
  }

  /** @param {File} file */
  async function keepAndLoad(file) {
    loading?.abort();
    const mine = new AbortController();
    loading = mine;
    showBeginning(file.name);
    try {
      const onProgress = (/** @type {import("../engine/qwisp.d.ts").ImportProgress} */ progress) =>
        loading === mine && loadingView.updateKeeping(progress);
      const stored = await storedModels.importFile(file, { onProgress, signal: mine.signal });
      if (loading === mine) await load(choiceOfStored(stored));
    } catch (error) {
      if (loading !== mine) return;
      loading = null;
      if (mine.signal.aborted) await chooseModel();
      else showFailure(error, choiceOfFile(file));
    }
  }

  /**
   * @param {unknown} error
   * @param {ModelChoice} choice
   */
  function showFailure(error, choice) {
    hideAll();
    failureView.show(error, [
      { label: translate("failure.again"), run: () => load(choice) },
      { label: translate("failure.otherModel"), run: () => chooseModel(choice) },
    ]);
  }

  await chatView.useStore(await opening, { isNew: options.newChat });
  await modelsView.look();
  // An address alone is no consent to a download: anyone may have made it.
  const autoloaded = options.autoload ? modelsView.storedChoice(options.model) : null;
  if (options.chooseModel || (chatView.isEmpty && !autoloaded)) await showStart();
  else if (!chatView.isEmpty) showChat();
  onLaunch(({ newChat, chooseModel: isToChoose }) => {
    if (newChat) {
      chatView.startOver();
      if (engine) showChat();
    } else if (isToChoose) {
      void chooseModel();
    }
  });
  if (autoloaded) await load(autoloaded);
}
