// The buzzer's own patterns: milliseconds on and off in turn, as the device plays them.

const PITCH = 2300, LOUD = 0.05;
const wanted = document.getElementById("sound");
let audio = null;

wanted.addEventListener("change", () => {
  // A browser lets a page sound only after somebody has touched it: here.
  if (wanted.checked) {
    audio ??= new AudioContext();
    audio.resume();
  }
});

export function play(pattern) {
  if (!wanted.checked || audio === null) return;
  let at = audio.currentTime;
  pattern.forEach((milliseconds, number) => {
    const seconds = milliseconds / 1000;
    if (number % 2 === 0) {
      const tone = new OscillatorNode(audio, { type: "square", frequency: PITCH });
      const level = new GainNode(audio, { gain: LOUD });
      tone.connect(level).connect(audio.destination);
      tone.start(at);
      tone.stop(at + seconds);
    }
    at += seconds;
  });
}
