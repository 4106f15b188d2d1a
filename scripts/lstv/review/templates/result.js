"use strict";
/* Shows the whole series in the viewer. */
(() => {
  const place = document.getElementById("viewer");
  const viewer = lstv.viewer(place, { label: "The sagittal T2 series that was analysed" });
  lstv.load(place.dataset.series, place.dataset.name).then(
    (pack) => viewer.show(pack),
    (error) => viewer.show({ format: 1, reason: error.message }),
  );
})();
