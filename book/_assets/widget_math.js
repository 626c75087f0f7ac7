// The widgets' script speaks to version 2 of MathJax; the pages load version 3. Whichever object
// holds the name MathJax gets the one call that the widgets make, passed on to version 3.
(() => {
  let mathjax;
  const Hub = { Queue: ([, , element]) => mathjax.typesetPromise?.([element]) };
  const adopt = (holder) => {
    mathjax = holder;
    if (mathjax) mathjax.Hub = Hub;
  };
  adopt(window.MathJax);
  Object.defineProperty(window, "MathJax", { configurable: true, get: () => mathjax, set: adopt });
})();
