"use strict";
/* Gives the verdicts of the reading page to the app, which has them on its disk before the page goes on (reading_log.js says
   what a saver does). */
window.lstv = window.lstv || {};
(function (lstv) {
  let token = null;

  async function ask(path, given) {
    const options = { headers: { Accept: "application/json" } };
    if (given) {
      token = token || (await ask("session")).csrf;
      Object.assign(options, { method: "POST", body: JSON.stringify({ ...given, queue: lstv.given.queue }) });
      Object.assign(options.headers, { "Content-Type": "application/json", "X-CSRF-Token": token });
    }
    let answer;
    try {
      answer = await fetch(`/reading/${path}`, options);
    } catch (error) {
      throw new Error("The app does not answer, so nothing more is saved: start it again, then confirm the verdict once more.");
    }
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    const sentence = told.sentence || "the app could not do this; look at the terminal in which it runs.";
    if (answer.status === 403) token = null; /* the app was started again meanwhile: the next try asks for a new one */
    throw new Error(sentence.charAt(0).toUpperCase() + sentence.slice(1));
  }

  lstv.saver = {
    keeps: true,
    csv: (reader) => `/reading/labels.csv?reader=${encodeURIComponent(reader)}`,
    readers: async () => (await ask("readers")).readers,
    load: async (reader) => (await ask(`verdicts?reader=${encodeURIComponent(reader)}`)).saved,
    add: async (reader, said) => ({ ...said, ...(await ask("verdicts", { ...said, reader })), case: said.case }),
    undo: (reader, last) => ask("undo", { reader, id: last.id }),
  };
})(window.lstv);
