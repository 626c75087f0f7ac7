(() => {
  const box = document.getElementById("PLAYERS_ID");
  if (!box || box.dataset.ready) return;
  box.dataset.ready = "";
  const sounds = [...box.querySelectorAll("audio")];
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let place = 0;

  const note = box.querySelector(".player-note");
  const label = document.createElement("label");
  const keep = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  label.append(keep, "go on at the same place when changing to another");
  note.append(" ", label);

  // A server that sends no ranges leaves the browser without a duration.
  const secondsOf = (sound) => Number(sound.closest("li").dataset.seconds);
  const mark = (sound) => {
    const cursor = sound.closest("li").querySelector(".player-cursor");
    const share = sound.currentTime / secondsOf(sound);
    cursor.style.left = `${100 * Math.min(1, share)}%`;
    cursor.dataset.at = sound.currentTime.toFixed(2);
    if (!sound.paused) place = sound.currentTime;
  };
  const follow = (sound) => {
    mark(sound);
    if (!sound.paused && !still.matches) requestAnimationFrame(() => follow(sound));
  };
  const go = (sound, seconds) => {
    if (sound.readyState) sound.currentTime = seconds;
    else sound.addEventListener("loadedmetadata", () => { sound.currentTime = seconds; }, { once: true });
  };

  for (const sound of sounds) {
    sound.addEventListener("play", () => {
      const other = sounds.find((one) => one !== sound && !one.paused);
      if (other) { place = other.currentTime; other.pause(); }
      if (keep.checked && place && !sound.currentTime) go(sound, place);
      follow(sound);
    });
    sound.addEventListener("pause", () => { if (!sound.ended) place = sound.currentTime; });
    sound.addEventListener("ended", () => { place = 0; sound.currentTime = 0; });
    sound.addEventListener("timeupdate", () => mark(sound));
    sound.addEventListener("seeked", () => mark(sound));
    sound.closest("li").querySelector(".player-picture").addEventListener("click", (event) => {
      const picture = event.currentTarget.getBoundingClientRect();
      const share = (event.clientX - picture.left) / picture.width;
      const start = () => { sound.currentTime = share * secondsOf(sound); sound.play(); };
      if (sound.readyState) start();
      else {
        sound.addEventListener("loadedmetadata", start, { once: true });
        sound.load();
      }
    });
  }
})();
