"use strict";

const REMEMBERED = "selectra-language";
const element = (id) => document.getElementById(id);
const state = { language: firstLanguage(), info: null, answer: null, problem: null, running: null };
const words = () => WORDS[state.language];
const percent = (share) =>
  new Intl.NumberFormat(state.language, { style: "percent" }).format(share);

function firstLanguage() {
  let remembered = null;
  try {
    remembered = localStorage.getItem(REMEMBERED);
  } catch {
    // a browser may forbid it; then nothing is remembered
  }
  if (remembered in WORDS) return remembered;
  return navigator.language.startsWith("es") ? "es" : "en";
}

function chooseLanguage(language) {
  state.language = language;
  try {
    localStorage.setItem(REMEMBERED, language);
  } catch {
    // see above
  }
  showWords();
  showAnswer();
  showProblem();
}

function showWords() {
  document.documentElement.lang = state.language;
  for (const place of document.querySelectorAll("[data-word]")) {
    place.textContent = words()[place.dataset.word];
  }
  for (const place of document.querySelectorAll("[data-word-label]")) {
    place.setAttribute("aria-label", words()[place.dataset.wordLabel]);
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === state.language));
  }
  if (state.info) showInfo();
}

function showInfo() {
  const { info } = state;
  document.title = info.pipeline;
  element("pipeline").textContent = info.pipeline;
  element("about").textContent = words().about(info).join(" · ");
  for (const id of ["labels", "template"]) element(id).disabled = !info.offers.labels;
  if (!info.offers.labels) element("labels-help").textContent = words().noLabels;
}

function made(kind, attributes = {}, ...content) {
  const node = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...content);
  return node;
}

// Offsets count characters as Python does; strings here count half of an emoji.
// `marked` gives the node that stands for a span's text.
function markedUp(text, spans, marked) {
  const characters = Array.from(text);
  const part = (start, end) => characters.slice(start, end).join("");
  const nodes = [];
  let place = 0;
  for (const span of [...spans].sort((one, other) => one.start - other.start)) {
    nodes.push(part(place, span.start), marked(part(span.start, span.end), span));
    place = span.end;
  }
  nodes.push(part(place));
  return nodes;
}

function entityMark(text, entity) {
  const label = entity.label + (entity.score === undefined ? "" : ` ${percent(entity.score)}`);
  const mark = made("mark", { class: "entity" }, text);
  mark.dataset.label = entity.label;
  // a space for those who hear the page or copy from it
  mark.append(made("span", { class: "label" }, ` ${label}`));
  return mark;
}

function showLegend(entities) {
  const { kinds, legend } = words();
  const found = [...new Set(entities.map((entity) => entity.label))].sort();
  const told = found.map((label) =>
    (Object.hasOwn(kinds, label) ? `${label}: ${kinds[label]}` : label));
  const scored = entities.some((entity) => entity.score !== undefined);
  element("legend").textContent = told.length ? legend(told, scored) : "";
}

function showBars(id, scores) {
  const sorted = Object.entries(scores).sort((one, other) => other[1] - one[1]);
  element(id).replaceChildren(...sorted.map(([name, score]) => {
    const filled = made("span");
    filled.style.width = `${100 * score}%`;
    return made("li", {},
      made("span", { class: "name", lang: "es" }, name),
      made("span", { class: "bar", "aria-hidden": "true" }, filled),
      made("span", { class: "value" }, percent(score)));
  }));
  element(`${id}-section`).hidden = !sorted.length;
}

function showReplaced() {
  const { answer } = state;
  element("words-section").hidden = !answer.words;
  if (!answer.words) return;
  const threshold = Number(element("threshold").value) / 100;
  element("threshold-value").textContent = percent(threshold);
  element("threshold").setAttribute("aria-valuetext", percent(threshold));
  const flagged = answer.words.filter((word) => word.score >= threshold);
  const names = [];
  element("words").replaceChildren(...markedUp(answer.text, flagged, (text, word) => {
    names.push(`${text} (${percent(word.score)})`);
    const mark = made("mark", { class: "replaced", title: percent(word.score) }, text);
    mark.style.setProperty("--probability", String(word.score));
    return mark;
  }));
  element("flagged").textContent = words().flagged(names);
}

function showAnswer() {
  const { answer } = state;
  element("results").hidden = !answer;
  element("skip").hidden = !answer;
  if (!answer) return;
  element("entities").replaceChildren(...markedUp(answer.text, answer.ents, entityMark));
  showLegend(answer.ents);
  element("no-entities").hidden = answer.ents.length > 0;
  showBars("topics", answer.cats);
  showBars("zero-shot", answer.zero_shot ?? {});
  showReplaced();
  const cut = answer.truncated ?? [];
  element("truncated").hidden = !cut.length;
  element("truncated").textContent = cut.length ? words().truncated(cut) : "";
  element("json").textContent = JSON.stringify(answer, null, 2);
  const [best] = Object.entries(answer.cats).sort((one, other) => other[1] - one[1]);
  element("status").textContent =
    words().found(answer.ents.length, best && `${best[0]} (${percent(best[1])})`);
}

function showProblem() {
  const { problem } = state;
  element("error").replaceChildren();
  element("text").setAttribute("aria-invalid", String(problem?.word === "empty"));
  if (!problem) return;
  element("status").textContent = "";
  if (problem.word) {
    element("error").textContent = words()[problem.word];
    return;
  }
  const said = words().statuses[problem.status] ?? words().statuses.other;
  // the service itself speaks English
  element("error").append(`${said}: `, made("span", { lang: "en" }, `${problem.error}.`));
}

function refuse(problem) {
  state.answer = null;
  state.problem = problem;
  showAnswer();
  showProblem();
}

function wish() {
  const { offers } = state.info ?? { offers: {} };
  const request = { text: element("text").value };
  if (offers.words) request.words = true;
  if (offers.entity_scores) request.entity_scores = true;
  const given = element("labels").value.split(/[,;\n]/).map((label) => label.trim());
  const labels = [...new Set(given.filter(Boolean))];
  if (labels.length && !element("labels").disabled) {
    request.labels = labels;
    const template = element("template").value.trim();
    if (template) request.hypothesis_template = template;
  }
  return request;
}

async function analyse() {
  if (!element("text").value.trim()) {
    refuse({ word: "empty" });
    element("text").focus();
    return;
  }
  state.running?.abort();
  const running = new AbortController();
  state.running = running;
  state.problem = null;
  showProblem();
  element("status").textContent = words().reading;
  try {
    if (!state.info) await learnInfo();
    const response = await fetch("annotate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(wish()),
      signal: running.signal,
    });
    const content = await response.json();
    if (!response.ok) {
      refuse({ status: response.status, error: content.error });
      return;
    }
    state.answer = content;
    showAnswer();
  } catch (error) {
    if (error.name !== "AbortError") refuse({ word: "unreachable" });
  }
}

function fillIn() {
  element("text").value = EXAMPLE.text;
  if (!element("labels").disabled) element("labels").value = EXAMPLE.labels;
  analyse();
}

async function copy() {
  const text = element("json").textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // browsers give no clipboard to pages over plain HTTP from other machines
    const box = made("textarea", { "aria-hidden": "true" });
    box.value = text;
    document.body.append(box);
    box.select();
    done = document.execCommand("copy");
    box.remove();
    element("copy").focus();
  }
  element("status").textContent = done ? words().copied : words().notCopied;
}

async function learnInfo() {
  const response = await fetch("info");
  state.info = await response.json();
  showInfo();
}

showWords();
learnInfo().catch(() => refuse({ word: "unreachable" }));
element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  analyse();
});
element("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    analyse();
  }
});
element("example").addEventListener("click", fillIn);
element("threshold").addEventListener("input", showReplaced);
element("copy").addEventListener("click", copy);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => chooseLanguage(button.dataset.language));
}
