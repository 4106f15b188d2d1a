"use strict";
/* Shows the whole series in the viewer, with what the network said drawn over it. */
(async () => {
  const place = document.getElementById("viewer"), { series, layers, name } = place.dataset;
  const viewer = lstv.viewer(place, { label: "The sagittal T2 series that was analysed" });
  try {
    const pack = await lstv.load(series, name);
    viewer.show(pack);
    const over = pack.frames && await (await fetch(layers)).json();
    if (!over) return;
    viewer.layers(over);
    if (over.slice !== pack.centre) viewer.go(over.slice);
  } catch (error) {
    viewer.show({ reason: error.message });
  }
})();
