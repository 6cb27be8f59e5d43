"use strict";

// Spanish in both languages of the page: it is what the pipelines read.
const EXAMPLE = {
  text:
    "La escritora chilena Isabel Allende presentó ayer su última novela en la Biblioteca " +
    "Nacional de Madrid. Hoy viaja a Barcelona, donde firmará ejemplares en la librería Laie.",
  labels: "literatura, fútbol, economía",
};

// What the page says, in both of its languages.
const WORDS = {
  es: {
    skip: "Ir a los resultados",
    language: "Idioma de la página",
    purpose:
      "Escriba o pegue un texto y vea lo que encuentra en él este modelo: nombres, temas y " +
      "palabras que no encajan.",
    text: "Texto en español",
    textHelp: "Ctrl + Intro analiza el texto. No sale de este servicio.",
    labels: "Etiquetas propias",
    labelsHelp: "Separadas por comas, por ejemplo: economía, deporte, música.",
    noLabels: "Este modelo no tiene componente para etiquetas propias.",
    template: "Plantilla",
    templateHelp: "Frase con {} en el lugar de la etiqueta. Si queda vacía, se usa la del modelo.",
    submit: "Analizar",
    example: "Probar con un ejemplo",
    results: "Resultados",
    entities: "Entidades",
    noEntities: "Ninguna entidad.",
    kinds: {
      PER: "persona", LOC: "lugar", ORG: "organización", MISC: "otros nombres",
      DATE: "fecha", NUM: "número",
    },
    legend: (kinds, scored) =>
      `${kinds.join("; ")}.` + (scored ? " El porcentaje es la probabilidad de la entidad." : ""),
    topics: "Temas",
    zeroShot: "Etiquetas propias",
    words: "Palabras que no encajan",
    wordsHelp:
      "Cuanto más probable es que una palabra haya sustituido a otra, más oscuro es su fondo.",
    threshold: "Umbral",
    copy: "Copiar como JSON",
    copied: "Copiado.",
    notCopied: "No se ha podido copiar; el texto está debajo.",
    showJson: "Ver JSON",
    reading: "Analizando…",
    found: (entities, percent) =>
      `Análisis terminado: ${entities} ${entities === 1 ? "entidad" : "entidades"}.` +
      (percent ? ` Tema: ${percent}.` : ""),
    flagged: (words) => (words.length ? `Por encima del umbral: ${words.join(", ")}.` :
      "Ninguna palabra por encima del umbral."),
    truncated: (names) =>
      `El texto es demasiado largo para ${names.join(", ")}: no se ha leído hasta el final.`,
    empty: "Escriba un texto.",
    unreachable: "El servicio no responde.",
    statuses: {
      400: "El servicio no entiende la petición",
      413: "El texto es demasiado largo",
      422: "El modelo no puede hacer lo que se pide",
      429: "El servicio está ocupado",
      503: "El servicio no ha respondido a tiempo",
      other: "El servicio ha fallado",
    },
    about: (info) =>
      [info.version && `Versión ${info.version}`, info.license && `Licencia ${info.license}`]
        .filter(Boolean),
  },
  en: {
    skip: "Skip to the results",
    language: "Language of the page",
    purpose:
      "Type or paste a Spanish text to see what this model finds in it: names, topics, and words " +
      "that do not fit.",
    text: "Spanish text",
    textHelp: "Ctrl + Enter analyses the text. It does not leave this service.",
    labels: "Labels of your own",
    labelsHelp: "Separated by commas, such as: economía, deporte, música.",
    noLabels: "This model has no component for labels of your own.",
    template: "Template",
    templateHelp: "A sentence with {} where the label goes. If it is empty, the model's own is used.",
    submit: "Analyse",
    example: "Try an example",
    results: "Results",
    entities: "Entities",
    noEntities: "No entity.",
    kinds: {
      PER: "person", LOC: "place", ORG: "organisation", MISC: "other names",
      DATE: "date", NUM: "number",
    },
    legend: (kinds, scored) =>
      `${kinds.join("; ")}.` + (scored ? " The percentage is the entity's probability." : ""),
    topics: "Topics",
    zeroShot: "Labels of your own",
    words: "Words that do not fit",
    wordsHelp: "The more likely a word has taken the place of another, the darker its background.",
    threshold: "Threshold",
    copy: "Copy as JSON",
    copied: "Copied.",
    notCopied: "It could not be copied; the text is below.",
    showJson: "Show JSON",
    reading: "Analysing…",
    found: (entities, percent) =>
      `Analysis finished: ${entities} ${entities === 1 ? "entity" : "entities"}.` +
      (percent ? ` Topic: ${percent}.` : ""),
    flagged: (words) => (words.length ? `Above the threshold: ${words.join(", ")}.` :
      "No word is above the threshold."),
    truncated: (names) =>
      `The text is too long for ${names.join(", ")}: it was not read to its end.`,
    empty: "Enter a text.",
    unreachable: "The service does not answer.",
    statuses: {
      400: "The service does not understand the request",
      413: "The text is too long",
      422: "The model cannot do what is asked for",
      429: "The service is busy",
      503: "The service did not answer in time",
      other: "The service failed",
    },
    about: (info) =>
      [info.version && `Version ${info.version}`, info.license && `Licence ${info.license}`]
        .filter(Boolean),
  },
};
