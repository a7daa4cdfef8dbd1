import { closeOnBackdrop } from "./dialog.js";
import { byId, element } from "./dom.js";
import { LANGUAGES, chooseLanguage, currentLanguage, onLanguageChange, translate } from "./i18n.js";
import { PRESETS, isPresetName } from "./presets.js";
import { NUMBERS, NUMBER_NAMES, isInRange, readSettings, storeSettings } from "./settings.js";
import { chooseTheme, currentTheme } from "./theme_choice.js";

/**
 * @typedef {import("./settings.js").Settings} Settings
 * @typedef {import("./settings.js").NumberName} NumberName
 * @typedef {import("../qwisp.js").ChatOptions} ChatOptions
 */

/** The dialog of settings. Each change holds at once, and is kept. */
export class SettingsView {
  #dialog = byId("settings", HTMLDialogElement);
  #preset = byId("preset", HTMLSelectElement);
  #optionField = byId("preset-option-field", HTMLElement);
  #option = byId("preset-option", HTMLInputElement);
  #system = byId("system-prompt", HTMLTextAreaElement);
  #thinking = byId("thinking", HTMLSelectElement);
  #slide = byId("slide", HTMLInputElement);
  #theme = byId("theme", HTMLSelectElement);
  #language = byId("language", HTMLSelectElement);
  /** @type {Map<NumberName, HTMLInputElement>} */
  #numbers = new Map();
  #onChange;
  /** @type {ChatOptions} */
  #recommended = {};
  settings = readSettings();

  /**
   * @param {object} options
   * @param {boolean} options.isOverruled Whether the page's address sets some of them.
   * @param {() => void} options.onChange
   */
  constructor({ isOverruled, onChange }) {
    this.#onChange = onChange;
    byId("settings-address", HTMLElement).hidden = !isOverruled;
    closeOnBackdrop(this.#dialog);
    byId("open-settings", HTMLButtonElement).addEventListener("click", () => this.#open());
    byId("reset-sampling", HTMLButtonElement).addEventListener("click", () => this.#resetSampling());
    this.#preset.addEventListener("change", () => this.#takePreset());
    this.#option.addEventListener("input", () => this.#takeOption());
    this.#system.addEventListener("input", () => this.#takeSystem());
    this.#thinking.addEventListener("change", () => {
      const { value } = this.#thinking;
      this.#set({ thinking: value === "" ? null : value === "1" });
    });
    this.#slide.addEventListener("change", () => this.#set({ slide: this.#slide.checked }));
    this.#theme.addEventListener("change", () => chooseTheme(this.#theme.value));
    this.#language.replaceChildren(
      ...Object.entries(LANGUAGES).map(([value, name]) => element("option", { value, lang: value }, name)),
    );
    this.#language.addEventListener("change", () => {
      void chooseLanguage(/** @type {keyof typeof LANGUAGES} */ (this.#language.value));
    });
    onLanguageChange(() => this.#show());
    this.#show();
  }

  /** Shows what is recommended for the model. @param {ChatOptions} recommended */
  recommend(recommended) {
    this.#recommended = recommended;
    this.#showNumbers();
  }

  #open() {
    this.#dialog.showModal();
    this.#dialog.querySelector(".settings-body")?.scrollTo(0, 0);
  }

  /** @param {Partial<Settings>} changes */
  #set(changes) {
    Object.assign(this.settings, changes);
    storeSettings(this.settings);
    this.#onChange();
  }

  #takePreset() {
    const name = this.#preset.value;
    if (isPresetName(name)) {
      const { system, option = "" } = PRESETS[name];
      this.#set({ preset: name, presetOption: option, system: system(option) });
    } else {
      this.#set({ preset: name, presetOption: "", system: name === "none" ? "" : this.settings.system });
    }
    this.#show();
  }

  #takeOption() {
    const { preset } = this.settings;
    if (!isPresetName(preset)) return;
    const presetOption = this.#option.value;
    this.#set({ presetOption, system: PRESETS[preset].system(presetOption.trim()) });
    this.#system.value = this.settings.system;
  }

  #takeSystem() {
    const system = this.#system.value;
    this.#set({ system, preset: system === "" ? "none" : "own", presetOption: "" });
    this.#showPreset();
  }

  #resetSampling() {
    const numbers = { ...this.settings.numbers };
    for (const name of NUMBER_NAMES) if (NUMBERS[name].group === "sampling") delete numbers[name];
    this.#set({ numbers });
    this.#showNumbers();
  }

  #show() {
    const { system, thinking, slide } = this.settings;
    this.#showPreset();
    this.#system.value = system;
    this.#thinking.value = thinking === null ? "" : thinking ? "1" : "0";
    this.#slide.checked = slide;
    this.#theme.value = currentTheme();
    this.#language.value = currentLanguage();
    this.#showNumbers();
  }

  #showPreset() {
    const names = /** @type {const} */ (["none", "general", "reasoning", "code", "translation", "maths", "own"]);
    this.#preset.replaceChildren(
      ...names.map((name) => element("option", { value: name }, translate(`preset.${name}`))),
    );
    const { preset, presetOption } = this.settings;
    this.#preset.value = preset;
    const { optionLabel, suggestions = [] } = isPresetName(preset) ? PRESETS[preset] : { optionLabel: undefined };
    this.#optionField.hidden = !optionLabel;
    if (!optionLabel) return;
    byId("preset-option-label", HTMLElement).textContent = translate(optionLabel);
    if (this.#option.value !== presetOption) this.#option.value = presetOption;
    byId("preset-options", HTMLDataListElement).replaceChildren(
      ...suggestions.map((value) => element("option", { value })),
    );
  }

  #showNumbers() {
    for (const group of /** @type {const} */ (["thinking", "answer", "sampling"])) {
      const names = NUMBER_NAMES.filter((name) => NUMBERS[name].group === group);
      byId(`${group}-numbers`, HTMLElement).replaceChildren(...names.map((name) => this.#numberField(name)));
    }
  }

  /** @param {NumberName} name */
  #numberField(name) {
    const { min, max, step } = NUMBERS[name];
    const help = element("small", { id: `${name}-help` }, translate(`settings.${name}.help`));
    const input = element("input", {
      type: "number",
      id: `setting-${name}`,
      min: String(min),
      max: String(max),
      step: step === 1 ? "1" : "any",
      inputMode: step === 1 ? "numeric" : "decimal",
      value: String(this.settings.numbers[name] ?? ""),
      placeholder: this.#placeholder(name),
    });
    input.setAttribute("aria-describedby", help.id);
    input.addEventListener("input", () => {
      const value = input.value === "" ? undefined : input.valueAsNumber;
      const isValid = input.validity.valid && (value === undefined || isInRange(name, value));
      input.ariaInvalid = String(!isValid);
      if (!isValid) return;
      const numbers = { ...this.settings.numbers };
      if (value === undefined) delete numbers[name];
      else numbers[name] = value;
      this.#set({ numbers });
    });
    this.#numbers.set(name, input);
    return element("label", { className: "field" }, element("span", {}, translate(`settings.${name}`)), input, help);
  }

  /** @param {NumberName} name */
  #placeholder(name) {
    if (name === "seed") return translate("settings.random");
    const recommended = this.#recommended[name] ?? NUMBERS[name].default;
    return recommended === null ? translate("settings.noLimit") : recommended.toLocaleString(currentLanguage());
  }
}
