// What scrolls can be scrolled with the keyboard. It depends on what the page looks like now, so it
// is done here, and not by the theme (`helpers.site.light_pages`).
(() => {
  const BOXES = `main article :is(pre, .table-wrap, .pst-scrollable-table-container, .output, .cell_output,
    div.math, figure, .explorer-panel)`;
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']";

  // All sizes are asked before anything is set: each answer after a change lays the page out anew.
  // Nothing is asked of what is folded, which would be laid out for it.
  const reach = () => {
    const boxes = [...document.querySelectorAll(BOXES)]
      .filter((box) => !box.closest("details:not([open])"));
    const reached = boxes.map((box) => {
      const style = getComputedStyle(box);
      const scrolls = (box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(style.overflowX))
        || (box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(style.overflowY));
      return scrolls && ![...box.querySelectorAll(FOCUSABLE)].some((one) =>
        one.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
    });
    boxes.forEach((box, number) => {
      if (reached[number]) {
        box.tabIndex = 0;
        box.dataset.reached = "";
      } else if ("reached" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.reached;
      }
    });
  };

  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(reach, 400);
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
  for (const colours of target.querySelectorAll("script.colours")) {
    colours.parentElement.querySelector("pre").innerHTML = colours.text;
    colours.remove();
  }
}, true);
