"use strict";
/* A viewer of a whole series, for pages that are opened from a folder: no server, no fetch, no modules, no library.

   The contract (everything is on the global object `lstv`):

   lstv.series(pack)             is what a series file calls; it is kept by its `name` until `lstv.forget(name)`
   lstv.load(url, name)          a promise of the pack of that name, from the file at `url` by a <script> element (its
                                 policy must allow that); rejected with a sentence for people
   lstv.decode(pack)             decodes all slices ahead of time; a promise. Call it for the next study while this one is read
   lstv.viewer(element, options) puts a viewer into an empty element; `options.label` is what the picture is of
     .show(pack)                 another series; window and zoom begin anew. A pack with a `reason` shows that sentence
     .slice                      index of the slice shown; `.go(index)` shows another, `.step(n)` one n further
     .window(white, black)       8-bit values shown as white and black
     .reset()                    window, zoom and place as at first
     .focus()                    the picture takes the keys
     .remove()                   ends it
     .element                    gets the events `lstv-slice` and `lstv-ready` (the slice shown is decoded and drawn)

   A pack is described in scripts/lstv/report/pages/series_pack.py.

   Keys, while the picture has the focus: up and down (or the wheel) another slice; Home and End the first and last; + and -
   zoom; Shift with arrows move; , and . darker and brighter; < and > (or ; and :) less and more contrast; 0 reset.
   Mouse: drag for window and level, with Shift or the right button to move; Ctrl and wheel zoom. Fingers: one, sideways,
   another slice; two zoom and move. */
/* layers: begin. A blinded page has a copy without what stands between such lines (lstv.review.bundle).
   .layers(layers) of a viewer: what is drawn over the picture, or null for nothing; another series begins without.
     { slice, levels: [{ name, label, colour, point, heat, outline }], marks: [{ number, path, at, missing }], matrix, drawing }
   `slice` is the index of the slice that the network saw; `point` [column, row] on it, in pixels of the series from the
   centre of the first one, or null; `heat` a data URL of an image whose opacity is the probability, or null; `outline` an
   SVG path or empty. `marks` are an SVG path each and, at `at`, its number. `matrix` and `drawing` are the six numbers of a
   canvas transformation to pixels of the series, counted from its outer edge: from pixels of the heat image, and from the
   units of outlines and marks.
   layers: end */
window.lstv = window.lstv || {};
(function (lstv) {
  const packs = new Map();
  const decoded = new WeakMap();
  const WIDEST_ZOOM = 16;

  lstv.series = (pack) => { packs.set(pack.name, pack); };
  lstv.forget = (name) => { packs.delete(name); };
  lstv.load = (url, name) => new Promise((resolve, reject) => {
    if (packs.has(name)) { resolve(packs.get(name)); return; }
    const script = document.createElement("script");
    const fail = (why) => { script.remove(); reject(new Error(why)); };
    script.onload = () => {
      if (!packs.has(name)) { fail("The series file is not of this study; copy the whole folder again."); return; }
      script.remove();
      resolve(packs.get(name));
    };
    script.onerror = () => fail("The series file is missing or damaged; copy the whole folder again.");
    script.src = url;
    document.head.append(script);
  });

  /* --- decoding: pictures in base64 -> one byte a pixel ------------------------------------------------------------ */

  async function decodeSlice(pack, index) {
    const bytes = Uint8Array.from(atob(pack.frames[index]), (letter) => letter.charCodeAt(0));
    const type = pack.type || "image/webp"; // format 1 had no other
    const bitmap = await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none" });
    const canvas = Object.assign(document.createElement("canvas"), { width: pack.width, height: pack.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const colours = context.getImageData(0, 0, pack.width, pack.height).data;
    const grey = new Uint8Array(pack.width * pack.height);
    for (let i = 0, j = 0; i < grey.length; i += 1, j += 4) grey[i] = colours[j];
    return grey;
  }

  /* `ready[i]` is the decoded slice or undefined, `get(i)` a promise of it */
  function slicesOf(pack) {
    if (!decoded.has(pack)) {
      const ready = new Array(pack.frames.length), asked = new Array(pack.frames.length);
      const get = (index) => {
        asked[index] = asked[index] || decodeSlice(pack, index).then((grey) => { ready[index] = grey; return grey; });
        return asked[index];
      };
      decoded.set(pack, { ready, get });
    }
    return decoded.get(pack);
  }

  /* from the slice shown outwards, one after the other, so that what is looked at comes first */
  async function decodeFrom(pack, centre, goesOn) {
    const order = pack.frames.map((_, index) => index).sort((a, b) => Math.abs(a - centre) - Math.abs(b - centre));
    for (const index of order) {
      if (!goesOn()) return;
      await slicesOf(pack).get(index);
    }
  }
  lstv.decode = (pack) => (pack.frames ? decodeFrom(pack, pack.centre, () => true) : Promise.resolve());

  /* --- the viewer --------------------------------------------------------------------------------------------------- */

  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const within = (value, low, high) => Math.min(Math.max(value, low), high);

  class Viewer {
    constructor(element, options) {
      this.element = element;
      this.label = (options || {}).label || "Sagittal series";
      this.ended = new AbortController();
      this.canvas = make("canvas", { tabIndex: 0, className: "lstv-picture" });
      this.canvas.setAttribute("role", "slider");
      this.canvas.setAttribute("aria-orientation", "vertical");
      this.context = this.canvas.getContext("2d");
      this.plane = document.createElement("canvas");
      this.message = make("p", { className: "lstv-message", hidden: true });
      this.stage = make("div", { className: "lstv-stage" }, this.canvas, this.message);
      this.range = make("input", { type: "range", min: 0, step: 1, tabIndex: -1, className: "lstv-range" });
      this.range.setAttribute("aria-hidden", "true"); /* the picture itself is the slider for keys and screen readers */
      this.range.addEventListener("input", () => this.go(Number(this.range.value)));
      this.tools = make("div", { className: "lstv-tools" }, this.range, make("div", { className: "lstv-buttons" }));
      this.button("−", "Smaller", () => this.zoomBy(1 / 1.25));
      this.button("+", "Larger", () => this.zoomBy(1.25));
      this.button("Darker", "Darker", () => this.changeWindow(0, 12));
      this.button("Brighter", "Brighter", () => this.changeWindow(0, -12));
      this.button("Reset", "Window, zoom and place as at first", () => this.reset());
      if (document.fullscreenEnabled) this.button("Full screen", "Full screen", () => this.fill());
      this.switches = make("fieldset", { className: "lstv-layers", hidden: true });
      element.classList.add("lstv-viewer");
      element.replaceChildren(this.stage, this.tools, this.switches);
      this.listen();
      this.observer = new ResizeObserver(() => this.draw());
      this.observer.observe(this.stage);
      this.show(null);
    }

    button(text, title, action) {
      const made = make("button", { type: "button", textContent: text, title });
      if (text !== title) made.setAttribute("aria-label", title);
      made.addEventListener("click", action);
      this.tools.lastChild.append(made);
    }

    /* --- what others call --- */

    show(pack) {
      this.pack = pack && pack.frames ? pack : null;
      this.turn = (this.turn || 0) + 1;
      if (this.layers) this.layers(null);
      this.message.textContent = pack && pack.reason ? `The series cannot be shown: ${pack.reason}` : "";
      this.message.hidden = !this.message.textContent;
      this.canvas.hidden = this.tools.hidden = !this.pack;
      if (!this.pack) return;
      const turn = this.turn;
      Object.assign(this.plane, { width: pack.width, height: pack.height });
      this.pixels = this.plane.getContext("2d").createImageData(pack.width, pack.height);
      this.range.max = pack.frames.length - 1;
      this.canvas.setAttribute("aria-valuemin", "1");
      this.canvas.setAttribute("aria-valuemax", String(pack.frames.length));
      this.canvas.setAttribute("aria-label", `${this.label}; slice`);
      this.slice = pack.centre;
      this.reset();
      decodeFrom(pack, pack.centre, () => turn === this.turn);
    }

    /* layers: begin */
    layers(layers) {
      this.over = layers;
      this.on = { heat: true, points: true, off: new Set() };
      this.tints = new Map();
      this.loading = 0;
      this.switches.hidden = !layers;
      this.switches.replaceChildren();
      if (layers) this.offer(layers);
      this.draw();
    }
    /* layers: end */

    go(index) {
      if (!this.pack) return;
      this.slice = within(index, 0, this.pack.frames.length - 1);
      this.draw();
      this.element.dispatchEvent(new CustomEvent("lstv-slice", { detail: this.slice }));
    }

    step(count) { this.go(this.slice + count); }

    window(white, black) {
      const middle = (white + black) / 2, half = Math.max(2, (white - black) / 2);
      [this.black, this.white] = [middle - half, middle + half];
      this.draw();
    }

    reset() {
      Object.assign(this, { zoom: 1, left: 0, top: 0 });
      if (this.pack) this.window(this.pack.window.white, 0);
    }

    focus() { this.canvas.focus({ preventScroll: true }); }

    remove() {
      this.turn += 1;
      this.ended.abort();
      this.observer.disconnect();
      this.element.replaceChildren();
    }

    /* --- changes --- */

    changeWindow(width, level) {
      const half = within((this.white - this.black + width) / 2, 2, 255);
      const middle = within((this.white + this.black) / 2 + level, 0, 255);
      this.window(middle + half, middle - half);
    }

    zoomBy(factor, at) {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = at ? [at[0] - box.left - box.width / 2, at[1] - box.top - box.height / 2] : [0, 0];
      const zoom = within(this.zoom * factor, 1, WIDEST_ZOOM), by = zoom / this.zoom;
      this.left = x - (x - this.left) * by;
      this.top = y - (y - this.top) * by;
      this.zoom = zoom;
      this.move(0, 0);
    }

    move(x, y) {
      const box = this.canvas.getBoundingClientRect();
      const [width, height] = this.extent(box);
      /* a part of the picture stays in view */
      const far = (size, view) => Math.max(0, (size * this.zoom - view) / 2 + (this.zoom > 1 ? view / 4 : 0));
      this.left = within(this.left + x, -far(width, box.width), far(width, box.width));
      this.top = within(this.top + y, -far(height, box.height), far(height, box.height));
      this.draw();
    }

    fill() {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.element.requestFullscreen();
    }

    /* --- keys, mouse, fingers --- */

    listen() {
      const until = { signal: this.ended.signal };
      const held = new Map();
      let turned = 0, aside = 0;
      this.canvas.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || !this.pack) return;
        const act = this.keys(event)[event.key];
        if (act) { act(); event.preventDefault(); event.stopPropagation(); }
      }, until);
      this.canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        if (!this.pack) return;
        if (event.ctrlKey) { this.zoomBy(Math.exp(-event.deltaY / 200), [event.clientX, event.clientY]); return; }
        /* a notch of a wheel is a slice; of a trackpad, so many pixels */
        const notch = event.deltaMode === 0 ? 40 : 1;
        turned = Math.sign(turned) === Math.sign(event.deltaY) ? turned + event.deltaY : event.deltaY;
        if (Math.abs(turned) >= notch) { this.step(Math.sign(turned)); turned = 0; }
      }, { ...until, passive: false });
      this.canvas.addEventListener("contextmenu", (event) => event.preventDefault(), until);
      this.canvas.addEventListener("pointerdown", (event) => {
        this.focus();
        held.set(event.pointerId, event);
        aside = 0;
        this.canvas.setPointerCapture(event.pointerId);
        if (event.pointerType !== "touch") event.preventDefault();
      }, until);
      this.canvas.addEventListener("pointermove", (event) => {
        const before = held.get(event.pointerId);
        if (!before || !this.pack) return;
        const x = event.clientX - before.clientX, y = event.clientY - before.clientY;
        held.set(event.pointerId, event);
        if (held.size === 2) {
          const other = Array.from(held.values()).find((each) => each.pointerId !== event.pointerId);
          const apart = (each) => Math.hypot(each.clientX - other.clientX, each.clientY - other.clientY);
          this.move(x / 2, y / 2);
          this.zoomBy(apart(event) / Math.max(1, apart(before)), [
            (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2,
          ]);
        } else if (event.pointerType === "touch") {
          aside += x;
          if (Math.abs(aside) >= 14) { this.step(Math.sign(aside)); aside = 0; }
        } else if (event.shiftKey || event.buttons !== 1) this.move(x, y);
        else this.changeWindow(x / 2, y / 2);
      }, until);
      ["pointerup", "pointercancel"].forEach((name) => this.canvas.addEventListener(name, (event) => {
        held.delete(event.pointerId);
      }, until));
      document.addEventListener("fullscreenchange", () => this.draw(), until);
    }

    keys(event) {
      const step = 40;
      if (event.shiftKey && event.key.startsWith("Arrow")) {
        return {
          ArrowUp: () => this.move(0, step), ArrowDown: () => this.move(0, -step),
          ArrowLeft: () => this.move(step, 0), ArrowRight: () => this.move(-step, 0),
        };
      }
      const wider = () => this.changeWindow(16, 0), narrower = () => this.changeWindow(-16, 0);
      return {
        ArrowUp: () => this.step(-1), ArrowDown: () => this.step(1), PageUp: () => this.step(-3), PageDown: () => this.step(3),
        Home: () => this.go(0), End: () => this.go(Infinity), "+": () => this.zoomBy(1.25), "=": () => this.zoomBy(1.25),
        "-": () => this.zoomBy(1 / 1.25), 0: () => this.reset(), ",": () => this.changeWindow(0, 8),
        ".": () => this.changeWindow(0, -8), "<": wider, ";": wider, ">": narrower, ":": narrower,
      };
    }

    /* layers: begin */
    /* --- layers --- */

    offer(layers) {
      const tick = (text, colour, change) => {
        const box = make("input", { type: "checkbox", checked: true });
        box.addEventListener("change", () => { change(box.checked); this.draw(); });
        const label = make("label", {}, box);
        if (colour) {
          const sign = make("i", {});
          sign.style.background = colour;
          label.append(sign);
        }
        label.append(text);
        this.switches.append(label);
      };
      this.switches.append(make("legend", { textContent: "Show" }));
      const switches = { heat: "Heatmaps", points: layers.marks && layers.marks.length ? "Points, names and marks" : "Points and names" };
      Object.entries(switches).forEach(([name, text]) => tick(text, "", (on) => { this.on[name] = on; }));
      layers.levels.forEach((level) => tick(level.label, level.colour, (on) => {
        if (on) this.on.off.delete(level.name); else this.on.off.add(level.name);
      }));
      if (layers.slice === null) return;
      const back = make("button", { type: "button", textContent: `Slice ${layers.slice + 1}, which the network saw` });
      back.addEventListener("click", () => { this.go(layers.slice); this.focus(); });
      this.switches.append(back);
      const { tints } = this, wanted = layers.levels.filter((level) => level.heat);
      this.loading = wanted.length;
      wanted.forEach((level) => {
        const image = new Image(), come = (found) => {
          if (tints !== this.tints) return; // another study is shown by now
          this.loading -= 1;
          if (found) tints.set(level.name, image);
          this.draw();
        };
        image.onload = () => come(true);
        image.onerror = () => come(false);
        image.src = level.heat;
      });
    }

    /* layers: end */
    /* --- drawing --- */

    /* width and height of the whole slice in the stage at zoom 1, in CSS pixels */
    extent(box) {
      const wide = this.pack.width * this.pack.spacing_mm.column, tall = this.pack.height * this.pack.spacing_mm.row;
      const scale = Math.min(box.width / wide, box.height / tall);
      return [wide * scale, tall * scale];
    }

    draw() {
      if (this.drawing || !this.pack) return;
      this.drawing = requestAnimationFrame(() => { this.drawing = 0; if (this.pack) this.paint(); });
    }

    paint() {
      const { pack, slice, turn } = this;
      const grey = slicesOf(pack).ready[slice];
      if (!grey) {
        slicesOf(pack).get(slice).then(() => this.draw(), () => {
          if (turn !== this.turn) return;
          this.message.textContent = `Slice ${slice + 1} is damaged in this copy; copy the whole folder again.`;
          this.message.hidden = false;
          this.canvas.setAttribute("aria-busy", "false");
        });
      }
      const box = this.canvas.getBoundingClientRect(), dense = window.devicePixelRatio || 1;
      const size = [Math.round(box.width * dense), Math.round(box.height * dense)];
      if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
      const pen = this.context;
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.fillStyle = "#000";
      pen.fillRect(0, 0, box.width, box.height);
      const [width, height] = this.extent(box).map((value) => value * this.zoom);
      const x = (box.width - width) / 2 + this.left, y = (box.height - height) / 2 + this.top;
      const scale = [width / pack.width, height / pack.height];
      if (grey) {
        this.message.hidden = true;
        this.brighten(grey);
        pen.imageSmoothingQuality = "high";
        pen.drawImage(this.plane, x, y, width, height);
        /* layers: begin */
        if (this.over) this.drawLayers(pen, x, y, scale);
        /* layers: end */
      }
      this.drawFrame(pen, box, scale);
      this.range.value = slice;
      this.canvas.setAttribute("aria-valuenow", String(slice + 1));
      this.canvas.setAttribute("aria-busy", String(!grey || Boolean(this.loading)));
      this.canvas.setAttribute("aria-valuetext", `${slice + 1} of ${pack.frames.length}${this.aside()}`);
      if (grey) this.element.dispatchEvent(new CustomEvent("lstv-ready", { detail: slice }));
    }

    /* stored bytes through the window into the plane's pixels */
    brighten(grey) {
      const { black, white } = this, shades = new Uint32Array(256), pixels = new Uint32Array(this.pixels.data.buffer);
      for (let value = 0; value < 256; value += 1) {
        shades[value] = 0xff000000 | (Math.round(within((value - black) / (white - black), 0, 1) * 255) * 0x010101);
      }
      for (let i = 0; i < grey.length; i += 1) pixels[i] = shades[grey[i]];
      this.plane.getContext("2d").putImageData(this.pixels, 0, 0);
    }

    /* layers: begin */
    drawLayers(pen, x, y, scale) {
      const { over, on } = this, here = this.slice === over.slice, dense = window.devicePixelRatio || 1;
      const levels = over.levels.filter((level) => !on.off.has(level.name));
      if (here && on.heat) this.placed(pen, x, y, scale, over.matrix, () => {
        levels.forEach((level) => { if (this.tints.has(level.name)) pen.drawImage(this.tints.get(level.name), 0, 0); });
      });
      if (here && on.points) this.placed(pen, x, y, scale, over.drawing, (units) => {
        levels.filter((level) => level.outline).forEach((level) => {
          const path = new Path2D(level.outline);
          const unit = Math.sqrt(Math.abs(units.a * units.d - units.b * units.c)) / dense;
          [["#000", 3], [level.colour, 1.4]].forEach(([colour, width]) => {
            pen.strokeStyle = colour;
            pen.lineWidth = width / unit;
            pen.stroke(path);
          });
        });
        pen.setTransform(dense, 0, 0, dense, 0, 0);
        /* numbers after all lines, so that none is struck through */
        [drawMark, drawNumber].forEach((draw) => (over.marks || []).forEach((mark) => draw(pen, mark, units, dense)));
      });
      if (!on.points) return;
      let row = -Infinity;
      levels.filter((level) => level.point).map((level) => ({
        level, px: x + (level.point[0] + 0.5) * scale[0], py: y + (level.point[1] + 0.5) * scale[1],
      })).sort((a, b) => a.py - b.py).forEach(({ level, px, py }) => {
        row = Math.max(py, row + 17);
        drawPoint(pen, level, px, py, row, here, this.pack.letters.right === "P" ? 1 : -1);
      });
    }

    /* draws in units that `matrix` brings to pixels of the series; `work` gets the whole transformation */
    placed(pen, x, y, scale, matrix, work) {
      pen.save();
      pen.transform(scale[0], 0, 0, scale[1], x, y);
      pen.transform(...matrix);
      work(pen.getTransform());
      pen.restore();
    }

    /* layers: end */
    /* letters at the edges, scale bar, number of the slice, window */
    drawFrame(pen, box, scale) {
      const { letters, window: known, frames } = this.pack;
      const write = (text, x, y, align, size = 14) => {
        pen.font = `600 ${size}px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif`;
        pen.textAlign = align;
        outlined(pen, text, x, y, "#fff");
      };
      pen.textBaseline = "middle";
      write(letters.left, 8, box.height / 2, "left", 16);
      write(letters.right, box.width - 8, box.height / 2, "right", 16);
      write(letters.top, box.width / 2, 14, "center", 16);
      write(letters.bottom, box.width / 2, box.height - 14, "center", 16);
      write(`Slice ${this.slice + 1} of ${frames.length}`, 10, 16, "left");
      write(this.aside().replace(", ", ""), 10, 34, "left", 12);
      const stored = (value) => known.low + (value / 255) * (known.high - known.low);
      const digits = known.high - known.low < 20 ? 2 : 0;
      const width = (stored(this.white) - stored(this.black)).toFixed(digits), level = stored((this.white + this.black) / 2).toFixed(digits);
      write(`W ${width}  L ${level}`, box.width - 10, 16, "right", 12);
      if (this.zoom > 1.01) write(`${this.zoom.toFixed(1)} ×`, box.width - 10, 34, "right", 12);
      const mm = scale[0] / this.pack.spacing_mm.column;
      const bar = [200, 100, 50, 20, 10, 5, 2, 1].find((length) => length * mm <= box.width / 4) || 1;
      pen.fillStyle = "#000";
      pen.fillRect(9, box.height - 16, bar * mm + 2, 5);
      pen.fillStyle = "#fff";
      pen.fillRect(10, box.height - 15, bar * mm, 3);
      write(`${bar} mm`, 10, box.height - 28, "left", 12);
    }

    /* ", 8 mm to L of the centre slice" */
    aside() {
      const away = this.pack.offsets_mm[this.slice];
      if (!away) return ", the centre slice";
      return `, ${Math.abs(away).toFixed(0)} mm to ${this.pack.letters[away < 0 ? "first" : "last"]} of the centre slice`;
    }
  }

  function outlined(pen, text, x, y, colour) {
    pen.lineJoin = "round";
    pen.lineWidth = 3.5;
    pen.strokeStyle = "#000";
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  }

  /* layers: begin */
  /* a point with its name beside it; hollow where the slice is not the one that the network saw */
  function drawPoint(pen, level, x, y, row, here, side) {
    pen.beginPath();
    pen.arc(x, y, 4, 0, 2 * Math.PI);
    pen.lineWidth = 3.5;
    pen.strokeStyle = "#000";
    pen.stroke();
    pen.lineWidth = 1.5;
    pen.strokeStyle = pen.fillStyle = level.colour;
    if (here) pen.fill(); else pen.stroke();
    if (Math.abs(row - y) > 3) {
      pen.beginPath();
      pen.moveTo(x + side * 5, y);
      pen.lineTo(x + side * 26, row);
      pen.stroke();
    }
    pen.font = '600 13px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';
    pen.textAlign = side > 0 ? "left" : "right";
    pen.textBaseline = "middle";
    outlined(pen, level.label, x + side * 30, row, level.colour);
  }

  /* what a reason speaks of, and the reason's number */
  function drawMark(pen, mark, units, dense) {
    const path = new Path2D();
    path.addPath(new Path2D(mark.path), new DOMMatrix([1 / dense, 0, 0, 1 / dense, 0, 0]).multiply(units));
    pen.setLineDash(mark.missing ? [6, 5] : []);
    [["#000", 4], ["#fff", 1.8]].forEach(([colour, width]) => {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke(path);
    });
    pen.setLineDash([]);
  }

  function drawNumber(pen, mark, units, dense) {
    const at = units.transformPoint(new DOMPoint(...mark.at)), x = at.x / dense, y = at.y / dense;
    pen.beginPath();
    pen.arc(x, y, 9, 0, 2 * Math.PI);
    pen.fillStyle = "#fff";
    pen.fill();
    pen.font = '700 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = "#000";
    pen.fillText(String(mark.number), x, y + 0.5);
  }

  /* layers: end */
  lstv.viewer = (element, options) => new Viewer(element, options);
})(window.lstv);
