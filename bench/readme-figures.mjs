// Whether the two costs that the README names are those that were measured.
const AT_MOST = 1.25;

/** `{ plain, json }` in microseconds, from the sentence of the README. */
function figuresOfReadme(markdown) {
  const sentence = /([\d.]+) µs without a record, ([\d.]+) µs with one/.exec(markdown);
  return sentence && { plain: Number(sentence[1]), json: Number(sentence[2]) };
}

/** The same from the first sentence of docs/performance.md. */
function figuresOfPage(markdown) {
  const sentence = /: ([\d.]+) µs for .* without a record, ([\d.]+) µs with/.exec(markdown);
  return sentence && { plain: Number(sentence[1]), json: Number(sentence[2]) };
}

/** What the README says that `docs/performance.md` does not; `null`: they agree. */
export function compareReadme(readme, page) {
  const [said, measured] = [figuresOfReadme(readme), figuresOfPage(page)];
  if (said === null) return 'README.md does not say what a lock costs with and without a record';
  if (measured === null) return 'docs/performance.md does not say what a lock costs';
  const isFar = (name) =>
    Math.max(said[name] / measured[name], measured[name] / said[name]) > AT_MOST;
  if (!isFar('plain') && !isFar('json')) return null;
  return `README.md says ${said.plain} and ${said.json} µs; measured were ${measured.plain} and ${measured.json} µs`;
}
