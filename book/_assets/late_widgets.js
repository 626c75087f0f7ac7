// Load the widgets' state and script (half a megabyte) when a widget comes near, at the reader's first
// action, or before printing. It draws at the page's load event, which may be over by then.
(() => {
  const { state, manager } = document.currentScript.dataset;
  const VIEW = "script[type='application/vnd.jupyter.widget-view+json']";
  const ACTIONS = ["scroll", "keydown", "pointerdown", "beforeprint"];
  let begun = false;

  const load = () => {
    if (begun) return;
    begun = true;
    ACTIONS.forEach((action) => removeEventListener(action, load));
    const listen = window.addEventListener;
    window.addEventListener = function (type, listener, ...rest) {
      if (type === "load" && document.readyState === "complete") setTimeout(listener);
      else listen.call(this, type, listener, ...rest);
    };
    const put = (address, then) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = script.onerror = then;
      document.head.append(script);
    };
    put(state, () => put(manager, () => { window.addEventListener = listen; }));
  };

  ACTIONS.forEach((action) => addEventListener(action, load, { passive: true }));
  addEventListener("load", () => {
    const near = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { near.disconnect(); load(); }
    }, { rootMargin: "800px" });
    document.querySelectorAll(VIEW).forEach((view) => near.observe(view.parentElement));
  });
})();
