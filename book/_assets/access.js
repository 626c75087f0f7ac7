// What scrolls sideways can be scrolled with the keyboard; a slider has the name that stands
// beside it. Both depend on what the page looks like now, so they are done here.
(() => {
  // A page read from disk may not fetch another to quote it under a search result.
  if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  const BOXES = "main article :is(pre, .table-wrap, .output, .cell_output, div.math, .jupyter-widgets)";
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']";

  const reach = () => {
    for (const box of document.querySelectorAll(BOXES)) {
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

  const name = () => {
    for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
      const label = handle.closest(".widget-slider, .jupyter-widgets")
        ?.querySelector(".widget-label")?.textContent.trim();
      handle.setAttribute("aria-label", label || "Position");
    }
  };

  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { reach(); name(); }, 400);  // after the theme's own, at 300
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
