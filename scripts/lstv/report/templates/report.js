"use strict";
/* Everything on the page is readable without this; it adds sorting, filtering, choosing of columns, export and switches. */
(function () {
  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const labelled = (text, control) => element("label", {}, element("span", { textContent: text }), control);

  /* "−1,234.50 (…)" -> -1234.5; a dash or nothing -> NaN, which sorts last either way */
  const asNumber = (text) => {
    const match = text.replace(/−/g, "-").replace(/,/g, "").match(/-?\d+(\.\d+)?(e-?\d+)?/);
    return match ? Number(match[0]) : NaN;
  };
  const collator = new Intl.Collator("en", { numeric: true });

  /* a field of a CSV: an undefined number is empty, and no text is taken for a formula */
  const field = (text, numeric) => {
    const plain = numeric ? (Number.isNaN(asNumber(text)) ? "" : String(asNumber(text))) : text.replace(/^(?=[=+@\t-])/, "'");
    return /[",\n]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
  };

  function save(name, text) {
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /* Thousands of rows take a browser seconds to lay out, so all of them are shown in parts that it skips while they are out of
     sight (content-visibility). That cannot be in the layout of a table, so the columns get the widths here that a table
     would give them. Every row stays in the document: for the browser's own search, the keyboard and a screen reader. */
  const ROWS_OF_A_PART = 50;

  function measured(table, sample) {
    const copy = table.cloneNode(false);
    const body = element("tbody", {}, ...sample.map((row) => Object.assign(row.cloneNode(true), { hidden: false })));
    copy.classList.remove("parts");
    copy.append(table.tHead.cloneNode(true), body);
    table.before(copy);
    const widths = Array.from(copy.tHead.rows[copy.tHead.rows.length - 1].cells, (cell) => cell.getBoundingClientRect().width);
    const height = body.getBoundingClientRect().height / sample.length;
    copy.remove();
    return { columns: widths.filter((width) => width > 0).map((width) => `${width}px`).join(" "), height };
  }

  function enhance(table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    const labels = heads.map((head) => head.textContent);
    const numeric = heads.map((head) => head.dataset.type === "number");
    const pageSize = Number(table.dataset.page) || 100;
    const box = table.closest(".box");
    const state = { order: rows, text: "", choices: new Map(), first: 0, all: false };
    let texts;
    const textOf = (row) => {
      texts = texts || new Map(rows.map((each) => [each, each.textContent.toLowerCase()]));
      return texts.get(row);
    };
    const columns = new Map();
    const cells = (column) => {
      if (!columns.has(column)) columns.set(column, new Map(rows.map((row) => [row, row.cells[column].textContent.trim()])));
      return columns.get(column);
    };
    const parts = (head, text) => head.dataset.choose === "each" ? text.split("; ").filter(Boolean) : [text];

    const status = element("p", { className: "status" });
    status.setAttribute("role", "status");
    const tools = element("div", { className: "tools" });
    const pager = element("div", { className: "tools pager" });
    const button = (where, text, action) => {
      const made = element("button", { type: "button", textContent: text });
      made.addEventListener("click", action);
      where.append(made);
      return made;
    };
    const previous = button(pager, "Previous", () => { state.first -= pageSize; show(); });
    const next = button(pager, "Next", () => { state.first += pageSize; show(); });
    const all = button(pager, "Show all", () => { state.all = !state.all; state.first = 0; show(); });

    const fits = () => state.order.filter((row) => (!state.text || textOf(row).includes(state.text)) &&
      Array.from(state.choices).every(([column, wanted]) => parts(heads[column], cells(column).get(row)).includes(wanted)));

    /* all rows in parts, and back into the one body */
    const parted = () => Array.from(table.tBodies).slice(1);
    function part(matching) {
      const before = parted();
      /* measured while few rows are laid out: with the width of the first ones and of the longest text of each column */
      if (!before.length) fit();
      const fitting = new Set(matching);
      body.append(...rows.filter((row) => !fitting.has(row)));
      for (let first = 0; first < matching.length; first += ROWS_OF_A_PART) {
        const made = element("tbody", { className: "part" }, ...matching.slice(first, first + ROWS_OF_A_PART));
        made.style.setProperty("--rows", made.rows.length);
        table.append(made);
      }
      before.forEach((made) => made.remove());
      table.classList.add("parts");
    }
    function fit() {
      const length = (column) => (row) => cells(column).get(row).length;
      const longest = (size) => rows.reduce((a, b) => (size(b) > size(a) ? b : a));
      state.sample = state.sample || Array.from(new Set([...rows.slice(0, pageSize), ...heads.map((_, column) => longest(length(column)))]));
      const { columns, height } = measured(table, state.sample);
      table.style.setProperty("--columns", columns);
      table.style.setProperty("--row", `${height}px`);
    }
    function whole() {
      if (!parted().length) return;
      body.append(...state.order);
      parted().forEach((made) => made.remove());
      table.classList.remove("parts");
    }
    let resized;
    addEventListener("resize", () => {
      clearTimeout(resized);
      resized = setTimeout(() => { if (state.all) fit(); }, 150);
    });

    function show() {
      const matching = fits();
      state.first = Math.max(0, Math.min(state.first, Math.floor((matching.length - 1) / pageSize) * pageSize));
      const page = new Set(state.all ? matching : matching.slice(state.first, state.first + pageSize));
      const kept = new Set(matching);
      if (state.all) part(matching); else whole();
      /* only what is seen is put in order; on paper all is */
      if (!state.all && state.order !== rows) body.prepend(...page);
      table.setAttribute("aria-rowcount", matching.length + 1);
      Array.from(page).forEach((row, i) => row.setAttribute("aria-rowindex", (state.all ? 0 : state.first) + i + 2));
      rows.forEach((row) => {
        if (row.hidden === page.has(row)) row.hidden = !row.hidden;
        /* on paper all rows that fit are printed */
        const away = !kept.has(row);
        if (row.classList.contains("away") !== away) row.classList.toggle("away", away);
      });
      const count = (n) => n.toLocaleString("en-GB");
      const from = state.all ? 0 : state.first;
      status.textContent = page.size === 0 ? "No row fits."
        : `Rows ${count(from + 1)} to ${count(from + page.size)} of ${count(matching.length)}` +
          (matching.length < rows.length ? `, filtered from ${count(rows.length)}` : "");
      previous.disabled = state.all || state.first === 0;
      next.disabled = state.all || state.first + pageSize >= matching.length;
      all.textContent = state.all ? `Show ${pageSize} at a time` : "Show all";
      pager.hidden = rows.length <= pageSize;
      status.hidden = pager.hidden && !tools.children.length;
    }

    heads.forEach((head, column) => {
      const sorter = element("button", { type: "button", className: "sort", textContent: labels[column] });
      head.replaceChildren(sorter);
      /* a button is not repeated with the table's head on the next sheet of paper */
      addEventListener("beforeprint", () => head.replaceChildren(labels[column]));
      addEventListener("afterprint", () => head.replaceChildren(sorter));
      sorter.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const sign = up ? 1 : -1;
        const keyed = rows.map((row) => {
          const text = cells(column).get(row);
          return { row, key: numeric[column] ? asNumber(text) : text };
        });
        keyed.sort((a, b) => {
          if (!numeric[column]) return sign * collator.compare(a.key, b.key);
          if (Number.isNaN(a.key) || Number.isNaN(b.key)) return Number.isNaN(a.key) - Number.isNaN(b.key);
          return sign * (a.key - b.key);
        });
        state.order = keyed.map((entry) => entry.row);
        state.first = 0;
        show();
      });
    });

    if (table.dataset.filter) {
      const input = element("input", { type: "search" });
      tools.append(labelled(table.dataset.filter, input));
      let waiting;
      input.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => { state.text = input.value.trim().toLowerCase(); state.first = 0; show(); }, 120);
      });
    }
    heads.forEach((head, column) => {
      if (!("choose" in head.dataset)) return;
      const values = new Set();
      cells(column).forEach((text) => parts(head, text).forEach((part) => values.add(part)));
      if (values.size < 2 && head.dataset.choose !== "each") return;
      const select = element("select", {}, element("option", { value: "", textContent: "All" }));
      Array.from(values).sort(collator.compare).forEach((value) => select.append(element("option", { value, textContent: value })));
      tools.append(labelled(labels[column], select));
      select.addEventListener("change", () => {
        if (select.value) state.choices.set(column, select.value); else state.choices.delete(column);
        state.first = 0;
        show();
      });
    });

    const away = new Set();
    heads.forEach((head, column) => { if ("hidden" in head.dataset) away.add(column); });
    if (away.size) {
      const hide = () => {
        table.dataset.hide = Array.from(away, (column) => column + 1).join(" ");
        if (state.all) fit();
      };
      const list = element("div", { className: "columns" });
      labels.forEach((label, column) => {
        if (column === 0) return;
        const tick = element("input", { type: "checkbox", checked: !away.has(column) });
        tick.addEventListener("change", () => {
          if (tick.checked) away.delete(column); else away.add(column);
          hide();
        });
        list.append(element("label", { className: "check" }, tick, element("span", { textContent: label })));
      });
      tools.append(element("details", { className: "chooser" }, element("summary", { textContent: "Columns" }), list));
      hide();
    }
    if (table.dataset.export) {
      button(tools, "Save rows as CSV", () => {
        const lines = [labels.map((label) => field(label, false))];
        fits().forEach((row) => lines.push(labels.map((_, column) => field(row.cells[column].textContent.trim(), numeric[column]))));
        save(table.dataset.export, `\ufeff${lines.map((line) => line.join(",")).join("\r\n")}\r\n`);
      });
    }
    if (tools.children.length) box.before(tools);
    box.after(status, pager);
    table.tHead.rows[table.tHead.rows.length - 1].setAttribute("aria-rowindex", 1);
    addEventListener("beforeprint", () => { whole(); body.append(...state.order); });
    addEventListener("afterprint", show);
    show();
  }

  document.querySelectorAll("table[data-enhance]").forEach(enhance);

  [["heat", "no-heat"], ["lines", "no-lines"]].forEach(([name, off]) => {
    const box = document.getElementById(name);
    if (box) box.addEventListener("change", () => document.documentElement.classList.toggle(off, !box.checked));
  });

  /* what is folded away on the screen belongs on paper */
  const opened = [];
  addEventListener("beforeprint", () => document.querySelectorAll("main > section > details:not([open])").forEach((details) => {
    details.open = true;
    opened.push(details);
  }));
  addEventListener("afterprint", () => opened.splice(0).forEach((details) => { details.open = false; }));
})();
