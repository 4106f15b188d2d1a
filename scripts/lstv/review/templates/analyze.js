"use strict";
/* Sends the study with progress, and takes what is dropped, folders too. Without it the form sends itself. */
document.documentElement.classList.add("scripted");
(() => {
  const form = document.getElementById("give"), drop = document.getElementById("drop");
  const said = document.getElementById("said"), sent = document.getElementById("sent");
  const button = form.querySelector("button");
  const most = { bytes: Number(form.dataset.mostBytes), files: Number(form.dataset.mostFiles) };

  const say = (text) => { said.textContent = text; };
  const size = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`;

  function refuse(sentence) {
    button.disabled = false;
    sent.hidden = true;
    say(sentence.charAt(0).toUpperCase() + sentence.slice(1));
  }

  function send(files) {
    const bytes = files.reduce((sum, [file]) => sum + file.size, 0);
    if (!files.length) { refuse("no file was given; choose a zip file, a folder or files."); return; }
    if (files.length > most.files) { refuse(`more than ${most.files} files were given, too many for one study; give the study alone.`); return; }
    if (bytes > most.bytes) { refuse(`${size(bytes)} were given, above the limit of ${size(most.bytes)}; give the study alone, or only its sagittal T2 series.`); return; }
    const data = new FormData();
    for (const [file, name] of files) data.append("files", file, name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      sent.value = event.lengthComputable ? event.loaded / event.total : 0;
      say(`Sending ${files.length === 1 ? "1 file" : `${files.length} files`}, ${size(bytes)} …`);
    };
    request.onload = () => {
      const answer = request.response || {};
      if (answer.to) location.assign(answer.to);
      else refuse(answer.sentence || "more was given than the app takes; give the study alone.");
    };
    request.onerror = () => refuse("the app does not answer; look at the terminal in which it runs.");
    button.disabled = true;
    sent.hidden = false;
    request.send(data);
  }

  const chosen = () => [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files])
    .map((file) => [file, file.webkitRelativePath || file.name]);

  form.addEventListener("submit", (event) => { event.preventDefault(); send(chosen()); });

  /* a folder gives its entries in parts of a hundred, until a part is empty */
  async function filesOf(entry, path) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      return [[file, path + entry.name]];
    }
    const reader = entry.createReader(), found = [];
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length || found.length > most.files) return found;
      for (const below of part) found.push(...await filesOf(below, `${path}${entry.name}/`));
    }
  }

  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (button.disabled) return;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    say("Listing what was dropped …");
    try {
      send((await Promise.all(entries.map((entry) => filesOf(entry, "")))).flat());
    } catch {
      refuse("what was dropped cannot be read; choose it by the buttons.");
    }
  });
})();
