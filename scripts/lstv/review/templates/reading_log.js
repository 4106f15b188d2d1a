"use strict";
/* What a reader said: kept in the browser, and written as the label file that the evaluation takes. No page here.

   The contract (everything is on the global object `lstv`):

   lstv.cases(given)          what the file of the cases calls; `lstv.given` then is
                              { cohort, queue, questions, labels, columns, repeated, cases: [{ name, file, study_id }] }
   lstv.saver                 where verdicts go. A page that has a server sets one of its own before reading.js; without, it
                              is the browser's. All may be asynchronous, and throw an Error whose message is for people:
     .readers()               names of all who have read these cases here
     .load(reader)            what was saved of a reader, oldest first; a name's spellings (capitals, blanks) are one reader
     .add(reader, said)       saves { case, repeat, answers, seconds, blinded } and returns it with its time `at` and an `id`
     .undo(reader, last)      saves that the verdict `last`, known by its id, is taken back (`of`); refuses where another
                              window has saved or taken back one since
     .keeps                   false where nothing outlives the page
     .csv(reader)             address of a reader's label file where a server has it; null instead where there is none
   lstv.standing(saved)       of what was saved, the verdicts that were not taken back
   lstv.labels(reader, saved) the label file's text
   lstv.labelFile(text)       its rows, by column; lstv.sameReader(name) what is alike for spellings of a name */
window.lstv = window.lstv || {};
(function (lstv) {
  lstv.cases = (given) => { lstv.given = given; };

  lstv.sameReader = (name) => name.normalize("NFKC").split(/\s+/).filter(Boolean).join(" ").toLowerCase();

  lstv.standing = (saved) => {
    const left = [], gone = new Set(saved.filter((said) => said.undo).map((said) => said.of));
    saved.forEach((said) => {
      if (said.undo && !said.of) left.pop(); /* one that names no verdict is of the last one */
      else if (said.case && !gone.has(said.id || said)) left.push(said);
    });
    return left;
  };

  /* --- the browser ---------------------------------------------------------------------------------------------------- */

  /* One item per verdict, so that two windows never write over each other; its name has queue, reader and time. */
  class Browser {
    constructor(queue) {
      this.prefix = `lstv-reading ${queue} `;
      this.items = new Map(); /* where the browser keeps nothing */
      this.storage = null;
      this.csv = null;
      this.last = 0;
      try {
        window.localStorage.setItem(`${this.prefix}?`, "");
        window.localStorage.removeItem(`${this.prefix}?`);
        this.storage = window.localStorage;
      } catch (error) { /* switched off, or a private window of some browsers */ }
    }

    get keeps() { return this.storage !== null; }

    names() {
      const all = this.storage ? Array.from(this.storage, (_, index) => this.storage.key(index)) : Array.from(this.items.keys());
      return all.filter((name) => name.startsWith(this.prefix)).sort();
    }

    read(name) {
      try {
        return JSON.parse(this.storage ? this.storage.getItem(name) : this.items.get(name));
      } catch (error) {
        return null;
      }
    }

    owner(reader) { return `${this.prefix}${encodeURIComponent(lstv.sameReader(reader))} `; }

    readers() {
      const found = new Map();
      this.names().map((name) => this.read(name)).forEach((said) => {
        if (said && !found.has(lstv.sameReader(said.reader))) found.set(lstv.sameReader(said.reader), said.reader);
      });
      return Array.from(found.values());
    }

    load(reader) {
      const owner = this.owner(reader);
      return this.names().filter((name) => name.startsWith(owner)).map((name) => this.read(name)).filter(Boolean);
    }

    add(reader, said) {
      const now = Math.max(Date.now(), this.last + 1);
      this.last = now;
      const id = `${new Date(now).toISOString()} ${Math.random().toString(36).slice(2, 10)}`;
      const record = { ...said, reader, id, at: said.at || new Date(now).toISOString() };
      const name = `${this.owner(reader)}${id}`;
      if (!this.storage) {
        this.items.set(name, JSON.stringify(record));
        return record;
      }
      try {
        this.storage.setItem(name, JSON.stringify(record));
      } catch (error) {
        throw new Error("This browser has no room left for verdicts: save labels.csv now, and go on with it in another browser.");
      }
      return record;
    }

    undo(reader, shown) {
      const last = lstv.standing(this.load(reader)).pop();
      if (!last || last.id !== shown.id) {
        throw new Error("The verdict to take back is no longer your last one: another window saved or took back one since, so nothing was taken back; look at what is saved now, then try again.");
      }
      return this.add(reader, { undo: true, of: last.id });
    }
  }
  lstv.browserSaver = (queue) => new Browser(queue);

  /* --- the label file -------------------------------------------------------------------------------------------------- */

  function castellvi(answers) {
    if (answers.verdict === "normal") return "none";
    if (!answers.castellvi || answers.castellvi === "IV" || !answers.side) return answers.castellvi || "";
    return answers.castellvi + (answers.side === "both" ? "b" : "a");
  }

  lstv.labels = (reader, saved) => {
    const { given } = lstv, ids = new Map(given.cases.map((each) => [each.name, each.study_id])), latest = new Map();
    lstv.standing(saved).forEach((said) => latest.set(`${said.case} ${said.repeat}`, said));
    const rows = Array.from(latest.values(), (said) => ({
      ...said.answers,
      study_id: ids.get(said.case),
      label: given.labels[said.answers.verdict][said.answers.castellvi ? 1 : 0],
      reader,
      castellvi: castellvi(said.answers),
      queue: given.queue,
      repeat: said.repeat,
      read_at: said.at,
      seconds: said.seconds,
      blinded: said.blinded ? "yes" : "no",
    }));
    const lines = rows.map((row) => given.columns.map((column) => cell(row[column])).join(","));
    return [given.columns.join(","), ...lines, ""].join("\n");
  };

  /* as the project writes CSV: what a spreadsheet would take for a formula gets an apostrophe */
  function cell(value) {
    if (value === null || value === undefined) return "";
    let text = typeof value === "number" && Number.isInteger(value) ? value.toString() : String(value);
    const number = /^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$/i.test(text);
    if (/^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text) && !number) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  }

  lstv.labelFile = (text) => {
    const plain = text.replace(/^\ufeff/, "").replace(/^sep=.\r?\n/i, "");
    const first = plain.split("\n", 1)[0], separator = first.includes(",") ? "," : ";";
    const [header, ...lines] = cells(plain, separator);
    const names = (header || []).map((name) => name.trim().toLowerCase());
    return lines.filter((line) => line.some((value) => value.trim())).map((line) => (
      Object.fromEntries(names.map((name, index) => [name, original((line[index] || "").trim())]))
    ));
  };

  function original(text) { return text.startsWith("'") && cell(text.slice(1)).replace(/^"|"$/g, "").startsWith("'") ? text.slice(1) : text; }

  function cells(text, separator) {
    const lines = [];
    let line = [], value = "", quoted = false;
    for (let i = 0; i < text.length; i += 1) {
      const letter = text[i];
      if (quoted) {
        if (letter !== '"') value += letter;
        else if (text[i + 1] === '"') { value += '"'; i += 1; } else quoted = false;
      } else if (letter === '"' && !value) quoted = true;
      else if (letter === separator) { line.push(value); value = ""; }
      else if (letter === "\n") { lines.push([...line, value.replace(/\r$/, "")]); line = []; value = ""; }
      else value += letter;
    }
    if (value || line.length) lines.push([...line, value]);
    return lines;
  }
})(window.lstv);
