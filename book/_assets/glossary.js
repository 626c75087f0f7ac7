// The definition of a glossary term beside its link, under the pointer or with the keyboard's focus.
// Escape closes it; it stays while the pointer is on it.
(() => {
  const GAP = 8;
  const EDGE = 12;
  let box, owner, shownAt, leaving;

  const hide = () => {
    clearTimeout(leaving);
    owner?.removeAttribute("aria-describedby");
    if (box) box.hidden = true;
    owner = null;
  };
  const hideSoon = () => { clearTimeout(leaving); leaving = setTimeout(hide, 200); };

  const make = () => {
    box = document.createElement("div");
    box.id = "term-definition";
    box.className = "term-definition";
    box.setAttribute("role", "tooltip");
    box.addEventListener("pointerenter", () => clearTimeout(leaving));
    box.addEventListener("pointerleave", hideSoon);
    document.querySelector("main article").append(box);
  };

  const show = (link) => {
    clearTimeout(leaving);
    if (owner === link) return;
    if (!box) make();
    hide();
    owner = link;
    box.textContent = link.dataset.definition;
    box.hidden = false;
    link.setAttribute("aria-describedby", box.id);
    const at = link.getBoundingClientRect();
    shownAt = at.top;
    const width = Math.min(box.offsetWidth, innerWidth - 2 * EDGE);
    const below = at.bottom + GAP;
    const fits = below + box.offsetHeight < innerHeight - EDGE;
    box.style.left = `${Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE))}px`;
    box.style.top = `${fits ? below : Math.max(EDGE, at.top - box.offsetHeight - GAP)}px`;
  };

  const linked = (event) => event.target.closest?.("a[data-definition]");
  addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch" && linked(event)) show(linked(event));
  });
  addEventListener("pointerout", (event) => { if (linked(event)) hideSoon(); });
  addEventListener("focusin", (event) => { if (linked(event)) show(linked(event)); else hide(); });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", () => {
    if (owner && owner.getBoundingClientRect().top !== shownAt) hide();
  }, { passive: true });
})();
