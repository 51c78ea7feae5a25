// Lines over the last minutes, drawn as SVG.
import { make, makeSvg, write } from './format.js';

const samples = 150;
const [width, height] = [600, 100];

export class Plot {
  // names: of the two lines; text: writes a value for people.
  constructor(place, names, text) {
    this.text = text;
    this.names = names;
    this.lines = names.map((_, index) => makeSvg('path', { class: index === 0 ? 'first' : 'second' }));
    this.picture = makeSvg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Nothing yet' }, ...this.lines);
    this.values = names.map(() => make('b', {}, '-'));
    this.labels = names.map(name => make('span', {}, name));
    this.peak = make('li', {}, '');
    const keys = names.map((_, index) => make('li', {},
      makeSvg('svg', { viewBox: '0 0 26 8', 'aria-hidden': 'true' }, makeSvg('path', { d: 'M0 4H26', class: `key ${index === 0 ? 'first' : 'second'}` })), this.labels[index], ' ', this.values[index]));
    place.replaceChildren(this.picture, make('ul', {}, ...keys, this.peak));
    this.clear();
  }

  // Begins anew, with other lines.
  restart(names) {
    this.names = names;
    names.forEach((name, index) => write(this.labels[index], name));
    this.clear();
  }

  clear() {
    this.history = this.names.map(() => []);
    this.draw();
  }

  // values: one of each line, or null where nothing is known.
  add(values) {
    values.forEach((value, index) => {
      const line = this.history[index];
      line.push(value);
      if (line.length > samples)
        line.shift();
    });
    this.draw();
  }

  draw() {
    const known = this.history.flat().filter(value => value !== null);
    const most = Math.max(1e-9, ...known);
    this.history.forEach((line, index) => {
      let path = '';
      let pen = 'M';
      line.forEach((value, at) => {
        if (value === null) {
          pen = 'M';
          return;
        }
        const x = width - (line.length - 1 - at) * width / (samples - 1);
        path += `${pen}${x.toFixed(1)} ${(height - 3 - value / most * (height - 8)).toFixed(1)}`;
        pen = 'L';
      });
      this.lines[index].setAttribute('d', path);
      const now = line.at(-1) ?? null;
      write(this.values[index], now === null ? '-' : this.text(now));
    });
    write(this.peak, known.length === 0 ? '' : `highest ${this.text(most)}`);
    this.picture.setAttribute('aria-label', known.length === 0 ? 'Nothing yet' : `${this.names.map((name, index) => `${name} ${this.values[index].textContent}`).join(', ')}, highest of the last minutes ${this.text(most)}`);
  }
}
