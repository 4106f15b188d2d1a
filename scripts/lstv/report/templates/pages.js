"use strict";
/* A study's page: shows its series, remembers what is switched off from study to study, and turns the pages by n and p. */
(function () {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox") return;
    const link = document.querySelector({ n: "a[rel=next]", p: "a[rel=prev]" }[event.key] || "none");
    if (link) link.click();
  });

  const holder = document.getElementById("viewer"), data = document.getElementById("data");
  if (!holder || !data) return;
  const { name, label, layers } = JSON.parse(data.textContent);
  const viewer = lstv.viewer(holder, { label });

  /* kept for the tab where the browser keeps anything for a page from a folder */
  const key = "lstv-layers-off";
  const remembered = () => { try { return JSON.parse(sessionStorage.getItem(key)) || []; } catch { return []; } };
  holder.addEventListener("change", () => {
    const off = Array.from(holder.querySelectorAll("fieldset input"), (box, index) => (box.checked ? -1 : index)).filter((index) => index >= 0);
    try { sessionStorage.setItem(key, JSON.stringify(off)); } catch { /* then each page begins anew */ }
  });

  lstv.load(`${name}.js`, name).then((pack) => {
    viewer.show(pack);
    if (layers && pack.frames) {
      viewer.layers(layers);
      const boxes = holder.querySelectorAll("fieldset input");
      remembered().forEach((index) => { if (boxes[index]) boxes[index].click(); });
      if (layers.slice !== pack.centre) viewer.go(layers.slice);
    }
    viewer.focus();
  }).catch((error) => viewer.show({ reason: error.message }));
})();
