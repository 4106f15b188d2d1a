"use strict";
/* Asks how far the analysis is, and shows the result when it has ended. */
(() => {
  const now = document.getElementById("now"), stages = [...document.querySelectorAll(".stages li")];
  async function ask() {
    let answer;
    try {
      const got = await fetch(now.dataset.state, { headers: { Accept: "application/json" } });
      answer = await got.json();
      if (!got.ok) throw new Error(answer.sentence);
    } catch (error) {
      now.textContent = error instanceof TypeError ? "The app does not answer; look at the terminal in which it runs." : error.message;
      setTimeout(ask, 3000);
      return;
    }
    if (answer.ended) { location.reload(); return; }
    const words = `${answer.words} …`;
    if (now.textContent !== words) now.textContent = words;
    const at = stages.findIndex((stage) => stage.dataset.stage === answer.stage);
    stages.forEach((stage, index) => {
      stage.classList.toggle("past", index < at);
      if (index === at) stage.setAttribute("aria-current", "step"); else stage.removeAttribute("aria-current");
    });
    setTimeout(ask, 400);
  }
  ask();
})();
