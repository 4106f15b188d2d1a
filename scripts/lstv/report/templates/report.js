"use strict";
/* Everything on the page is readable without this; it adds sorting, filtering, paging and the heatmap switch. */
(function () {
  document.documentElement.classList.add("with-js");

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  /* "−1,234.50 (…)" -> -1234.5; a dash or nothing -> NaN, which sorts last either way */
  const asNumber = (text) => {
    const match = text.replace(/−/g, "-").replace(/,/g, "").match(/-?\d+(\.\d+)?(e-?\d+)?/);
    return match ? Number(match[0]) : NaN;
  };

  function enhance(table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    const pageSize = Number(table.dataset.page) || 100;
    const box = table.closest(".box");
    const state = { order: rows, text: "", choice: null, first: 0, all: false };
    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      return texts.get(row);
    };
    const cellText = (row, column) => row.cells[column].textContent.trim();

    const status = element("p", { className: "status" });
    status.setAttribute("role", "status");
    const tools = element("div", { className: "tools" });
    const pager = element("div", { className: "tools pager" });
    const button = (text, action) => {
      const made = element("button", { type: "button", textContent: text });
      made.addEventListener("click", action);
      pager.append(made);
      return made;
    };
    const previous = button("Previous", () => { state.first -= pageSize; show(); });
    const next = button("Next", () => { state.first += pageSize; show(); });
    const all = button("Show all", () => { state.all = !state.all; state.first = 0; show(); });

    let shown = new Set(rows);
    function show() {
      const matching = state.order.filter((row) =>
        (!state.text || textOf(row).includes(state.text)) &&
        (!state.choice || !state.choice.value || cellText(row, state.choice.column) === state.choice.value));
      state.first = Math.max(0, Math.min(state.first, Math.floor((matching.length - 1) / pageSize) * pageSize));
      const page = state.all ? matching : matching.slice(state.first, state.first + pageSize);
      const wanted = new Set(page);
      shown.forEach((row) => { if (!wanted.has(row)) row.hidden = true; });
      page.forEach((row) => { row.hidden = false; });
      shown = wanted;
      const count = (n) => n.toLocaleString("en-GB");
      const from = state.all ? 0 : state.first;
      status.textContent = page.length === 0 ? "No row fits."
        : `Rows ${count(from + 1)} to ${count(from + page.length)} of ${count(matching.length)}` +
          (matching.length < rows.length ? `, filtered from ${count(rows.length)}` : "");
      previous.disabled = state.all || state.first === 0;
      next.disabled = state.all || state.first + pageSize >= matching.length;
      all.textContent = state.all ? `Show ${pageSize} at a time` : "Show all";
      pager.hidden = rows.length <= pageSize;
      status.hidden = pager.hidden && !tools.children.length;
    }

    heads.forEach((head, column) => {
      const numeric = head.dataset.type === "number";
      const label = head.textContent;
      const sorter = element("button", { type: "button", className: "sort", textContent: label });
      head.replaceChildren(sorter);
      /* a button is not repeated with the table's head on the next sheet of paper */
      addEventListener("beforeprint", () => head.replaceChildren(label));
      addEventListener("afterprint", () => head.replaceChildren(sorter));
      sorter.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const keyed = rows.map((row) => {
          const text = cellText(row, column);
          return { row, key: numeric ? asNumber(text) : text };
        });
        const collator = new Intl.Collator("en", { numeric: true });
        keyed.sort((a, b) => {
          if (!numeric) return (up ? 1 : -1) * collator.compare(a.key, b.key);
          if (Number.isNaN(a.key) || Number.isNaN(b.key)) return Number.isNaN(a.key) - Number.isNaN(b.key);
          return (up ? 1 : -1) * (a.key - b.key);
        });
        state.order = keyed.map((entry) => entry.row);
        state.first = 0;
        body.append(...state.order);
        show();
      });
    });

    if (table.dataset.filter) {
      const input = element("input", { type: "search" });
      tools.append(element("label", {}, element("span", { textContent: table.dataset.filter }), input));
      let waiting;
      input.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => { state.text = input.value.trim().toLowerCase(); state.first = 0; show(); }, 120);
      });
    }
    heads.forEach((head, column) => {
      if (!("choose" in head.dataset)) return;
      const select = element("select", {}, element("option", { value: "", textContent: "All" }));
      const values = new Set(rows.map((row) => cellText(row, column)));
      values.forEach((value) => select.append(element("option", { value, textContent: value })));
      tools.append(element("label", {}, element("span", { textContent: head.textContent }), select));
      select.addEventListener("change", () => { state.choice = { column, value: select.value }; state.first = 0; show(); });
    });
    if (tools.children.length) box.before(tools);
    box.after(status, pager);
    show();
  }

  document.querySelectorAll("table[data-enhance]").forEach(enhance);

  const heat = document.getElementById("heat");
  if (heat) {
    heat.addEventListener("change", () => document.getElementById("candidates").classList.toggle("bare", !heat.checked));
  }

  /* what is folded away on the screen belongs on paper */
  const opened = [];
  addEventListener("beforeprint", () => document.querySelectorAll("main > section > details:not([open])").forEach((details) => {
    details.open = true;
    opened.push(details);
  }));
  addEventListener("afterprint", () => opened.splice(0).forEach((details) => { details.open = false; }));
})();
