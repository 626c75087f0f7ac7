// What scrolls sideways can be scrolled with the keyboard. It depends on what the page looks like
// now, so it is done here.
(() => {
  const BOXES = `main article :is(pre, .table-wrap, .pst-scrollable-table-container, .output, .cell_output,
    div.math, figure, .explorer-panel)`;
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']";

  const reach = () => {
    for (const box of document.querySelectorAll(BOXES)) {
      if (box.closest("details:not([open])")) continue;  // asking its size would have it laid out
      const wide = box.scrollWidth > box.clientWidth + 1
        && /auto|scroll/.test(getComputedStyle(box).overflowX);
      const inside = [...box.querySelectorAll(FOCUSABLE)].some((one) =>
        one.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
      if (wide && !inside) {
        box.tabIndex = 0;
        box.dataset.reached = "";
      } else if ("reached" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.reached;
      }
    }
  };

  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(reach, 400);  // after the theme's own, at 300
  };
  addEventListener("load", later);
  addEventListener("resize", later);
  addEventListener("toggle", later, true);
  addEventListener("DOMContentLoaded", () => {
    const article = document.querySelector("main article");
    if (!article) return;
    new MutationObserver(later).observe(article, { childList: true, subtree: true });
    new ResizeObserver(later).observe(article);
  });
})();

// Code of a folded cell is plain until it is opened (`helpers.site.light_pages`).
addEventListener("toggle", ({ target }) => {
  for (const colours of target.querySelectorAll("template.colours")) {
    const code = colours.parentElement.querySelector("pre");
    code.replaceChildren(...colours.content.firstElementChild.childNodes);
    colours.remove();
  }
}, true);
