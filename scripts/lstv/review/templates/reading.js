"use strict";
/* The page of a blinded reading. It shows the cases of `lstv.given` in their order, takes verdicts by keys or buttons, and
   gives each to `lstv.saver` (reading_log.js) as soon as it is confirmed. */
(function (lstv) {
  const { given } = lstv;
  const byId = (id) => document.getElementById(id);
  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  if (!given) {
    byId("start-said").textContent = "The file cases.js is missing or damaged; copy the whole folder again.";
    byId("begin").disabled = true;
    return;
  }
  const saver = lstv.saver || lstv.browserSaver(given.queue);
  const TRANSITIONAL = given.questions[0].choices.map((choice) => choice.value).filter((value) => given.labels[value][1] === "lstv");
  const KEYS = {
    n: ["verdict", "normal"], s: ["verdict", "sacralization"], l: ["verdict", "lumbarization"], o: ["verdict", "other"],
    u: ["verdict", "cannot_tell"], 1: ["castellvi", "I"], 2: ["castellvi", "II"], 3: ["castellvi", "III"], 4: ["castellvi", "IV"],
    r: ["side", "right"], e: ["side", "left"], b: ["side", "both"],
  };
  const ROUNDS = { v: "lumbar_vertebrae", d: "odriscoll", q: "quality", c: "confidence" };
  const AHEAD = 2;

  let reader = "", saved = [], tasks = [], at = -1, answers = {}, ready = false, turn = 0, opened = null, copied = true;
  const drafts = new Map(), buttons = new Map();
  const watch = { spent: 0, since: null };
  const viewer = lstv.viewer(byId("viewer"), { label: "The series" });
  document.title = `Blinded reading – ${given.cohort}`;

  const keyOf = (task) => `${task.name} ${task.repeat}`;
  const tell = (text) => { byId("said").textContent = text; };
  const held = () => {
    const found = new Map();
    lstv.standing(saved).forEach((said) => found.set(`${said.case} ${said.repeat}`, said));
    return found;
  };
  const unblinded = () => saved.some((said) => said.unblinded);

  /* --- who reads ------------------------------------------------------------------------------------------------------ */

  byId("start-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = byId("reader").value.normalize("NFC").split(/\s+/).filter(Boolean).join(" ");
    const say = (text) => { byId("start-said").textContent = text; };
    if (!name) { say("Type your name or initials first."); byId("reader").focus(); return; }
    try {
      const known = (await saver.readers()).find((other) => lstv.sameReader(other) === lstv.sameReader(name));
      const found = known ? await saver.load(known) : [];
      const count = new Set(lstv.standing(found).map((said) => said.case)).size;
      if (count && byId("start-form").dataset.sure !== lstv.sameReader(name)) {
        byId("start-form").dataset.sure = lstv.sameReader(name);
        say(`${known} has read ${count} of these ${given.cases.length} cases here. If that is you, press Go on; if not, type another name: nothing is lost.`);
        byId("begin").textContent = "Go on";
        return;
      }
      [reader, saved] = [known || name, found];
      begin();
    } catch (error) { say(error.message); }
  });
  byId("reader").addEventListener("input", () => {
    delete byId("start-form").dataset.sure;
    byId("begin").textContent = "Begin";
    byId("start-said").textContent = "";
  });

  /* a number from 0 to 1 that depends on the text alone */
  function lot(text) {
    let hash = 0x811c9dc5;
    for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
  }

  function begin() {
    const first = given.cases.map((each) => ({ ...each, repeat: 0 }));
    const drawn = (each) => lot(`${given.queue} ${lstv.sameReader(reader)} ${each.name}`);
    const again = given.cases.slice().sort((a, b) => drawn(a) - drawn(b)).slice(0, Math.ceil(given.repeated * first.length));
    /* not at once what was read last */
    if (again.length > 1 && again[0].name === first[first.length - 1].name) again.push(again.shift());
    tasks = [...first, ...again.map((each) => ({ ...each, repeat: 1 }))];
    byId("start").hidden = true;
    byId("desk").hidden = false;
    byId("who").textContent = reader;
    const next = open();
    if (next < 0) finish(); else show(next);
    if (!saver.keeps) tell("This browser keeps nothing once the page is closed: save labels.csv before you close it.");
  }

  /* --- which case ------------------------------------------------------------------------------------------------------ */

  /* the first or the second readings, whichever is not done */
  function phase() {
    const all = held();
    return tasks.some((task) => !task.repeat && !all.has(keyOf(task))) ? 0 : 1;
  }

  /* the next case to read, from the one after `after` on; -1 where all is read */
  function open(after = -1) {
    const all = held(), now = phase();
    const left = tasks.map((task, index) => index).filter((index) => tasks[index].repeat === now && !all.has(keyOf(tasks[index])));
    const later = left.find((index) => index > after);
    return later === undefined ? (left.length ? left[0] : -1) : later;
  }

  async function show(index) {
    keepDraft();
    turn += 1;
    const now = turn, task = tasks[index], said = held().get(keyOf(task)), asked = performance.now();
    at = index;
    ready = false;
    byId("end").hidden = true;
    byId("work").hidden = byId("before").hidden = byId("after").hidden = false;
    answers = { ...(drafts.get(keyOf(task)) || (said && said.answers) || {}) };
    Object.assign(watch, { spent: 0, since: null });
    refresh();
    let pack;
    try {
      pack = await lstv.load(task.file, task.name);
    } catch (error) {
      pack = { reason: error.message };
    }
    if (now !== turn) return;
    const drawn = () => {
      if (now !== turn || ready) return;
      ready = true;
      startWatch();
      byId("desk").dataset.drawn = String(Math.round(performance.now() - asked));
      byId("desk").dataset.case = String(index + 1);
      ahead(index);
    };
    viewer.element.addEventListener("lstv-ready", drawn, { once: true });
    viewer.show(pack);
    viewer.focus();
    if (!pack.frames) drawn();
  }

  /* the next cases are loaded and decoded while this one is looked at; far ones are let go */
  async function ahead(index) {
    const now = turn, near = new Set([tasks[index].name]);
    let next = index;
    for (let count = 0; count < AHEAD; count += 1) {
      next = open(next);
      if (next < 0 || near.has(tasks[next].name)) break;
      near.add(tasks[next].name);
      try {
        await lstv.decode(await lstv.load(tasks[next].file, tasks[next].name));
      } catch (error) { /* it is told when the case is shown */ }
      if (now !== turn) return;
    }
    for (const step of [-1, 1]) if (tasks[index + step]) near.add(tasks[index + step].name);
    tasks.filter((task) => !near.has(task.name)).forEach((task) => lstv.forget(task.name));
  }

  function startWatch() { if (ready && watch.since === null && !document.hidden) watch.since = performance.now(); }
  function stopWatch() {
    if (watch.since !== null) watch.spent += performance.now() - watch.since;
    watch.since = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? stopWatch() : startWatch()));

  function step(by) {
    const now = phase(), index = at + by;
    const task = tasks[index];
    if (!task || (unblinded() ? false : task.repeat !== now)) {
      tell(by < 0 ? "This is the first case." : "This is the last case.");
      if (task && task.repeat < now) tell("The first reading is complete and closed; these cases are read a second time.");
      return;
    }
    tell("");
    show(index);
  }

  /* --- the verdict ----------------------------------------------------------------------------------------------------- */

  const same = (one, other) => given.names.every((name) => (one[name] || "") === (other[name] || ""));

  function keepDraft() {
    if (at < 0) return;
    const key = keyOf(tasks[at]), said = held().get(key);
    if (same(answers, said ? said.answers : {})) drafts.delete(key); else drafts.set(key, answers);
  }

  function choose(name, value) {
    if (locked()) return;
    const transitional = TRANSITIONAL.includes(answers.verdict);
    if ((name === "castellvi" || name === "side") && !transitional) {
      tell("A Castellvi type and a side belong to sacralization, lumbarization or other: choose one of these first.");
      return;
    }
    tell("");
    answers = { ...answers, [name]: answers[name] === value ? "" : value };
    if (name === "verdict" && !TRANSITIONAL.includes(answers.verdict)) answers = { ...answers, castellvi: "", side: "" };
    refresh();
  }

  function nextChoice(name) {
    const values = ["", ...given.questions.find((question) => question.name === name).choices.map((choice) => choice.value)];
    const next = values[(values.indexOf(answers[name] || "") + 1) % values.length];
    choose(name, next || answers[name]);
  }

  function locked() {
    if (!unblinded() || !held().has(keyOf(tasks[at]))) return false;
    tell("The cases are unblinded: this verdict stands as it was given.");
    return true;
  }

  async function confirm() {
    if (!ready) return;
    const task = tasks[at], said = held().get(keyOf(task));
    answers.comment = byId("comment").value.split(/\s+/).filter(Boolean).join(" ");
    if (!answers.verdict) { tell("Choose a verdict first: N, S, L, O or U."); return; }
    if (!said || !same(answers, said.answers)) {
      if (locked()) return;
      stopWatch();
      const record = { case: task.name, repeat: task.repeat, answers: complete(answers), blinded: !unblinded() };
      record.seconds = Math.round(watch.spent / 100) / 10;
      ready = false;
      try {
        saved.push(await saver.add(reader, record));
      } catch (error) {
        ready = true;
        startWatch();
        tell(error.message);
        return;
      }
      copied = false;
    }
    drafts.delete(keyOf(task));
    tell("");
    const now = task.repeat, next = open(at);
    if (next < 0) { finish(); return; }
    if (tasks[next].repeat > now) {
      const again = tasks.length - given.cases.length;
      tell(`All cases are read once. ${again} of them ${again === 1 ? "comes" : "come"} a second time, to see how far you agree with yourself.`);
    }
    show(next);
  }

  /* what another window of the same reader saved meanwhile; what is typed here stays */
  async function reload() {
    const now = turn;
    if (!byId("work").hidden) keepDraft();
    try { saved = await saver.load(reader); } catch (error) { return; /* it was told why the app does not answer */ }
    if (byId("work").hidden || now !== turn) return;
    const said = held().get(keyOf(tasks[at]));
    answers = { ...(drafts.get(keyOf(tasks[at])) || (said && said.answers) || {}) };
    refresh();
  }

  const complete = (said) => Object.fromEntries(given.names.map((name) => [name, said[name] || ""]));

  /* one after the other: a second one is of the verdict before */
  let undoing = Promise.resolve();
  const undo = () => { undoing = undoing.then(takeBack); };

  async function takeBack() {
    const last = lstv.standing(saved).pop();
    if (!last) { tell("There is no verdict to take back."); return; }
    if (unblinded()) { tell("The cases are unblinded: every verdict stands as it was given."); return; }
    try {
      saved.push({ undo: true, ...(await saver.undo(reader, last)) });
    } catch (error) {
      tell(error.message);
      await reload();
      return;
    }
    copied = false;
    const index = tasks.findIndex((task) => task.name === last.case && task.repeat === last.repeat);
    at = -1; /* what is in the form is not that case's */
    drafts.set(keyOf(tasks[index]), { ...last.answers });
    tell("Taken back. The answers are still here: change them and press Enter.");
    show(index);
  }

  /* --- what is seen ---------------------------------------------------------------------------------------------------- */

  given.questions.forEach((question) => {
    const row = make("div", { className: "choices" });
    question.choices.forEach((choice) => {
      const key = Object.keys(KEYS).find((each) => KEYS[each][0] === question.name && KEYS[each][1] === choice.value);
      const button = make("button", { type: "button", title: choice.means }, choice.title);
      if (key && key !== choice.title) button.append(make("kbd", { textContent: key.toUpperCase() }));
      if (key) button.setAttribute("aria-keyshortcuts", key.toUpperCase());
      button.addEventListener("click", (event) => {
        choose(question.name, choice.value);
        if (event.detail) viewer.focus(); /* by mouse: the keys go on with the picture */
      });
      buttons.set(`${question.name} ${choice.value}`, button);
      row.append(button);
    });
    const legend = make("legend", {}, question.title);
    const round = Object.keys(ROUNDS).find((each) => ROUNDS[each] === question.name);
    if (round) legend.append(make("kbd", { textContent: round.toUpperCase() }));
    byId("questions").append(make("fieldset", { className: question.name.replace("_", "-") }, legend, row));
  });

  function refresh() {
    const all = held(), task = tasks[at], said = all.get(keyOf(task));
    buttons.forEach((button, key) => {
      const [name, value] = key.split(" ");
      button.setAttribute("aria-pressed", String(answers[name] === value));
      const off = (name === "castellvi" || name === "side") && !TRANSITIONAL.includes(answers.verdict);
      button.setAttribute("aria-disabled", String(off));
    });
    byId("comment").value = answers.comment || "";
    byId("case").textContent = `Case ${at + 1} of ${tasks.length}`;
    byId("state").textContent = said ? (same(answers, said.answers) ? "saved" : "changed, not saved") : "";
    const done = tasks.filter((each) => all.has(keyOf(each))).length;
    Object.assign(byId("progress"), { max: tasks.length, value: done });
    byId("done").textContent = `${done} of ${tasks.length} read`;
    if (opened) reveal();
  }

  byId("comment").addEventListener("input", () => { answers = { ...answers, comment: byId("comment").value }; });
  byId("comment").addEventListener("keydown", (event) => {
    if (event.key === "Escape") viewer.focus();
    if (event.key === "Enter") { event.preventDefault(); confirm(); }
    event.stopPropagation();
  });
  byId("confirm").addEventListener("click", confirm);
  byId("undo").addEventListener("click", undo);
  byId("before").addEventListener("click", () => step(-1));
  byId("after").addEventListener("click", () => step(1));

  /* the letter; where the keyboard writes others, such as Cyrillic ones, the letter printed beside it */
  function keyIn(event) {
    if (event.key.length !== 1) return event.key;
    const printed = /^Key([A-Z])$/.exec(event.code || "");
    return (event.key.charCodeAt(0) > 127 && printed ? printed[1] : event.key).toLowerCase();
  }

  document.addEventListener("keydown", (event) => {
    if (byId("desk").hidden || event.altKey || event.metaKey || event.target.closest("input, textarea, select")) return;
    const key = keyIn(event);
    if (event.ctrlKey && key !== "z") return;
    if ((byId("work").hidden && key !== "z") || (event.repeat && !key.startsWith("Arrow"))) return;
    const onControl = event.target.closest("button, a, summary");
    if (key === "Enter" && !onControl) confirm();
    else if (key === " " && !onControl) confirm();
    else if (key === "z") undo();
    else if (key === "ArrowLeft") step(-1);
    else if (key === "ArrowRight") step(1);
    else if (key === "m") byId("comment").focus();
    else if (!ready) return;
    else if (KEYS[key] && !event.shiftKey) choose(...KEYS[key]);
    else if (ROUNDS[key]) nextChoice(ROUNDS[key]);
    else return;
    if (!(onControl && (key === "Enter" || key === " "))) event.preventDefault();
  });

  /* --- the end, and the file -------------------------------------------------------------------------------------------- */

  function finish() {
    keepDraft();
    turn += 1;
    at = tasks.length - 1;
    const all = held(), titles = given.questions[0].choices, counts = new Map();
    tasks.filter((task) => !task.repeat).forEach((task) => {
      const { verdict } = all.get(keyOf(task)).answers;
      counts.set(verdict, (counts.get(verdict) || 0) + 1);
    });
    byId("counts").replaceChildren(...titles.filter((choice) => counts.has(choice.value)).map((choice) => (
      make("li", { textContent: `${choice.title}: ${counts.get(choice.value)}` })
    )));
    byId("work").hidden = true;
    byId("end").hidden = false;
    Object.assign(byId("progress"), { max: tasks.length, value: tasks.length });
    byId("done").textContent = `${tasks.length} of ${tasks.length} read`;
    byId("case").textContent = "All cases are read";
    byId("before").hidden = byId("after").hidden = true;
    byId("state").textContent = "";
    tell("");
    byId("end-h").focus();
  }
  byId("look-back").addEventListener("click", () => show(unblinded() ? 0 : tasks.length - 1));

  document.querySelectorAll("button.save").forEach((button) => button.addEventListener("click", () => {
    if (!lstv.standing(saved).length) { tell("There is no verdict to save yet."); return; }
    const link = make("a", { download: "labels.csv" });
    if (saver.csv) link.href = saver.csv(reader);
    else {
      link.href = URL.createObjectURL(new Blob([lstv.labels(reader, saved)], { type: "text/csv" }));
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    }
    link.click();
    copied = true;
    tell("labels.csv is in the folder of your downloads.");
  }));
  window.addEventListener("beforeunload", (event) => { if (!saver.keeps && !copied) event.preventDefault(); });

  /* labels.csv of an earlier sitting, from whatever computer */
  byId("earlier").addEventListener("change", async () => {
    const file = byId("earlier").files[0], say = (text) => { tell(text); };
    byId("earlier").value = "";
    if (!file) return;
    const rows = lstv.labelFile(await file.text());
    if (!rows.length || !("study_id" in rows[0]) || !("verdict" in rows[0])) {
      say(`${file.name} is not a labels.csv of this page; nothing was changed.`);
      return;
    }
    if (rows.some((row) => row.queue !== given.queue)) {
      say(`${file.name} is of another cohort or an earlier draw of the cases; nothing was changed.`);
      return;
    }
    const names = new Map(given.cases.map((each) => [each.study_id, each.name]));
    const own = rows.filter((row) => row.reader && lstv.sameReader(row.reader) === lstv.sameReader(reader) && names.has(row.study_id));
    if (!own.length) { say(`${file.name} has no verdict of ${reader}; nothing was changed.`); return; }
    const all = held();
    const fresh = own.filter((row) => {
      const there = all.get(`${names.get(row.study_id)} ${Number(row.repeat)}`);
      return !there || there.at < row.read_at;
    });
    const choices = new Map(given.questions.map((question) => [question.name, question.choices.map((choice) => choice.value)]));
    const known = (row) => given.names.every((name) => !row[name] || !choices.has(name) || choices.get(name).includes(row[name]));
    const left = [];
    try {
      for (const row of fresh) {
        row.castellvi = row.castellvi === "none" ? "" : row.castellvi.replace(/[ab]$/, "");
        if (!row.verdict || !known(row)) { left.push(names.get(row.study_id)); continue; }
        saved.push(await saver.add(reader, {
          case: names.get(row.study_id), repeat: Number(row.repeat) || 0, answers: complete(row),
          seconds: row.seconds === "" ? null : Number(row.seconds), blinded: row.blinded !== "no", at: row.read_at,
        }));
      }
    } catch (error) { say(error.message); return; }
    const next = open();
    if (next < 0) finish(); else { at = -1; show(next); }
    const taken = `${fresh.length - left.length} verdicts were taken from ${file.name}; ${own.length - fresh.length} were known here or newer.`;
    const wrong = `${left.length} left out, because an answer is not one of the choices: ${left.join(", ")}.`;
    say(left.length ? `${taken} ${wrong}` : taken);
  });

  /* --- after the verdict ------------------------------------------------------------------------------------------------ */

  byId("key-file").addEventListener("change", async () => {
    const file = byId("key-file").files[0];
    byId("key-file").value = "";
    if (!file) return;
    let content = null;
    try { content = JSON.parse(await file.text()); } catch (error) { /* told below */ }
    if (!content || !Array.isArray(content.studies)) { tell(`${file.name} is not the file that belongs to these cases; nothing was changed.`); return; }
    if (content.digest !== given.queue) { tell(`${file.name} is of another cohort or another draw; nothing was changed.`); return; }
    opened = new Map(content.studies.map((study) => [study.study_id, study]));
    if (!unblinded()) {
      try { saved.push({ unblinded: true, ...(await saver.add(reader, { unblinded: true })) }); } catch (error) { tell(error.message); return; }
    }
    tell("Unblinded: what is known of a case is shown once it has a verdict, and verdicts stand as they were given.");
    if (byId("work").hidden) show(0); else refresh();
  });

  function reveal() {
    const task = tasks[at], known = opened.get(task.study_id);
    byId("known").hidden = !known || !held().has(keyOf(task));
    if (byId("known").hidden) return;
    const shown = Object.entries(known).filter(([name]) => !/_id$|^reading_order$/.test(name));
    byId("known").replaceChildren(...shown.flatMap(([name, value]) => [
      make("dt", { textContent: name.replace(/_/g, " ") }), make("dd", { textContent: value === null || value === "" ? "–" : String(value) }),
    ]));
  }

  /* another window of the same reader */
  window.addEventListener("storage", async () => {
    if (!reader || lstv.saver) return;
    saved = await saver.load(reader);
    if (!byId("work").hidden) { keepDraft(); refresh(); }
  });
  if (lstv.saver) byId("unblind").remove(); /* the app hands out no key file */
  byId("reader").focus();
})(window.lstv);
